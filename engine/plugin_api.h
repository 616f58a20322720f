#pragma once

#include <cstdint>

#include "engine/registry.h"

namespace ringwright {

// A plugin is a shared library `ringwright_<name>.so` with one entry point,
//   extern "C" const ringwright::PluginManifest* ringwright_plugin();
// The manifest is plain data first: the loader compares magic, interface version and ABI tag, and
// refuses a mismatch in one sentence before it calls anything further. A plugin is never unloaded.
struct PluginManifest {
  std::uint64_t magic;              // plugin_magic
  std::uint32_t interface_version;  // plugin_interface_version
  const char* abi;                  // plugin_abi
  const char* name;
  const char* licence;  // SPDX expression of what the plugin links
  void (*add_parts)(Registry& registry);
};

constexpr std::uint64_t plugin_magic = 0x7468676972776e72;  // "rnwright", read as little-endian
constexpr std::uint32_t plugin_interface_version = 1;
#define RW_STRINGIFY_INNER(text) #text
#define RW_STRINGIFY(text) RW_STRINGIFY_INNER(text)
constexpr const char* plugin_abi =
    "gxx-" RW_STRINGIFY(__GXX_ABI_VERSION) "-cxx11abi-" RW_STRINGIFY(_GLIBCXX_USE_CXX11_ABI);

using PluginEntry = const PluginManifest* (*)();

}  // namespace ringwright
