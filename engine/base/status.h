#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "engine/base/check.h"

namespace ringwright {

// A code exists only if some caller acts on it; each names what the caller should do.
// The numbers travel in replies between nodes: append, never renumber.
enum class Code : std::uint8_t {
  ok = 0,
  invalid = 1,      // the request is wrong as written: change it; repeating it cannot help
  unavailable = 2,  // too few replicas reachable; certainly no effect: retry later or ask for less
  timed_out = 3,    // the deadline passed; see Outcome for whether it may have taken effect
  overloaded = 4,   // a bound was met; certainly no effect: retry after a pause
  would_block = 5,  // a non-blocking engine call would need I/O: repeat it with may_block
  busy = 6,         // the engine refused for now; certainly no effect: retry
  no_space = 7,     // the disk is full; certainly no effect: free space
  corrupt = 8,      // stored bytes fail their checksum: repair them from other replicas
  io_error = 9,     // the disk failed: never to be read as "absent"
  in_doubt = 10,    // a write may or may not have happened: treat its outcome as unknown
  locked = 11,      // another holder has the data directory: stop it or choose another directory
  closed = 12,      // the object was closed: open a new one
  mismatch = 13,  // written by another engine, format, node or cluster: do not touch, open it there
};

// Stable lower-case name, as shown to users and in JSON.
std::string_view code_name(Code code);

class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(Code code, std::string message) : code_(code), message_(std::move(message)) {}

  bool is_ok() const { return code_ == Code::ok; }
  Code code() const { return code_; }
  const std::string& message() const { return message_; }
  // "corrupt: record of key 'a' fails its checksum"
  std::string to_string() const;

  // Drops an error on purpose; `why` is for the reader of the call.
  void ignore(const char* /*why*/) const {}

  friend bool operator==(const Status&, const Status&) = default;

 private:
  Code code_ = Code::ok;
  std::string message_;
};

inline Status ok_status() { return {}; }

// A value or the Status that says why there is none. The interface is a subset of std::expected.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}        // NOLINT: implicit
  Result(Status status) : state_(std::in_place_index<1>, std::move(status)) {  // NOLINT: implicit
    RW_CHECK(!std::get<1>(state_).is_ok());
  }

  // The value is made where it stays, to be filled in: for types that are large.
  explicit Result(std::in_place_t) : state_(std::in_place_index<0>) {}

  bool has_value() const { return state_.index() == 0; }
  explicit operator bool() const { return has_value(); }

  T& value() & { return checked(); }
  const T& value() const& { return const_cast<Result*>(this)->checked(); }
  T&& value() && { return std::move(checked()); }
  T& operator*() & { return checked(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(checked()); }
  T* operator->() { return &checked(); }
  const T* operator->() const { return &value(); }

  Status status() const { return has_value() ? Status{} : std::get<1>(state_); }
  const Status& error() const {
    RW_CHECK(!has_value());
    return std::get<1>(state_);
  }

 private:
  T& checked() {
    RW_CHECK(has_value());
    return std::get<0>(state_);
  }

  std::variant<T, Status> state_;
};

}  // namespace ringwright

// Returns the error of an expression of type Status, or goes on.
#define RW_TRY(expression)                                                         \
  do {                                                                             \
    if (::ringwright::Status rw_try_status = (expression); !rw_try_status.is_ok()) \
      return rw_try_status;                                                        \
  } while (false)
