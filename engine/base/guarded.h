#pragma once

#include <exception>
#include <string>
#include <string_view>

#include "engine/base/status.h"

namespace ringwright {

// For code that calls a library which may throw, as no exception leaves an engine.

// Within a catch clause: what is being handled, as a status.
inline Status exception_status(std::string_view what) {
  try {
    throw;
  } catch (const std::exception& error) {
    return {Code::io_error, std::string(what) + ": " + error.what()};
  } catch (...) {
    return {Code::io_error, std::string(what) + ": unknown exception"};
  }
}

// The call's status, or that of its exception.
template <typename Call>
Status guarded(std::string_view what, Call&& call) {
  try {
    return call();
  } catch (...) {
    return exception_status(what);
  }
}

}  // namespace ringwright
