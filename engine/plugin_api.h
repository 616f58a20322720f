#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "engine/registry.h"

namespace ringwright {

// A plugin is a shared library `ringwright_<name>.so` that exports one constant, its manifest:
//
//   RINGWRIGHT_PLUGIN(.name = "toy", .version = "1.0", .licence = "Apache-2.0",
//                     .add_parts = add_parts);
//
// The manifest is data and begins with data that needs no relocation, in a section of its own, so
// that the loader reads it from the file: opening a library runs its constructors, and opening one
// that was built with another sanitizer ends the process, before anything could be compared. Only
// when the head fits is the library opened, once and for ever.
//
// What must be equal, and why no more:
// - The interface version. It is the contract: it rises with every change of a header that plugins
//   see after which an older plugin would misread an object. A digest of those headers would refuse
//   plugins after a release that only reworded a comment or added a bound.
// - The ABI text below: what decides how the objects that cross the border lie in memory. GCC and
//   clang share one C++ ABI on a platform; what its later versions changed concerns mangled names,
//   which the dynamic linker compares, so neither the compiler nor its version is part of it.

constexpr std::uint64_t plugin_magic = 0x7468676972776e72;  // "rnwright", read as little-endian
constexpr std::uint32_t plugin_interface_version = 4;

#define RW_STRINGIFY_INNER(text) #text
#define RW_STRINGIFY(text) RW_STRINGIFY_INNER(text)

#if defined(__GLIBCXX__)
#if defined(_GLIBCXX_DEBUG)
#define RW_ABI_LIBRARY "libstdc++ cxx11abi=" RW_STRINGIFY(_GLIBCXX_USE_CXX11_ABI) " debug"
#else
#define RW_ABI_LIBRARY "libstdc++ cxx11abi=" RW_STRINGIFY(_GLIBCXX_USE_CXX11_ABI)
#endif
#elif defined(_LIBCPP_VERSION)
#define RW_ABI_LIBRARY "libc++ abi=" RW_STRINGIFY(_LIBCPP_ABI_VERSION)
#else
#error "Ringwright knows the standard libraries libstdc++ and libc++"
#endif

#if defined(__has_feature)
#define RW_HAS_FEATURE(feature) __has_feature(feature)
#else
#define RW_HAS_FEATURE(feature) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || RW_HAS_FEATURE(address_sanitizer)
#define RW_ABI_SANITIZER "address"
#elif defined(__SANITIZE_THREAD__) || RW_HAS_FEATURE(thread_sanitizer)
#define RW_ABI_SANITIZER "thread"
#elif RW_HAS_FEATURE(memory_sanitizer)
#define RW_ABI_SANITIZER "memory"
#else
#define RW_ABI_SANITIZER "none"
#endif

#define RW_PLUGIN_ABI                                                                       \
  RW_ABI_LIBRARY                                                                            \
  ", pointers of " RW_STRINGIFY(__SIZEOF_POINTER__) " bytes, long double of " RW_STRINGIFY( \
      __SIZEOF_LONG_DOUBLE__) ", sanitizer " RW_ABI_SANITIZER
#if defined(__clang__)
#define RW_PLUGIN_COMPILER __VERSION__
#else
#define RW_PLUGIN_COMPILER "GCC " __VERSION__
#endif

// The part that is compared. Its layout and the place of `interface_version` never change, so that
// every loader can read every plugin's.
struct PluginHead {
  std::uint64_t magic = plugin_magic;
  std::uint32_t interface_version = plugin_interface_version;
  std::uint32_t manifest_bytes = 0;
  char abi[128] = RW_PLUGIN_ABI;
  char compiler[64] = RW_PLUGIN_COMPILER;  // told, never compared
};

// Texts are arrays, so that they too can be read from the file; one that is too long does not
// compile.
struct PluginManifest {
  PluginHead head = {.manifest_bytes = static_cast<std::uint32_t>(sizeof(PluginManifest))};
  char name[48] = "";
  char version[32] = "";  // the plugin's own
  char library[96] = "";  // the third party's that it links, with its version: "RocksDB 7.8.3"
  char licence[64] = "";  // SPDX expression of what loading the plugin brings into the process
  // Adds the parts, to be used only until it returns. An exception refuses the plugin.
  void (*add_parts)(Registry& registry) = nullptr;
  // Null, or one sentence for each thing about this build of plugin and library that a reader of
  // its figures must know ("assertions are compiled in"). Called once, after `add_parts`.
  std::vector<std::string> (*remarks)() = nullptr;
};

// The arguments are designated initialisers of PluginManifest. Once, at file scope, outside of
// namespaces.
#define RINGWRIGHT_PLUGIN(...)                                                                   \
  extern "C" {                                                                                   \
  __attribute__((                                                                                \
      visibility("default"),                                                                     \
      section(                                                                                   \
          ".ringwright"))) extern const ::ringwright::PluginManifest ringwright_plugin_manifest; \
  constinit const ::ringwright::PluginManifest ringwright_plugin_manifest = {__VA_ARGS__};       \
  }                                                                                              \
  static_assert(true)

constexpr const char* plugin_section = ".ringwright";
constexpr const char* plugin_symbol = "ringwright_plugin_manifest";

}  // namespace ringwright
