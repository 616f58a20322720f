#include <dlfcn.h>
#include <fcntl.h>
#include <unistd.h>
#include <wiredtiger.h>

#include <filesystem>

#include "bench/adapter/library.h"
#include "bench/bench_support.h"

namespace ringwright::bench {
namespace {

constexpr const char* rows_table = "table:rows";
constexpr const char* cache_bytes = "1GiB";
constexpr const char* native_cache_bytes = "1073741824";
constexpr const char* native_log_bytes = "67108864";  // what the engine sets

void require_ok(int error, const char* what) {
  if (error != 0) give_up(std::string("WiredTiger: ") + what + ", error " + std::to_string(error));
}

// Found at run time, as the plugin is: nothing but the plugin links this library.
template <typename Function>
Function find(const char* name) {
  static void* const library = ::dlopen(WIREDTIGER_LIBRARY, RTLD_NOW | RTLD_LOCAL);
  require(library != nullptr, WIREDTIGER_LIBRARY " cannot be loaded");
  const auto found = reinterpret_cast<Function>(::dlsym(library, name));
  require(found != nullptr, std::string(name) + " is missing");
  return found;
}

WT_ITEM to_item(const Bytes& bytes) {
  WT_ITEM item{};
  item.data = bytes.data();
  item.size = bytes.size();
  return item;
}
ByteView to_view(const WT_ITEM& item) { return {static_cast<const char*>(item.data), item.size}; }

class WiredtigerSession final : public Library::Session {
 public:
  explicit WiredtigerSession(WT_CONNECTION* connection) {
    require_ok(connection->open_session(connection, nullptr, "isolation=snapshot", &session_),
               "open_session");
    require_ok(session_->open_cursor(session_, rows_table, nullptr, nullptr, &rows_),
               "open_cursor");
  }
  ~WiredtigerSession() override { session_->close(session_, nullptr); }

  std::size_t get(const Bytes& key) override {
    const std::size_t bytes = find_value(key).size();
    rows_->reset(rows_);
    return bytes;
  }

  std::size_t multi_get(std::span<const Bytes> keys) override {
    require_ok(session_->begin_transaction(session_, nullptr), "begin_transaction");
    std::vector<Bytes> values;
    values.reserve(keys.size());
    for (const Bytes& key : keys) values.push_back(find_value(key));
    rows_->reset(rows_);
    require_ok(session_->rollback_transaction(session_, nullptr), "rollback_transaction");
    std::size_t bytes = 0;
    for (const Bytes& value : values) bytes += value.size();
    return bytes;
  }

  void put(const Bytes& key, const Bytes& value) override {
    require_ok(insert(key, value), "insert");
    rows_->reset(rows_);
  }

  void write(std::span<const Bytes> keys, std::span<const Bytes> values) override {
    for (int error = WT_ROLLBACK; error == WT_ROLLBACK;) {
      require_ok(session_->begin_transaction(session_, nullptr), "begin_transaction");
      error = 0;
      for (std::size_t i = 0; i < keys.size() && error == 0; ++i)
        error = insert(keys[i], values[i]);
      rows_->reset(rows_);
      if (error == 0)
        error = session_->commit_transaction(session_, nullptr);
      else
        session_->rollback_transaction(session_, nullptr);
      require(error == 0 || error == WT_ROLLBACK, "WiredTiger: write");
    }
  }

  void sync() override { require_ok(session_->log_flush(session_, "sync=on"), "log_flush"); }

  std::size_t scan(const Bytes& start, std::size_t limit) override {
    require_ok(session_->begin_transaction(session_, nullptr), "begin_transaction");
    const WT_ITEM item = to_item(start);
    rows_->set_key(rows_, &item);
    int side = 0;
    int error = rows_->search_near(rows_, &side);
    if (error == 0 && side < 0) error = rows_->next(rows_);
    std::size_t read = 0;
    for (std::size_t rows = 0; error == 0 && rows < limit; ++rows) {
      WT_ITEM key{};
      WT_ITEM value{};
      require_ok(rows_->get_key(rows_, &key), "get_key");
      require_ok(rows_->get_value(rows_, &value), "get_value");
      read += read_row(to_view(key), to_view(value));
      error = rows_->next(rows_);
    }
    require(error == 0 || error == WT_NOTFOUND, "WiredTiger: scan");
    rows_->reset(rows_);
    require_ok(session_->rollback_transaction(session_, nullptr), "rollback_transaction");
    return read;
  }

 private:
  // The caller gets a string of its own.
  Bytes find_value(const Bytes& key) {
    const WT_ITEM item = to_item(key);
    rows_->set_key(rows_, &item);
    require_ok(rows_->search(rows_), "search");
    WT_ITEM value{};
    require_ok(rows_->get_value(rows_, &value), "get_value");
    return Bytes(static_cast<const char*>(value.data), value.size);
  }

  // Threads that meet at one page must try again.
  int insert(const Bytes& key, const Bytes& value) {
    const WT_ITEM key_item = to_item(key);
    const WT_ITEM value_item = to_item(value);
    rows_->set_key(rows_, &key_item);
    rows_->set_value(rows_, &value_item);
    return rows_->insert(rows_);
  }

  WT_SESSION* session_ = nullptr;
  WT_CURSOR* rows_ = nullptr;
};

// As the engine does when it has opened: otherwise what the system keeps of the logs would make the
// library's writes cost twice as much as those below the engine, and hide what the engine adds.
void uncache_logs(const std::string& directory) {
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    if (!entry.path().filename().string().starts_with("WiredTigerLog.")) continue;
    const int file = ::open(entry.path().c_str(), O_RDONLY | O_CLOEXEC);
    require(file >= 0, "WiredTiger: a log cannot be opened");
    ::posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
    ::close(file);
  }
}

class WiredtigerLibrary final : public Library {
 public:
  WiredtigerLibrary(const std::string& directory, Durability durability) {
    using Open = int (*)(const char*, WT_EVENT_HANDLER*, const char*, WT_CONNECTION**);
    // Who wants to know how full the cache is must have its statistics, and they count every call:
    // in 3.2.1 all sessions in the same places, for which threads meet (docs/benchmarks.md).
    std::string config = std::string("statistics=(fast),cache_size=") + native_cache_bytes;
    if (durability != Durability::none)
      config += std::string(",log=(enabled=true,file_max=") + native_log_bytes +
                "),transaction_sync=(enabled=true,method=none)";
    require_ok(
        find<Open>("wiredtiger_open")(directory.c_str(), nullptr, config.c_str(), &connection_),
        "open");
    uncache_logs(directory);
  }
  ~WiredtigerLibrary() override { connection_->close(connection_, nullptr); }

  std::unique_ptr<Session> session() override {
    return std::make_unique<WiredtigerSession>(connection_);
  }

 private:
  WT_CONNECTION* connection_ = nullptr;
};

std::unique_ptr<Library> open_wiredtiger(const std::string& directory, const EngineOptions&,
                                         Durability durability) {
  return std::make_unique<WiredtigerLibrary>(directory, durability);
}

}  // namespace

Subject wiredtiger_subject() {
  using Version = const char* (*)(int*, int*, int*);
  return {"wiredtiger",
          {{"cache_size", cache_bytes}},
          find<Version>("wiredtiger_version")(nullptr, nullptr, nullptr),
          open_wiredtiger};
}

}  // namespace ringwright::bench
