#include "plugins/wiredtiger/connection.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <future>
#include <map>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "engine/base/limits.h"
#include "plugins/wiredtiger/convert.h"

namespace ringwright {
namespace {

constexpr std::string_view log_file_prefix = "WiredTigerLog.";
constexpr std::uintmax_t log_head_bytes = 128;
constexpr std::uintmax_t completed_log_bytes = 4096;

std::vector<std::filesystem::path> log_files(const std::string& directory, std::error_code& error) {
  std::vector<std::filesystem::path> found;
  const std::filesystem::directory_iterator end;
  for (std::filesystem::directory_iterator at(directory, error); !error && at != end;
       at.increment(error))
    if (at->path().filename().string().starts_with(log_file_prefix)) found.push_back(at->path());
  return found;
}

bool sync_file(const std::filesystem::path& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  // Removed meanwhile: an earlier checkpoint has all of it.
  if (file < 0) return errno == ENOENT;
  const bool synced = ::fdatasync(file) == 0;
  ::close(file);
  return synced;
}

// A checkpoint may hold rows whose log records are not on disk yet. If power is lost right after it
// counts, recovery would lay an older part of the log over newer rows, and what is found would be
// no prefix of the writes. So the log goes to disk first.
bool sync_logs(const std::string& directory) {
  std::error_code error;
  bool synced = true;
  for (const auto& log : log_files(directory, error)) synced = sync_file(log) && synced;
  return synced && !error;
}

// WiredTiger syncs the head of a new log before it gives the log its size. Where power is lost in
// between, its recovery reads behind the end and gives up; zeros there are what it looks for.
Status complete_logs(const std::string& directory) {
  std::error_code error;
  for (const auto& log : log_files(directory, error)) {
    if (std::filesystem::file_size(log, error) != log_head_bytes || error) continue;
    std::filesystem::resize_file(log, completed_log_bytes, error);
    if (error) break;
  }
  if (!error) return ok_status();
  return {Code::io_error, "look through the logs of '" + directory + "': " + error.message()};
}

// WiredTiger reads its logs to their ends when it opens, also the one that it is about to write,
// and the system keeps what was read ahead in folios of megabytes. A record that is written into
// one of those walks over all its blocks, which takes longer than all the rest of a small write.
// Folios that come with the writes are small.
void uncache_logs(const std::string& directory) {
  std::error_code ignored;
  for (const auto& log : log_files(directory, ignored)) {
    const int file = ::open(log.c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0) continue;
    ::posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
    ::close(file);
  }
}

// What opening finds wrong is damage, unless it is the options, which were checked as far as they
// can be without a database: the rest is a library that is not there.
Status to_open_status(int error, const std::string& directory, Trouble trouble) {
  const std::string what = "open '" + directory + "'";
  if (error == EBUSY)
    return {Code::locked, "directory '" + directory + "' is open in another wiredtiger instance: " +
                              "stop that one or choose another directory"};
  Status status = to_status(error, what, trouble);
  const std::string& said = status.message();
  const auto says = [&](std::string_view part) { return said.find(part) != said.npos; };
  if (says("compressor") || says("extension") || says("dlopen") || says("too large for"))
    return {Code::invalid, said};
  if (error == ENOENT || error == WT_ERROR || error == EINVAL || error == WT_NOTFOUND)
    return {Code::corrupt, said};
  return status;
}

// Connections that could not be closed. WiredTiger knows its open directories by their spelling.
class LeftBehind {
 public:
  // `needs`: what threads in it still use.
  static void add(const std::string& directory, std::vector<std::shared_ptr<void>> needs) {
    const std::lock_guard lock(mutex_);
    ++counts_[directory];
    // Never destroyed: those threads may run until the process is gone.
    static auto& kept = *new std::vector<std::shared_ptr<void>>;
    for (auto& each : needs) kept.push_back(std::move(each));
  }
  static bool has(const std::string& directory) {
    const std::lock_guard lock(mutex_);
    return counts_.contains(directory);
  }
  // The directory, spelled as no connection before.
  static std::string home_of(const std::string& directory) {
    const std::lock_guard lock(mutex_);
    const auto found = counts_.find(directory);
    return directory + std::string(found == counts_.end() ? 0 : found->second, '/');
  }

 private:
  static inline std::mutex mutex_;
  static inline std::map<std::string, std::size_t> counts_;
};

}  // namespace

Connection::Connection(const Store& store, std::shared_ptr<DirectoryLock> lock)
    : lock_(std::move(lock)),
      damage_(store.damage),
      directory_(store.directory.real_path()),
      patience_(store.patience),
      events_(std::make_shared<Events>(directory_,
                                       [directory = directory_] { return sync_logs(directory); })),
      files_(std::make_shared<FileSystem>(directory_, events_, store.ballast, store.ends)) {}

Result<std::shared_ptr<Connection>> Connection::open(const WiredtigerOptions& options,
                                                     const Store& store,
                                                     std::shared_ptr<DirectoryLock> lock) {
  std::shared_ptr<Connection> connection(new Connection(store, std::move(lock)));
  RW_TRY(connection->connect(options));
  return connection;
}

Status Connection::connect(const WiredtigerOptions& options) {
  RW_TRY(complete_logs(directory_));
  take_last_error();
  const FileSystem::Offer offer(*files_);
  const std::string home = LeftBehind::home_of(directory_);
  int error =
      wiredtiger_open(home.c_str(), events_.get(), options.connection.c_str(), &connection_);
  if (error != 0) {
    connection_ = nullptr;
    return to_open_status(error, directory_, trouble());
  }
  uncache_logs(directory_);
  WT_SESSION* session = nullptr;
  error = connection_->open_session(connection_, nullptr, nullptr, &session);
  if (error == 0) error = session->create(session, rows_table, options.table.c_str());
  if (error == 0) error = session->close(session, nullptr);
  if (error != 0) return to_open_status(error, directory_, trouble());
  sessions_.emplace(connection_);
  // Opens the file of the rows, which is damaged or missing now rather than at the first call.
  const SessionPool::Lease lease(*sessions_, sessions_->take(error));
  return lease ? ok_status() : to_open_status(error, directory_, trouble());
}

Connection::~Connection() { close().ignore("nobody is left to tell"); }

// A panic in one thread may leave a log for others to go on with, and a close waits for that
// without end. It may also be the close that meets the trouble.
Status Connection::close() {
  if (connection_ == nullptr) return ok_status();
  WT_CONNECTION* const connection = std::exchange(connection_, nullptr);
  if (trouble() != Trouble::none) {
    const bool ended = sever() && (!sessions_ || sessions_->end_all());
    take_last_error();
    if (!ended) return leave_closed();
  }
  std::promise<Status> promise;
  std::future<Status> closed = promise.get_future();
  std::thread closer;
  try {
    // All that the connection still calls lives as long as this.
    closer = std::thread(
        [connection, events = events_, files = files_, done = std::move(promise)]() mutable {
          const int error = connection->close(connection, nullptr);
          done.set_value(ringwright::to_status(error, "close", events->trouble()));
        });
  } catch (const std::system_error&) {
    sever();
    return leave_closed();  // no thread to be had
  }
  const std::chrono::nanoseconds wait(patience_);
  while (closed.wait_for(wait) != std::future_status::ready) {
    if (trouble() == Trouble::none) continue;
    if (!severed_ && sever()) continue;
    closer.detach();
    return leave_closed();
  }
  closer.join();
  // Trouble was told when it happened.
  return severed_ ? ok_status() : closed.get();
}

// Nobody is inside but what closes it.
Status Connection::leave_closed() {
  if (!severed_) {
    LeftBehind::add(directory_, {events_, files_, lock_});
    return {Code::io_error, "close: a call for a file of '" + directory_ + "' does not return"};
  }
  events_->note("the connection could not be closed and is left behind, without its files");
  events_->silence();
  LeftBehind::add(directory_, {events_, files_});
  return ok_status();
}

bool Connection::sever() {
  if (!severed_) severed_ = files_->sever_within(patience_);
  return severed_;
}

void Connection::leave(std::shared_ptr<void> caller) {
  events_->note("a call does not return: the connection is left behind, without its files");
  events_->silence();
  LeftBehind::add(directory_, {shared_from_this(), std::move(caller)});
  if (severed_) lock_.reset();
}

Status Connection::while_whole(const std::function<Status()>& call) {
  Status status(Code::busy, "being opened again");
  if (trouble() == Trouble::none) files_->unless_severed([&] { status = call(); });
  return status;
}

Status Connection::to_status(int error, std::string_view what) const {
  return ringwright::to_status(error, what, trouble());
}

Status Connection::no_session(int error) const {
  if (error != 0) return to_status(error, "open a session");
  return {Code::busy, "all sessions are in use: too many iterators and calls at once"};
}

// A process loses all its locks on a file when it closes the file once.
void unlock_left_behind(const std::string& directory) {
  if (!LeftBehind::has(directory)) return;
  const int file = ::open((directory + "/WiredTiger.lock").c_str(), O_RDONLY | O_CLOEXEC);
  if (file >= 0) ::close(file);
}

}  // namespace ringwright
