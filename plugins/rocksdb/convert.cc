#include "plugins/rocksdb/convert.h"

namespace ringwright {
namespace {

Code to_code(const rocksdb::Status& native) {
  if (native.IsNoSpace() || native.subcode() == rocksdb::Status::kSpaceLimit) return Code::no_space;
  switch (native.code()) {
    case rocksdb::Status::kOk:
      return Code::ok;
    case rocksdb::Status::kCorruption:
      return Code::corrupt;
    case rocksdb::Status::kInvalidArgument:
    case rocksdb::Status::kNotSupported:
      return Code::invalid;
    case rocksdb::Status::kIncomplete:
      return Code::would_block;
    case rocksdb::Status::kBusy:
    case rocksdb::Status::kTryAgain:
    case rocksdb::Status::kTimedOut:
      return Code::busy;
    case rocksdb::Status::kShutdownInProgress:
      return Code::closed;
    default:
      return Code::io_error;
  }
}

// The status has no code of its own for a lock that is taken; these are the texts for a lock held
// by another process and by this one.
bool lock_is_taken(const rocksdb::Status& native) {
  if (!native.IsIOError()) return false;
  const std::string text = native.ToString();
  return text.find("While lock file") != std::string::npos ||
         text.find("lock hold by current process") != std::string::npos;
}

}  // namespace

Status to_status(const rocksdb::Status& native, std::string_view what) {
  const Code code = to_code(native);
  if (code == Code::ok) return ok_status();
  return {code, std::string(what) + ": " + native.ToString()};
}

Status to_open_status(const rocksdb::Status& native, const std::string& directory) {
  if (lock_is_taken(native))
    return {Code::locked, "directory '" + directory + "' is open in another rocksdb instance: " +
                              "stop that one or choose another directory"};
  return to_status(native, "open '" + directory + "'");
}

}  // namespace ringwright
