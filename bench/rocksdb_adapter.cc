// What the storage-engine interface costs over RocksDB: the same operations through the engine
// "rocksdb" and straight on the library, on two databases with the same content, options and
// durability, in turns. CPU time of the calling thread; the library's background threads are not
// counted on either side.
//
//   rocksdb_adapter [--dir /tmp] [--pairs 11] [--seed 1] [--operations 40000] [--durability os]
//
// Both sides are given the same owned keys and values, made outside the measured time. The direct
// side does what careful code does with them: Get into a string for each key, Put of slices, one
// reused WriteBatch. The engine's side moves them into a write batch, as a replica would.

#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>

#include <filesystem>
#include <memory>
#include <utility>

#include "bench/bench_support.h"
#include "engine/base/disk.h"
#include "engine/base/random.h"
#include "engine/registry.h"
#include "engine/storage_engine.h"
#include "plugins/rocksdb/options.h"

namespace ringwright::bench {
namespace {

constexpr std::size_t batch_size = 16;

struct Settings {
  std::string directory;
  int pairs = 11;
  std::uint64_t seed = 1;
  std::size_t operations = 40000;
  Durability durability = Durability::os;
  std::size_t value_bytes = 100;
  std::size_t keys = 0;
};

EngineOptions engine_options() {
  return {{"block_cache_size", "1GiB"}, {"write_buffer_size", "64MiB"}};
}

// As long as a storage key: row kind, token, a user key of 16 bytes.
Bytes key_of(std::uint64_t index) {
  char text[32];
  std::snprintf(text, sizeof text, "%025llu", static_cast<unsigned long long>(index));
  return text;
}

// Half random, half one byte repeated, so that compression finds something to do.
Bytes value_of(Random& random, std::size_t size) {
  Bytes value(size, 'v');
  for (std::size_t i = 0; i < size / 2; ++i) value[i] = static_cast<char>(random.next());
  return value;
}

struct Rows {
  std::vector<Bytes> keys;
  std::vector<Bytes> values;
};

// The same for both sides of a pair: decided by seed, name and turn alone.
Rows draw_rows(const Settings& settings, std::string_view name, int turn, bool with_values) {
  SeededRandom random(settings.seed, std::string(name) + std::to_string(turn));
  Rows rows;
  for (std::size_t i = 0; i < settings.operations; ++i) {
    rows.keys.push_back(key_of(random.below(settings.keys)));
    if (with_values) rows.values.push_back(value_of(random, settings.value_bytes));
  }
  return rows;
}

// Both databases, open, with the same rows in the same files.
class Sides {
 public:
  explicit Sides(const Settings& settings)
      : settings_(settings), root_(fresh_directory(settings.directory)) {
    disk_ = make_posix_disk(root_);
    auto created = registry().create<StorageEngine>("rocksdb");
    require(created.has_value(), created.status().to_string());
    engine_ = *created;
    EngineContext context;
    context.path = "engine";
    context.options = engine_options();
    context.durability = settings.durability;
    context.disk = disk_;
    const Status opened = engine_->open(context);
    require(opened.is_ok(), opened.to_string());
    load();
    const Status copied = engine_->checkpoint("direct");
    require(copied.is_ok(), copied.to_string());
    open_direct();
  }

  ~Sides() {
    engine_->close().ignore("the directory is thrown away");
    direct_.reset();
    std::error_code ignored;
    std::filesystem::remove_all(root_, ignored);
  }

  StorageEngine& engine() { return *engine_; }
  rocksdb::DB& direct() { return *direct_; }
  const rocksdb::ReadOptions& read_options() const { return read_options_; }
  const rocksdb::WriteOptions& write_options() const { return write_options_; }

 private:
  void load() {
    SeededRandom random(settings_.seed, "load");
    for (std::size_t first = 0; first < settings_.keys; first += 1000) {
      WriteBatch batch;
      for (std::size_t i = first; i < std::min(settings_.keys, first + 1000); ++i)
        batch.put(key_of(i), value_of(random, settings_.value_bytes));
      const auto written = engine_->write(batch, MayBlock::yes);
      require(written.has_value(), written.status().to_string());
    }
    const Status flushed = engine_->flush();
    require(flushed.is_ok(), flushed.to_string());
  }

  void open_direct() {
    auto options = make_rocksdb_options(engine_options(), nullptr);
    require(options.has_value(), options.status().to_string());
    rocksdb::DB* opened = nullptr;
    const rocksdb::Status status = rocksdb::DB::Open(*options, root_ + "/direct", &opened);
    require(status.ok(), status.ToString());
    direct_.reset(opened);
    write_options_.disableWAL = settings_.durability == Durability::none;
  }

  const Settings& settings_;
  const std::string root_;
  std::shared_ptr<Disk> disk_;
  std::shared_ptr<StorageEngine> engine_;
  std::unique_ptr<rocksdb::DB> direct_;
  rocksdb::ReadOptions read_options_;
  rocksdb::WriteOptions write_options_;
};

Pairs measure_get(const Settings& settings, Sides& sides) {
  const auto count = static_cast<double>(settings.operations);
  std::size_t found = 0;
  const auto through_engine = [&](int turn) {
    const Rows rows = draw_rows(settings, "get", turn, false);
    const double start = thread_cpu_us();
    for (const Bytes& key : rows.keys) {
      const auto answers = sides.engine().multi_get(std::span(&key, 1), MayBlock::yes);
      found += answers.front() && answers.front()->has_value();
    }
    return (thread_cpu_us() - start) / count;
  };
  const auto straight = [&](int turn) {
    const Rows rows = draw_rows(settings, "get", turn, false);
    const double start = thread_cpu_us();
    for (const Bytes& key : rows.keys) {
      std::string value;
      found += sides.direct().Get(sides.read_options(), key, &value).ok();
    }
    return (thread_cpu_us() - start) / count;
  };
  Pairs pairs = alternate(settings.pairs, through_engine, straight);
  require(found == settings.operations * 2 * (static_cast<std::size_t>(settings.pairs) + 1),
          "a loaded key was not found");
  return pairs;
}

// The direct side asks for all keys at once too, with the library's MultiGet on slices.
Pairs measure_multi_get(const Settings& settings, Sides& sides) {
  const auto count = static_cast<double>(settings.operations);
  std::size_t found = 0;
  const auto through_engine = [&](int turn) {
    const Rows rows = draw_rows(settings, "multi", turn, false);
    const double start = thread_cpu_us();
    for (std::size_t i = 0; i + batch_size <= rows.keys.size(); i += batch_size)
      for (const auto& answer :
           sides.engine().multi_get(std::span(&rows.keys[i], batch_size), MayBlock::yes))
        found += answer && answer->has_value();
    return (thread_cpu_us() - start) / count;
  };
  const auto straight = [&](int turn) {
    const Rows rows = draw_rows(settings, "multi", turn, false);
    rocksdb::ColumnFamilyHandle* const family = sides.direct().DefaultColumnFamily();
    const double start = thread_cpu_us();
    for (std::size_t i = 0; i + batch_size <= rows.keys.size(); i += batch_size) {
      rocksdb::Slice keys[batch_size];
      rocksdb::PinnableSlice values[batch_size];
      rocksdb::Status statuses[batch_size];
      std::copy_n(&rows.keys[i], batch_size, keys);
      sides.direct().MultiGet(sides.read_options(), family, batch_size, keys, values, statuses);
      for (std::size_t k = 0; k < batch_size; ++k)
        found += statuses[k].ok() && values[k].ToString().size() == settings.value_bytes;
    }
    return (thread_cpu_us() - start) / count;
  };
  Pairs pairs = alternate(settings.pairs, through_engine, straight);
  require(found > 0, "no loaded key was found");
  return pairs;
}

Pairs measure_put(const Settings& settings, Sides& sides) {
  const auto count = static_cast<double>(settings.operations);
  const auto through_engine = [&](int turn) {
    Rows rows = draw_rows(settings, "put", turn, true);
    const double start = thread_cpu_us();
    for (std::size_t i = 0; i < rows.keys.size(); ++i) {
      WriteBatch batch;
      batch.put(std::move(rows.keys[i]), std::move(rows.values[i]));
      const auto written = sides.engine().write(batch, MayBlock::yes);
      require(written.has_value(), "write");
    }
    return (thread_cpu_us() - start) / count;
  };
  const auto straight = [&](int turn) {
    const Rows rows = draw_rows(settings, "put", turn, true);
    const double start = thread_cpu_us();
    for (std::size_t i = 0; i < rows.keys.size(); ++i) {
      const auto status = sides.direct().Put(sides.write_options(), rows.keys[i], rows.values[i]);
      require(status.ok(), "put");
    }
    return (thread_cpu_us() - start) / count;
  };
  return alternate(settings.pairs, through_engine, straight);
}

Pairs measure_batch(const Settings& settings, Sides& sides) {
  const auto count = static_cast<double>(settings.operations);
  const auto through_engine = [&](int turn) {
    Rows rows = draw_rows(settings, "batch", turn, true);
    WriteBatch batch;
    const double start = thread_cpu_us();
    for (std::size_t i = 0; i + batch_size <= rows.keys.size(); i += batch_size) {
      batch.clear();
      for (std::size_t k = i; k < i + batch_size; ++k)
        batch.put(std::move(rows.keys[k]), std::move(rows.values[k]));
      require(sides.engine().write(batch, MayBlock::yes).has_value(), "write");
    }
    return (thread_cpu_us() - start) / count;
  };
  const auto straight = [&](int turn) {
    const Rows rows = draw_rows(settings, "batch", turn, true);
    rocksdb::WriteBatch batch;
    const double start = thread_cpu_us();
    for (std::size_t i = 0; i + batch_size <= rows.keys.size(); i += batch_size) {
      batch.Clear();
      for (std::size_t k = i; k < i + batch_size; ++k) {
        const auto added = batch.Put(rows.keys[k], rows.values[k]);
        require(added.ok(), "batch");
      }
      require(sides.direct().Write(sides.write_options(), &batch).ok(), "write");
    }
    return (thread_cpu_us() - start) / count;
  };
  return alternate(settings.pairs, through_engine, straight);
}

// Reads come first, while both databases are still the same files.
void measure_size(Settings settings, std::size_t value_bytes, std::size_t keys) {
  settings.value_bytes = value_bytes;
  settings.keys = keys;
  Sides sides(settings);
  const std::string tail = ", " + std::to_string(value_bytes) + " B";
  print_pairs("get" + tail, measure_get(settings, sides));
  print_pairs("multi_get of 16" + tail, measure_multi_get(settings, sides));
  print_pairs("put" + tail, measure_put(settings, sides));
  print_pairs("batch of 16" + tail, measure_batch(settings, sides));
}

int run(int argc, char** argv) {
  Settings settings;
  settings.directory = argument(argc, argv, "dir", "/tmp");
  settings.pairs = static_cast<int>(number_argument(argc, argv, "pairs", 11));
  settings.seed = number_argument(argc, argv, "seed", 1);
  settings.operations = number_argument(argc, argv, "operations", 40000);
  const auto durability = parse_durability(argument(argc, argv, "durability", "os"));
  require(durability.has_value(), "--durability: none, os or disk");
  require(settings.pairs >= 1 && settings.operations >= batch_size, "too few pairs or operations");
  settings.durability = *durability;

  print_machine();
  std::printf("settings  rocksdb %s, seed %llu, %d pairs of %zu operations, durability %s%s\n",
              rocksdb::GetRocksVersionAsString().c_str(),
              static_cast<unsigned long long>(settings.seed), settings.pairs, settings.operations,
              std::string(durability_name(settings.durability)).c_str(),
              settings.durability == Durability::disk ? " (no sync measured)" : "");
  print_pairs_head("engine", "direct");
  measure_size(settings, 100, 200'000);
  measure_size(settings, 1024, 50'000);
  return 0;
}

}  // namespace
}  // namespace ringwright::bench

int main(int argc, char** argv) { return ringwright::bench::run(argc, argv); }
