#include "bindings/errors.h"

#include <utility>

namespace ringwright::python {
namespace {

namespace py = pybind11;

const char* class_of(Code code) {
  switch (code) {
    case Code::ok:
      break;
    case Code::invalid:
      return "InvalidRequestError";
    case Code::unavailable:
      return "UnavailableError";
    case Code::timed_out:
      return "TimeoutError";
    case Code::overloaded:
      return "OverloadedError";
    case Code::busy:
      return "EngineBusyError";
    case Code::would_block:
    case Code::io_error:
    case Code::in_doubt:
      return "EngineError";
    case Code::no_space:
      return "NoSpaceError";
    case Code::corrupt:
      return "CorruptionError";
    case Code::locked:
      return "EngineLockedError";
    case Code::closed:
      return "ClosedError";
    case Code::mismatch:
      return "VersionMismatchError";
  }
  return "Error";
}

// Certainly no effect, and the cause passes by itself.
bool passes(Code code) {
  return code == Code::unavailable || code == Code::overloaded || code == Code::busy ||
         code == Code::would_block;
}

}  // namespace

Failure failure_of(const Status& status) {
  Failure failure;
  failure.code = status.code();
  failure.message = status.message();
  failure.retryable = passes(status.code());
  failure.outcome_unknown = status.code() == Code::in_doubt;
  return failure;
}

Failure failure_of(const ClientError& error, std::string node) {
  Failure failure;
  failure.code = error.code;
  failure.message = error.message;
  failure.retryable = error.retryable;
  failure.outcome_unknown = error.outcome == Outcome::unknown;
  failure.required = error.required;
  failure.received = error.received;
  failure.node = std::move(node);
  return failure;
}

Failure connection_failure(const Status& status) {
  Failure failure = failure_of(status);
  failure.of_connecting = status.code() == Code::unavailable || status.code() == Code::timed_out;
  failure.retryable |= failure.of_connecting;
  return failure;
}

py::object make_error(const Failure& failure) {
  const py::object type =
      py::module_::import("ringwright.errors")
          .attr(failure.of_connecting ? "ConnectionError" : class_of(failure.code));
  const py::object node = failure.node.empty() ? py::object(py::none()) : py::str(failure.node);
  const std::string_view code = failure.of_connecting ? "connection" : code_name(failure.code);
  return type.attr("_from_core")(failure.message, code, failure.retryable, failure.outcome_unknown,
                                 node, failure.required, failure.received);
}

void raise(const Failure& failure) {
  const py::object error = make_error(failure);
  PyErr_SetObject(py::type::of(error).ptr(), error.ptr());
  throw py::error_already_set();
}

void raise(const Status& status) { raise(failure_of(status)); }

void check(const Status& status) {
  if (!status.is_ok()) raise(status);
}

}  // namespace ringwright::python
