#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/status.h"
#include "engine/base/time.h"
#include "replication/transport/message.h"
#include "replication/version/context.h"

namespace ringwright {

enum class OperationKind : std::uint8_t { get, put, remove };
std::string_view operation_kind_name(OperationKind kind);

// One operation as its client saw it, from first try to last. The same record comes from simulated
// runs and from real processes.
//
// outcome: ok when one try was answered ok; failed when every try was answered `failed`, so that it
// certainly had no effect; unknown otherwise, also while it still runs.
struct HistoryOperation {
  std::uint64_t id = 0;
  std::uint32_t client = 0;
  std::uint32_t session = 0;  // raised whenever the client forgets its contexts
  Bytes key;
  OperationKind kind = OperationKind::get;
  Bytes value;  // of a put: unique in the history
  std::optional<Context> context_in;
  std::optional<Context> context_out;  // of a get what was read, of a put what was written
  // Of a put or remove: the events that ok replies named, those that came after the client gave up
  // included: a node promised to keep each of them.
  struct Event {
    Dot dot;
    Timestamp stamp = 0;
    friend bool operator==(const Event&, const Event&) = default;
  };
  std::vector<Event> events;
  std::vector<ShownSibling> read;  // of a get
  std::uint32_t r = 0;             // asked for; 0: the keyspace's default
  std::uint32_t w = 0;
  std::uint32_t n = 0;
  Instant invoke_t = 0;
  Instant return_t = never;  // `never`: still running
  Outcome outcome = Outcome::unknown;
  Code code = Code::ok;
  std::string coordinator;  // whom the last try went to

  bool is_write() const { return kind != OperationKind::get; }
  friend bool operator==(const HistoryOperation&, const HistoryOperation&) = default;
};

using History = std::vector<HistoryOperation>;

// One JSON object a line: {"id", "client", "session", "key", "kind", "value", "ctx_in", "ctx_out",
// "dots", "read", "r", "w", "n", "invoke_t", "return_t", "type" (ok, fail, info), "code", "coord"}.
// Bytes that are no printable ASCII stand in hex under "key_hex" or "value_hex".
std::string to_json_lines(const History& history);
// `invalid` names the line.
Result<History> parse_json_lines(std::string_view text);

}  // namespace ringwright
