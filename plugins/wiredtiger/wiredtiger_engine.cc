#include "plugins/wiredtiger/wiredtiger_engine.h"

#include <utility>

#include "engine/base/guarded.h"
#include "engine/base/limits.h"

namespace ringwright {

WiredtigerEngine::WiredtigerEngine(Nanoseconds patience) {
  store_->patience = patience;
  replace_instance(0, Trouble::none);
}

WiredtigerEngine::~WiredtigerEngine() { close().ignore("nobody is left to tell"); }

// What is replaced was left behind and is never freed, so calls that have found it may go on.
void WiredtigerEngine::replace_instance(std::uint64_t start, Trouble expected) {
  instance_ = std::make_shared<Instance>(store_, start, expected);
  current_.store(instance_.get(), std::memory_order_release);
}

// --- calls ---

Capabilities WiredtigerEngine::capabilities() const {
  return {.merge = false, .non_blocking = false, .durability = Durability::disk};
}

std::vector<Result<std::optional<Bytes>>> WiredtigerEngine::multi_get(std::span<const Bytes> keys,
                                                                      MayBlock may_block) {
  return current().multi_get(keys, may_block);
}

Result<std::uint64_t> WiredtigerEngine::write(const WriteBatch& batch, MayBlock may_block) {
  return current().write(batch, may_block);
}

Status WiredtigerEngine::sync(std::uint64_t sequence, MayBlock may_block) {
  return current().sync(sequence, may_block);
}

std::unique_ptr<Iterator> WiredtigerEngine::iterate(const KeyRange& range, Direction direction) {
  return current().iterate(range, direction);
}

Status WiredtigerEngine::drop_range(const KeyRange& range) { return current().drop_range(range); }
Status WiredtigerEngine::flush() { return current().flush(); }
Status WiredtigerEngine::checkpoint(const std::string& path) { return current().checkpoint(path); }

std::uint64_t WiredtigerEngine::approximate_bytes(const KeyRange& range) {
  return current().approximate_bytes(range);
}

double WiredtigerEngine::pressure() { return current().pressure(); }
EngineStats WiredtigerEngine::stats() { return current().stats(); }

// --- open ---

Status WiredtigerEngine::open(const EngineContext& context) {
  const std::lock_guard lock(lifecycle_mutex_);
  return guarded("open", [&] { return open_locked(context); });
}

Status WiredtigerEngine::open_locked(const EngineContext& context) {
  if (finished_) return {Code::closed, "engine is not open"};
  if (lock_) return {Code::invalid, "engine wiredtiger is already open"};
  if (!context.disk || context.disk->real_path(context.path).empty())
    return {Code::invalid, "engine wiredtiger keeps files of its own and needs a real disk"};
  auto options = make_wiredtiger_options(context.options, context.durability);
  if (!options) return options.error();
  Directory directory(context.disk, context.path);
  auto lock = directory.claim();
  if (!lock) return lock.error();

  lock_ = std::move(*lock);
  store_->directory = std::move(directory);
  store_->durability = context.durability;
  store_->options = std::move(*options);
  store_->ballast =
      std::make_shared<Ballast>(store_->directory.ballast(), limits::wiredtiger_ballast_bytes);
  store_->ballast->fill();  // without, no write is taken until there is room
  const std::string& path = store_->directory.real_path();
  store_->space.emplace(
      SpaceReserve::Settings{.directory = path,
                             .look_bytes = limits::free_space_look_bytes,
                             .look_after = limits::free_space_look_after},
      [path] { return disk_space(path).free_bytes; }, make_coarse_clock());
  const Status opened = open_connection(context);
  if (!opened.is_ok()) {
    instance_->disconnect().ignore("why the opening failed is told");
    lock_.reset();
    return opened;
  }
  instance_->admit_calls();
  reviver_.start([this] {
    guarded("reviver", [this] {
      revive();
      return ok_status();
    }).ignore("the next tick tries again");
  });
  return ok_status();
}

Status WiredtigerEngine::open_connection(const EngineContext& context) {
  if (context.durability == Durability::none) RW_TRY(recover_for_none(context));
  RW_TRY(instance_->connect(lock_));
  const auto start = store_->directory.next_start();
  if (!start) return start.error();
  instance_->count_from(*start);
  return ok_status();
}

// Without a log WiredTiger does not look into one that a stronger class has left.
Status WiredtigerEngine::recover_for_none(const EngineContext& context) {
  const auto has_log = store_->directory.has_log();
  if (!has_log) return has_log.error();
  if (!*has_log) return ok_status();
  const auto with_log = make_wiredtiger_options(context.options, Durability::os);
  if (!with_log) return with_log.error();
  const auto recovered = Connection::open(*with_log, *store_, lock_);
  if (!recovered) return recovered.error();
  return (*recovered)->close();
}

// --- after a panic ---

// Opens the connection again after a panic that is no reason to mistrust the disk. Every write that
// was acknowledged is in the log, in the system's hands at least.
void WiredtigerEngine::revive() {
  const std::lock_guard lock(lifecycle_mutex_);
  if (finished_ || instance_->has_failed()) return;
  if (instance_->is_connected() && (!may_revive() || !let_go())) return;
  Status opened = store_->directory.forget_copying();
  if (opened.is_ok()) opened = instance_->connect(lock_);
  if (opened.is_ok()) {
    store_->space->expect_look();
    return instance_->admit_calls();
  }
  if (opened.code() != Code::no_space) instance_->fail(opened);
}

bool WiredtigerEngine::may_revive() {
  // A copy may take long, and is no call that never returns.
  if (instance_->curable_trouble() == Trouble::none || instance_->copies_files()) return false;
  const std::uint64_t free = disk_space(store_->directory.real_path()).free_bytes;
  if (free < limits::wiredtiger_free_bytes_min + store_->ballast->missing_bytes()) return false;
  return store_->ballast->fill();
}

// False when there is no instance to open again, at least not now.
bool WiredtigerEngine::let_go() {
  const Trouble trouble = instance_->curable_trouble();
  if (instance_->shut()) {
    // An iterator keeps the connection: its owner must see the error and let go first.
    if (instance_->has_iterators()) {
      instance_->admit_calls();
      return false;
    }
    const Status closed = instance_->disconnect();
    if (!closed.is_ok()) instance_->fail(closed);
    return closed.is_ok();
  }
  const std::uint64_t last = instance_->leave();
  if (!instance_->is_severed()) {
    instance_->fail(
        {Code::io_error, "WiredTiger has given up, and a call for a file never returned"});
    return false;
  }
  replace_instance(last, trouble);
  return true;
}

// --- close ---

Status WiredtigerEngine::close() {
  const std::lock_guard closing(close_mutex_);
  store_->ends->store(true);
  {
    const std::lock_guard lock(lifecycle_mutex_);
    finished_ = true;
  }
  reviver_.stop();
  const std::lock_guard lock(lifecycle_mutex_);
  if (std::exchange(ended_, true)) return ok_status();
  return guarded("close", [&] { return end(); });
}

Status WiredtigerEngine::end() {
  instance_->retire();
  Status closed;
  if (instance_->shut()) {
    const bool stays_open = instance_->has_iterators();
    closed = instance_->disconnect();
    if (stays_open) {
      lock_.reset();
      return closed;
    }
  } else {
    instance_->leave();
    if (!instance_->is_severed())
      closed = {Code::io_error,
                "close: WiredTiger has given up, and a call for a file never returned"};
  }
  if (closed.is_ok() && lock_) unlock_left_behind(store_->directory.real_path());
  lock_.reset();
  return closed;
}

}  // namespace ringwright
