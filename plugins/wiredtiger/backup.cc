#include "plugins/wiredtiger/backup.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>
#include <vector>

#include "plugins/wiredtiger/convert.h"

namespace ringwright {
namespace {

Status io_failure(const std::string& what, const std::error_code& error) {
  const bool full = error.value() == ENOSPC || error.value() == EDQUOT;
  return {full ? Code::no_space : Code::io_error, what + ": " + error.message()};
}

Status sync_path(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const bool synced = file >= 0 && ::fsync(file) == 0;
  const std::error_code error(errno, std::generic_category());
  if (file >= 0) ::close(file);
  return synced ? ok_status() : io_failure("sync '" + path + "'", error);
}

Result<std::vector<std::string>> list_files(Connection& connection, WT_CURSOR* backup) {
  std::vector<std::string> names;
  int error = 0;
  while ((error = backup->next(backup)) == 0) {
    const char* name = nullptr;
    error = backup->get_key(backup, &name);
    if (error != 0) break;
    names.emplace_back(name);
  }
  if (error != WT_NOTFOUND) return connection.to_status(error, "checkpoint");
  return names;
}

Status copy_files(const std::vector<std::string>& names, const std::string& source,
                  const std::string& target) {
  for (const std::string& name : names) {
    std::error_code error;
    std::filesystem::copy_file(source + "/" + name, target + "/" + name, error);
    if (error) return io_failure("copy '" + name + "' to '" + target + "'", error);
    RW_TRY(sync_path(target + "/" + name));
  }
  return sync_path(target);
}

}  // namespace

Status copy_database(Connection& connection, NativeSession& native, const std::string& source,
                     const std::string& target, std::atomic<bool>& copies_files) {
  WT_SESSION* const session = native.session;
  WT_CURSOR* backup = nullptr;
  const int opened = session->open_cursor(session, "backup:", nullptr, nullptr, &backup);
  if (opened != 0) return connection.to_status(opened, "checkpoint");
  const auto names = list_files(connection, backup);
  copies_files.store(true);
  const Status copied = names ? copy_files(*names, source, target) : names.error();
  copies_files.store(false);
  const int closed = backup->close(backup);
  RW_TRY(copied);
  return connection.to_status(closed, "checkpoint");
}

}  // namespace ringwright
