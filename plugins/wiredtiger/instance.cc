#include "plugins/wiredtiger/instance.h"

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

bool sync_file(const std::string& path) {
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
  for (const auto& entry : std::filesystem::directory_iterator(directory, error))
    if (entry.path().filename().string().starts_with(log_file_prefix))
      synced = sync_file(entry.path()) && synced;
  return synced && !error;
}

// WiredTiger syncs the head of a new log before it gives the log its size. Where power is lost in
// between, its recovery reads behind the end and gives up; zeros there are what it looks for.
Status complete_logs(const std::string& directory) {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(directory, error)) {
    if (!entry.path().filename().string().starts_with(log_file_prefix)) continue;
    if (entry.file_size(error) != log_head_bytes || error) continue;
    std::filesystem::resize_file(entry.path(), completed_log_bytes, error);
    if (error) break;
  }
  if (!error) return ok_status();
  return {Code::io_error, "look through the logs of '" + directory + "': " + error.message()};
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
  // `needs`: what its threads still use.
  static void add(const std::string& directory, std::vector<std::shared_ptr<void>> needs) {
    const std::lock_guard lock(mutex_);
    ++counts_[directory];
    // Never destroyed: those threads run until the process is gone.
    static auto& kept = *new std::vector<std::shared_ptr<void>>;
    for (auto& each : needs) kept.push_back(std::move(each));
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

Instance::Instance(const std::string& directory, std::shared_ptr<DirectoryLock> lock,
                   std::shared_ptr<DamagedPlaces> damage, std::shared_ptr<Ballast> ballast,
                   std::shared_ptr<const std::atomic<bool>> ends)
    : lock_(std::move(lock)),
      damage_(std::move(damage)),
      directory_(directory),
      events_(std::make_shared<Events>(directory, [directory] { return sync_logs(directory); })),
      files_(
          std::make_shared<FileSystem>(directory, events_, std::move(ballast), std::move(ends))) {}

Result<std::shared_ptr<Instance>> Instance::open(const WiredtigerOptions& options,
                                                 const std::string& directory,
                                                 std::shared_ptr<DirectoryLock> lock,
                                                 std::shared_ptr<DamagedPlaces> damage,
                                                 std::shared_ptr<Ballast> ballast,
                                                 std::shared_ptr<const std::atomic<bool>> ends) {
  std::shared_ptr<Instance> instance(new Instance(directory, std::move(lock), std::move(damage),
                                                  std::move(ballast), std::move(ends)));
  RW_TRY(instance->connect(options));
  return instance;
}

Status Instance::connect(const WiredtigerOptions& options) {
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
  WT_SESSION* session = nullptr;
  error = connection_->open_session(connection_, nullptr, nullptr, &session);
  if (error == 0) error = session->create(session, rows_table, options.table.c_str());
  if (error == 0) error = session->close(session, nullptr);
  if (error != 0) return to_open_status(error, directory_, trouble());
  sessions_.emplace(connection_);
  // Opens the file of the rows, which is damaged or missing now rather than at the first call.
  const auto lease = sessions_->take(error);
  return lease ? ok_status() : to_open_status(error, directory_, trouble());
}

Instance::~Instance() { close().ignore("nobody is left to tell"); }

Status Instance::close() {
  if (connection_ == nullptr) return ok_status();
  WT_CONNECTION* const connection = std::exchange(connection_, nullptr);
  if (trouble() != Trouble::none) {
    if (!close_in_trouble(connection)) {
      events_->note("the connection could not be closed and is left behind, without its files");
      LeftBehind::add(directory_, {events_, files_});
    }
    return ok_status();  // the trouble was told when it happened
  }
  const int error = connection->close(connection, nullptr);
  return ringwright::to_status(error, "close", trouble());
}

// False when it has not ended in time. A panic in one thread may leave a log for others to go on
// with, and a close waits for that without end.
bool Instance::close_in_trouble(WT_CONNECTION* connection) {
  files_->sever();
  const bool ended = !sessions_ || sessions_->end_all();
  take_last_error();
  if (!ended) return false;
  std::promise<void> promise;
  const std::future<void> closed = promise.get_future();
  try {
    // All that the connection still calls lives as long as this.
    std::thread([connection, events = events_, files = files_,
                 done = std::move(promise)]() mutable {
      connection->close(connection, nullptr);
      done.set_value();
    }).detach();
  } catch (const std::system_error&) {
    return false;  // no thread to be had
  }
  constexpr std::chrono::nanoseconds wait(limits::wiredtiger_close_deadline);
  return closed.wait_for(wait) == std::future_status::ready;
}

Status Instance::to_status(int error, std::string_view what) const {
  return ringwright::to_status(error, what, trouble());
}

Result<SessionPool::Lease> Instance::take_session() {
  int error = 0;
  SessionPool::Lease lease = sessions_->take(error);
  if (lease) return lease;
  if (error != 0) return to_status(error, "open a session");
  return Status(Code::busy, "all sessions are in use: too many iterators and calls at once");
}

}  // namespace ringwright
