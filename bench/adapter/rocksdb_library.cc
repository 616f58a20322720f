#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>

#include "bench/adapter/library.h"
#include "bench/bench_support.h"
#include "plugins/rocksdb/options.h"

namespace ringwright::bench {
namespace {

void require_ok(const rocksdb::Status& status) {
  if (!status.ok()) give_up(status.ToString());
}

class RocksdbSession final : public Library::Session {
 public:
  RocksdbSession(rocksdb::DB& db, const rocksdb::WriteOptions& write_options)
      : db_(db), write_options_(write_options) {}

  std::size_t get(const Bytes& key) override {
    std::string value;
    require_ok(db_.Get(read_options_, key, &value));
    return value.size();
  }

  std::size_t multi_get(std::span<const Bytes> keys) override {
    slices_.assign(keys.begin(), keys.end());
    std::vector<rocksdb::PinnableSlice> values(keys.size());
    std::vector<rocksdb::Status> statuses(keys.size());
    db_.MultiGet(read_options_, db_.DefaultColumnFamily(), keys.size(), slices_.data(),
                 values.data(), statuses.data());
    std::size_t bytes = 0;
    for (std::size_t i = 0; i < keys.size(); ++i) {
      require_ok(statuses[i]);
      bytes += values[i].ToString().size();
    }
    return bytes;
  }

  void put(const Bytes& key, const Bytes& value) override {
    require_ok(db_.Put(write_options_, key, value));
  }

  void write(std::span<const Bytes> keys, std::span<const Bytes> values) override {
    batch_.Clear();
    for (std::size_t i = 0; i < keys.size(); ++i) require_ok(batch_.Put(keys[i], values[i]));
    require_ok(db_.Write(write_options_, &batch_));
  }

  void sync() override { require_ok(db_.SyncWAL()); }

  std::size_t scan(const Bytes& start, std::size_t limit) override {
    rocksdb::ReadOptions options;
    options.fill_cache = false;
    options.ignore_range_deletions = true;  // as the engine, where none were dropped
    const std::unique_ptr<rocksdb::Iterator> cursor(db_.NewIterator(options));
    std::size_t read = 0;
    std::size_t rows = 0;
    for (cursor->Seek(start); cursor->Valid() && rows < limit; cursor->Next(), ++rows)
      read += read_row(cursor->key().ToStringView(), cursor->value().ToStringView());
    require_ok(cursor->status());
    return read;
  }

 private:
  rocksdb::DB& db_;
  const rocksdb::WriteOptions write_options_;
  const rocksdb::ReadOptions read_options_;
  rocksdb::WriteBatch batch_;
  std::vector<rocksdb::Slice> slices_;
};

class RocksdbLibrary final : public Library {
 public:
  RocksdbLibrary(const std::string& directory, const EngineOptions& wanted, Durability durability) {
    auto options = make_rocksdb_options(wanted, nullptr);
    require(options.has_value(), options.status().to_string());
    rocksdb::DB* opened = nullptr;
    require_ok(rocksdb::DB::Open(*options, directory, &opened));
    db_.reset(opened);
    write_options_.disableWAL = durability == Durability::none;
  }

  std::unique_ptr<Session> session() override {
    return std::make_unique<RocksdbSession>(*db_, write_options_);
  }

 private:
  std::unique_ptr<rocksdb::DB> db_;
  rocksdb::WriteOptions write_options_;
};

std::unique_ptr<Library> open_rocksdb(const std::string& directory, const EngineOptions& options,
                                      Durability durability) {
  return std::make_unique<RocksdbLibrary>(directory, options, durability);
}

}  // namespace

Subject rocksdb_subject() {
  return {"rocksdb",
          {{"block_cache_size", "1GiB"}, {"write_buffer_size", "64MiB"}},
          "RocksDB " + rocksdb::GetRocksVersionAsString(),
          open_rocksdb};
}

}  // namespace ringwright::bench
