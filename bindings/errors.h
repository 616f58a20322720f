#pragma once

#include <pybind11/pybind11.h>

#include "engine/base/status.h"
#include "replication/client/client.h"

namespace ringwright::python {

// The one place where what went wrong becomes a Python exception, of a class of
// `ringwright.errors`. Every code has exactly one class. All need the interpreter's lock.

struct Failure {
  Code code = Code::ok;
  std::string message;
  bool retryable = false;
  bool outcome_unknown = false;
  std::uint32_t required = 0;
  std::uint32_t received = 0;
  std::string node;  // that said so; empty: none did
  bool of_connecting = false;
};
Failure failure_of(const Status& status);
Failure failure_of(const ClientError& error, std::string node);
// Of connecting: that nobody answers is a failure of its own class.
Failure connection_failure(const Status& status);

// The exception as an object, not raised.
pybind11::object make_error(const Failure& failure);

[[noreturn]] void raise(const Failure& failure);
[[noreturn]] void raise(const Status& status);

// Nothing when all is well.
void check(const Status& status);

// The value, or raises why there is none.
template <typename T>
T unwrap(Result<T> result) {
  if (!result) raise(result.error());
  return std::move(*result);
}

}  // namespace ringwright::python
