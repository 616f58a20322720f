#include "plugins/wiredtiger/convert.h"

#include <cerrno>
#include <string>

namespace ringwright {
namespace {

Code code_of_panic(Trouble trouble) {
  switch (trouble) {
    case Trouble::full:
      return Code::no_space;
    case Trouble::corrupt:
      return Code::corrupt;
    default:
      return Code::io_error;
  }
}

Code to_code(int error, Trouble trouble) {
  switch (error) {
    case 0:
      return Code::ok;
    case WT_ROLLBACK:
    case WT_CACHE_FULL:
    case WT_PREPARE_CONFLICT:
    case EBUSY:
      return Code::busy;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
      return Code::no_space;
    case WT_TRY_SALVAGE:
    case WT_RUN_RECOVERY:
      return Code::corrupt;
    case EINVAL:
    case ENOTSUP:
      return Code::invalid;
    case WT_PANIC:
      return code_of_panic(trouble);
    default:
      return Code::io_error;
  }
}

}  // namespace

Status to_status(int error, std::string_view what, Trouble trouble) {
  const Code code = to_code(error, trouble);
  std::string said = take_last_error();
  if (code == Code::ok) return ok_status();
  if (said.empty()) said = wiredtiger_strerror(error);
  return {code, std::string(what) + ": " + said};
}

}  // namespace ringwright
