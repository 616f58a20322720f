#include "engine/base/status.h"

namespace ringwright {

std::string_view code_name(Code code) {
  switch (code) {
    case Code::ok:
      return "ok";
    case Code::invalid:
      return "invalid";
    case Code::unavailable:
      return "unavailable";
    case Code::timed_out:
      return "timed_out";
    case Code::overloaded:
      return "overloaded";
    case Code::would_block:
      return "would_block";
    case Code::busy:
      return "busy";
    case Code::no_space:
      return "no_space";
    case Code::corrupt:
      return "corrupt";
    case Code::io_error:
      return "io_error";
    case Code::in_doubt:
      return "in_doubt";
    case Code::locked:
      return "locked";
    case Code::closed:
      return "closed";
    case Code::mismatch:
      return "mismatch";
  }
  return "unknown_code";
}

std::string Status::to_string() const {
  std::string text{code_name(code_)};
  if (!message_.empty()) text += ": " + message_;
  return text;
}

}  // namespace ringwright
