#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "engine/base/histogram.h"
#include "engine/base/status.h"

namespace ringwright {

// What a client asks of a coordinator.
enum class RequestKind : std::uint8_t { get = 0, put = 1, remove = 2 };
constexpr std::size_t request_kinds = 3;
std::string_view request_kind_name(RequestKind kind);

// A client's request that its coordinator has just answered.
struct AnsweredRequest {
  Instant arrived = 0;  // when the machine was woken with it
  std::uint32_t keyspace = 0;
  RequestKind kind = RequestKind::get;
  Code code = Code::ok;
  // Of a get that found a value: how many of them, and their bytes; the merge of r replicas, before
  // a resolver sees it.
  std::uint32_t siblings = 0;
  std::uint64_t object_bytes = 0;
};

// How one keyspace's requests were answered and how long that took, since the node started. A
// value.
class RequestCounts {
 public:
  static constexpr std::size_t codes = 32;  // above the largest number of a `Code`

  void add(const AnsweredRequest& request, Instant answered);
  void add(const RequestCounts& other);

  // In nanoseconds.
  const DurationHistogram& durations(RequestKind kind, Code code) const {
    return durations_[index(kind)][index(code)];
  }
  const CountHistogram& siblings() const { return siblings_; }
  const ByteHistogram& object_bytes() const { return object_bytes_; }

 private:
  static std::size_t index(RequestKind kind) { return static_cast<std::size_t>(kind); }
  static std::size_t index(Code code) { return static_cast<std::size_t>(code) % codes; }

  std::array<std::array<DurationHistogram, codes>, request_kinds> durations_;
  CountHistogram siblings_;
  ByteHistogram object_bytes_;
};

}  // namespace ringwright
