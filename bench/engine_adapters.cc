// What the storage-engine interface costs over the library below: the same operations through the
// engine and straight on the library, on two databases with the same content, options and
// durability, in turns. CPU time of the calling threads; what a library runs in the background is
// not counted on either side.
//
//   engine_adapters [--engine rocksdb] [--dir /tmp] [--pairs 11] [--seed 1] [--operations 40000]
//                   [--threads 2] [--only "batch of 16"]
//
// Both sides are given the same owned keys and values, made outside the measured time. The direct
// side does what careful code does with them (bench/adapter/). The engine's side moves them into a
// write batch, as a replica would. What was written is freed within that time on both.

#include <condition_variable>
#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "bench/adapter/library.h"
#include "bench/bench_support.h"
#include "bench/print_remarks.h"
#include "engine/base/disk.h"
#include "engine/base/random.h"
#include "engine/registry.h"
#include "engine/storage_engine.h"

namespace ringwright::bench {
namespace {

constexpr std::size_t batch_size = 16;
constexpr std::size_t scan_rows = 50;

struct Settings {
  std::string directory;
  int pairs = 11;
  std::uint64_t seed = 1;
  std::size_t operations = 40000;  // of both threads together, where there are two
  std::size_t threads_max = 2;
  std::string only;  // operations whose title begins so
};

struct Size {
  std::size_t value_bytes;
  std::size_t keys;
};

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

// Both databases, open, with the same rows in the same files.
class Sides {
 public:
  Sides(const Settings& settings, const Subject& subject, Size size, Durability durability)
      : seed_(settings.seed), size_(size), root_(fresh_directory(settings.directory)) {
    open_engine(subject, durability);
    load();
    require_ok(engine_->checkpoint("direct"));
    // Rows that were just written may lie in memory in another form than rows that were read.
    require_ok(engine_->close());
    open_engine(subject, durability);
    library_ = subject.open(root_ + "/direct", subject.options, durability);
    for (std::size_t i = 0; i < settings.threads_max; ++i) sessions_.push_back(library_->session());
  }

  ~Sides() {
    engine_->close().ignore("the directory is thrown away");
    sessions_.clear();
    library_.reset();
    std::error_code ignored;
    std::filesystem::remove_all(root_, ignored);
  }

  StorageEngine& engine() { return *engine_; }
  // Of the n-th thread that works on this side at once.
  Library::Session& session(std::size_t thread) { return *sessions_.at(thread); }

  // The same for both sides of a pair: decided by seed, name, turn and thread alone.
  Rows draw_rows(const std::string& name, int turn, std::size_t thread, std::size_t count) const {
    SeededRandom random(seed_, name + std::to_string(turn) + "." + std::to_string(thread));
    Rows rows;
    for (std::size_t i = 0; i < count; ++i) {
      rows.keys.push_back(key_of(random.below(size_.keys)));
      rows.values.push_back(value_of(random, size_.value_bytes));
    }
    return rows;
  }

  static void require_ok(const Status& status) {
    if (!status.is_ok()) give_up(status.to_string());
  }

 private:
  void open_engine(const Subject& subject, Durability durability) {
    auto created = registry().create_unique<StorageEngine>(subject.engine);
    require(created.has_value(), created.status().to_string());
    engine_ = std::move(*created);
    EngineContext context;
    context.path = "engine";
    context.options = subject.options;
    context.durability = durability;
    context.disk = make_posix_disk(root_);
    require_ok(engine_->open(context));
  }

  void load() {
    SeededRandom random(seed_, "load");
    for (std::size_t first = 0; first < size_.keys; first += 1000) {
      WriteBatch batch;
      for (std::size_t i = first; i < std::min(size_.keys, first + 1000); ++i)
        batch.put(key_of(i), value_of(random, size_.value_bytes));
      const auto written = engine_->write(batch, MayBlock::yes);
      require(written.has_value(), written.status().to_string());
    }
    require_ok(engine_->flush());
  }

  const std::uint64_t seed_;
  const Size size_;
  const std::string root_;
  std::unique_ptr<StorageEngine> engine_;
  std::unique_ptr<Library> library_;
  std::vector<std::unique_ptr<Library::Session>> sessions_;
};

// One kind of operation, both ways. Each is given rows and works on `per_call` of them at a time.
struct Operation {
  std::string name;
  std::size_t per_call;      // rows
  std::size_t rows_counted;  // the cost is printed per so many rows: 1, or a whole call
  std::function<void(StorageEngine&, std::span<Bytes> keys, std::span<Bytes> values)> engine;
  std::function<void(Library::Session&, std::span<Bytes> keys, std::span<Bytes> values)> direct;
};

std::uint64_t write_rows(StorageEngine& engine, std::span<Bytes> keys, std::span<Bytes> values) {
  WriteBatch batch;
  batch.reserve(keys.size());
  for (std::size_t i = 0; i < keys.size(); ++i) batch.put(std::move(keys[i]), std::move(values[i]));
  const auto written = engine.write(batch, MayBlock::yes);
  if (!written) give_up(written.error().to_string());
  return *written;
}

void free_all(std::span<Bytes> written) {
  for (Bytes& each : written) Bytes().swap(each);
}

void write_rows(Library::Session& session, std::span<Bytes> keys, std::span<Bytes> values) {
  session.write(keys, values);
  free_all(keys);
  free_all(values);
}

void read_rows(StorageEngine& engine, std::span<const Bytes> keys) {
  for (const auto& answer : engine.multi_get(keys, MayBlock::yes))
    require(answer && answer->has_value(), "a loaded key was not found");
}

void scan_some(StorageEngine& engine, const Bytes& start) {
  const auto cursor = engine.iterate({start, {}}, Direction::forward);
  std::size_t read = 0;
  std::size_t rows = 0;
  for (; cursor->valid() && rows < scan_rows; cursor->next(), ++rows)
    read += read_row(cursor->key(), cursor->value());
  Sides::require_ok(cursor->status());
  require(read > 0, "nothing to scan");
}

// Reads come first, while both databases are still the same files.
std::vector<Operation> operations() {
  using Session = Library::Session;
  using Some = std::span<Bytes>;
  return {
      {"get", 1, 1, [](StorageEngine& engine, Some keys, Some) { read_rows(engine, keys); },
       [](Session& session, Some keys, Some) { require(session.get(keys[0]) > 0, "absent"); }},
      {"multi_get of 16", batch_size, 1,
       [](StorageEngine& engine, Some keys, Some) { read_rows(engine, keys); },
       [](Session& session, Some keys, Some) { require(session.multi_get(keys) > 0, "absent"); }},
      {"scan of 50", scan_rows, scan_rows,
       [](StorageEngine& engine, Some keys, Some) { scan_some(engine, keys[0]); },
       [](Session& session, Some keys, Some) {
         require(session.scan(keys[0], scan_rows) > 0, "nothing to scan");
       }},
      {"put", 1, 1,
       [](StorageEngine& engine, Some keys, Some values) { write_rows(engine, keys, values); },
       [](Session& session, Some keys, Some values) {
         session.put(keys[0], values[0]);
         free_all(keys);
         free_all(values);
       }},
      {"batch of 16", batch_size, 1,
       [](StorageEngine& engine, Some keys, Some values) { write_rows(engine, keys, values); },
       [](Session& session, Some keys, Some values) { write_rows(session, keys, values); }},
  };
}

Operation synced_batch() {
  return {"batch of 16, synced", batch_size, 1,
          [](StorageEngine& engine, std::span<Bytes> keys, std::span<Bytes> values) {
            Sides::require_ok(engine.sync(write_rows(engine, keys, values), MayBlock::yes));
          },
          [](Library::Session& session, std::span<Bytes> keys, std::span<Bytes> values) {
            write_rows(session, keys, values);
            session.sync();
          }};
}

// A thread that stays from turn to turn, as those of a node do: engines keep something for each
// thread that they have met.
class Helper {
 public:
  Helper() : thread_([this] { run(); }) {}
  ~Helper() {
    start({});
    thread_.join();
  }
  Helper(const Helper&) = delete;
  Helper& operator=(const Helper&) = delete;

  // An empty task ends the thread.
  void start(std::function<void()> task) {
    const std::lock_guard lock(mutex_);
    task_ = std::move(task);
    is_given_ = true;
    changed_.notify_all();
  }
  void wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return !is_given_; });
  }

 private:
  void run() {
    for (;;) {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return is_given_; });
      if (!task_) return;
      lock.unlock();
      task_();
      lock.lock();
      is_given_ = false;
      changed_.notify_all();
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::function<void()> task_;
  bool is_given_ = false;
  std::thread thread_;  // started when all else is there
};

// CPU microseconds of `work`, which is done on as many threads at once; per counted row.
double cost(const Sides& sides, const Operation& operation, int turn, std::size_t threads,
            std::size_t total,
            const std::function<void(std::size_t, std::span<Bytes>, std::span<Bytes>)>& work) {
  const std::size_t count = total / threads / operation.per_call * operation.per_call;
  std::vector<double> used(threads);
  const auto run = [&](std::size_t thread) {
    Rows rows = sides.draw_rows(operation.name, turn, thread, count);
    const double start = thread_cpu_us();
    for (std::size_t i = 0; i < count; i += operation.per_call)
      work(thread, std::span(rows.keys).subspan(i, operation.per_call),
           std::span(rows.values).subspan(i, operation.per_call));
    used[thread] = thread_cpu_us() - start;
  };
  static std::deque<Helper> helpers;
  while (helpers.size() + 1 < threads) helpers.emplace_back();
  for (std::size_t i = 0; i + 1 < threads; ++i) helpers[i].start([&run, i] { run(i + 1); });
  run(0);
  for (std::size_t i = 0; i + 1 < threads; ++i) helpers[i].wait();
  double sum = 0;
  for (const double each : used) sum += each;
  return sum / static_cast<double>(count * threads / operation.rows_counted);
}

void measure(const Settings& settings, Sides& sides, const Operation& operation,
             std::size_t threads, std::size_t total, const std::string& title) {
  const auto through_engine = [&](int turn) {
    return cost(sides, operation, turn, threads, total,
                [&](std::size_t, std::span<Bytes> keys, std::span<Bytes> values) {
                  operation.engine(sides.engine(), keys, values);
                });
  };
  const auto straight = [&](int turn) {
    return cost(sides, operation, turn, threads, total,
                [&](std::size_t thread, std::span<Bytes> keys, std::span<Bytes> values) {
                  operation.direct(sides.session(thread), keys, values);
                });
  };
  print_pairs(title, alternate(settings.pairs, through_engine, straight));
}

std::vector<Subject> subjects() {
  std::vector<Subject> built;
#ifdef RINGWRIGHT_BENCH_ROCKSDB
  built.push_back(rocksdb_subject());
#endif
#ifdef RINGWRIGHT_BENCH_WIREDTIGER
  built.push_back(wiredtiger_subject());
#endif
  return built;
}

void measure_at(const Settings& settings, const Subject& subject, Size size, Durability durability,
                const std::vector<Operation>& operations, std::size_t total) {
  std::optional<Sides> sides;
  for (const Operation& operation : operations)
    for (std::size_t threads = 1; threads <= settings.threads_max; ++threads) {
      const std::string title = operation.name + ", " + std::to_string(size.value_bytes) + " B" +
                                (threads == 1 ? "" : ", x" + std::to_string(threads));
      if (!title.starts_with(settings.only)) continue;
      if (!sides) sides.emplace(settings, subject, size, durability);
      measure(settings, *sides, operation, threads, total, title);
    }
}

void measure_subject(const Settings& settings, const Subject& subject) {
  std::printf("\n%s: %s\n", subject.engine.c_str(), subject.version.c_str());
  print_remarks(subject.engine);
  print_pairs_head("engine", "direct");
  for (const Size size : {Size{100, 200'000}, Size{1024, 50'000}}) {
    measure_at(settings, subject, size, Durability::os, operations(), settings.operations);
    // A sync takes as long as a hundred puts.
    measure_at(settings, subject, size, Durability::disk, {synced_batch()},
               settings.operations / 10);
  }
}

int run(int argc, char** argv) {
  Settings settings;
  settings.directory = argument(argc, argv, "dir", "/tmp");
  settings.pairs = static_cast<int>(number_argument(argc, argv, "pairs", 11));
  settings.seed = number_argument(argc, argv, "seed", 1);
  settings.operations = number_argument(argc, argv, "operations", 40000);
  settings.threads_max = number_argument(argc, argv, "threads", 2);
  settings.only = argument(argc, argv, "only", "");
  require(settings.pairs >= 1 && settings.operations >= 40 * scan_rows,
          "too few pairs or operations");

  print_machine();
  std::printf("settings  seed %llu, %d pairs of %zu operations, class os; synced: class disk\n",
              static_cast<unsigned long long>(settings.seed), settings.pairs, settings.operations);
  const std::string wanted = argument(argc, argv, "engine", "");
  bool any = false;
  for (const Subject& subject : subjects()) {
    if (!wanted.empty() && wanted != subject.engine) continue;
    any = true;
    measure_subject(settings, subject);
  }
  require(any, "no adapter of that name was built");
  return 0;
}

}  // namespace
}  // namespace ringwright::bench

int main(int argc, char** argv) { return ringwright::bench::run(argc, argv); }
