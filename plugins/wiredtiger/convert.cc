#include "plugins/wiredtiger/convert.h"

#include <cerrno>
#include <string>

namespace ringwright {
namespace {

// Only the thread that met the damage knows what is damaged.
Code code_of_panic(Trouble trouble, bool met_damage) {
  switch (trouble) {
    case Trouble::full:
      return Code::no_space;
    case Trouble::corrupt:
      return met_damage ? Code::corrupt : Code::busy;
    default:
      return Code::io_error;
  }
}

Code to_code(int error, Trouble trouble, bool met_damage) {
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
      return code_of_panic(trouble, met_damage);
    default:
      return Code::io_error;
  }
}

}  // namespace

Status to_status(int error, std::string_view what, Trouble trouble) {
  auto [said, is_damage] = take_last_error();
  const Code code = to_code(error, trouble, is_damage);
  if (code == Code::ok) return ok_status();
  if (said.empty()) said = wiredtiger_strerror(error);
  return {code, std::string(what) + ": " + said};
}

}  // namespace ringwright
