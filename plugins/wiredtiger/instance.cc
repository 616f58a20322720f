#include "plugins/wiredtiger/instance.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <system_error>
#include <utility>

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

}  // namespace

Instance::Instance(const std::string& directory, std::shared_ptr<DirectoryLock> lock,
                   std::shared_ptr<DamagedPlaces> damage)
    : lock_(std::move(lock)),
      damage_(std::move(damage)),
      events_(directory, [directory] { return sync_logs(directory); }) {}

Result<std::shared_ptr<Instance>> Instance::open(const WiredtigerOptions& options,
                                                 const std::string& directory,
                                                 std::shared_ptr<DirectoryLock> lock,
                                                 std::shared_ptr<DamagedPlaces> damage) {
  std::shared_ptr<Instance> instance(new Instance(directory, std::move(lock), std::move(damage)));
  RW_TRY(instance->connect(options, directory));
  return instance;
}

Status Instance::connect(const WiredtigerOptions& options, const std::string& directory) {
  RW_TRY(complete_logs(directory));
  take_last_error();
  int error =
      wiredtiger_open(directory.c_str(), &events_, options.connection.c_str(), &connection_);
  if (error != 0) {
    connection_ = nullptr;
    return to_open_status(error, directory, trouble());
  }
  WT_SESSION* session = nullptr;
  error = connection_->open_session(connection_, nullptr, nullptr, &session);
  if (error == 0) error = session->create(session, rows_table, options.table.c_str());
  if (error == 0) error = session->close(session, nullptr);
  if (error != 0) return to_open_status(error, directory, trouble());
  sessions_.emplace(connection_);
  // Opens the file of the rows, which is damaged or missing now rather than at the first call.
  const auto lease = sessions_->take(error);
  return lease ? ok_status() : to_open_status(error, directory, trouble());
}

Instance::~Instance() { close().ignore("nobody is left to tell"); }

Status Instance::close() {
  if (connection_ == nullptr) return ok_status();
  WT_CONNECTION* const connection = std::exchange(connection_, nullptr);
  const bool troubled = trouble() != Trouble::none;
  if (troubled && sessions_ && !sessions_->end_all()) {
    // Its directory cannot be opened in this process again.
    events_.fail();
    return {Code::io_error, "close: WiredTiger has given up and cannot be closed; see LOG"};
  }
  const int error = connection->close(connection, nullptr);
  if (troubled) {
    take_last_error();
    return ok_status();  // it was told when it happened
  }
  return ringwright::to_status(error, "close", trouble());
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
