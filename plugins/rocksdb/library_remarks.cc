#include "plugins/rocksdb/library_remarks.h"

#include <dlfcn.h>
#include <rocksdb/version.h>

#include "engine/plugin_api.h"

namespace ringwright {
namespace {

constexpr const char* compiled_version =
    RW_STRINGIFY(ROCKSDB_MAJOR) "." RW_STRINGIFY(ROCKSDB_MINOR) "." RW_STRINGIFY(ROCKSDB_PATCH);

// The class exists only where NDEBUG was not defined: with it come assertions and the test hooks of
// every write and read.
constexpr const char* debug_symbol = "_ZN7rocksdb9SyncPoint11GetInstanceEv";
// std::string IsFastCrc32Supported(): "Supported on x86", "Not supported on x86".
constexpr const char* fast_crc_symbol = "_ZN7rocksdb6crc32c20IsFastCrc32SupportedB5cxx11Ev";

}  // namespace

std::vector<std::string> remarks_on_rocksdb(const std::string& library_path,
                                            const std::string& loaded_version) {
  std::vector<std::string> remarks;
  const std::string library = "RocksDB " + loaded_version + " (" + library_path + ") ";
  if (loaded_version != compiled_version)
    remarks.push_back(library + "runs with a plugin that was compiled for " + compiled_version);
  // Never closed: it is loaded for as long as the plugin is.
  void* const handle = ::dlopen(library_path.c_str(), RTLD_NOW | RTLD_NOLOAD);
  using FastCrc = std::string (*)();
  const auto fast_crc =
      handle == nullptr ? nullptr : reinterpret_cast<FastCrc>(::dlsym(handle, fast_crc_symbol));
  if (fast_crc == nullptr) {
    remarks.push_back(library + "does not show how it was built: its speed may be of any kind");
    return remarks;
  }
  if (::dlsym(handle, debug_symbol) != nullptr)
    remarks.push_back(library +
                      "was built with assertions and test hooks (without NDEBUG): a release build "
                      "writes considerably faster");
  if (fast_crc().starts_with("Not"))
    remarks.push_back(library + "computes CRC-32C in software (built without SSE 4.2)");
  return remarks;
}

std::vector<std::string> rocksdb_library_remarks() {
  Dl_info found{};
  const auto inside = reinterpret_cast<const void*>(&rocksdb::GetRocksVersionAsString);
  const bool is_found = ::dladdr(inside, &found) != 0 && found.dli_fname != nullptr;
  return remarks_on_rocksdb(is_found ? found.dli_fname : "", rocksdb::GetRocksVersionAsString());
}

}  // namespace ringwright
