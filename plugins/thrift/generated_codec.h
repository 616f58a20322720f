#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "plugins/thrift/calls.h"
#include "replication/transport/cluster_map.h"

// The codec that the Thrift compiler makes: every call of the client protocol, in the strict binary
// and in the compact protocol. The hand-written one (fast_codec.h) does the hot calls.
//
// It reads from memory only, with the library's limits set: strings no longer than the frame, no
// more than `container_elements_max` elements, structs nested no deeper than binary::depth_max. No
// exception leaves these functions.
namespace ringwright::wire {

enum class Protocol : std::uint8_t { binary, compact };

// Elements of one list, of all messages that clients may send; a batch's own bound lies below it
// and is answered with a sentence.
constexpr std::int32_t container_elements_max = 4096;

namespace generated {

// How a frame begins; false: with neither protocol.
bool sniff(ByteView frame, Protocol& protocol);

struct CallHead {
  std::string method;
  std::uint32_t sequence = 0;
  bool is_call = false;
};
// `corrupt`: malformed.
Result<CallHead> decode_head(ByteView frame, Protocol protocol);
// `corrupt`: malformed, or a method that does not exist.
Result<AnyCall> decode_call(ByteView frame, Protocol protocol);

// Each appends a whole frame.
void encode_get_reply(Bytes& out, Protocol protocol, std::uint32_t sequence,
                      std::int64_t request_id, const ClientReply& reply, const Ring& ring);
void encode_put_reply(Bytes& out, Protocol protocol, Method method, std::uint32_t sequence,
                      std::int64_t request_id, const ClientReply& reply, const Ring& ring);
void encode_get_many_reply(Bytes& out, Protocol protocol, std::uint32_t sequence,
                           std::int64_t request_id, const std::vector<ClientReply>& replies,
                           const Ring& ring);
void encode_put_many_reply(Bytes& out, Protocol protocol, std::uint32_t sequence,
                           std::int64_t request_id, const std::vector<ClientReply>& replies,
                           const Ring& ring);
// The exception of any method.
void encode_error(Bytes& out, Protocol protocol, Method method, std::uint32_t sequence,
                  const ErrorFields& error);

struct HelloAnswer {
  std::uint32_t level = protocol_level;
  std::string cluster;
  std::string node;
  std::string version;
  std::uint32_t frame_bytes_max = 0;
  bool unordered_replies = false;
};
void encode_hello_reply(Bytes& out, Protocol protocol, std::uint32_t sequence,
                        const HelloAnswer& answer);
void encode_topology_reply(Bytes& out, Protocol protocol, std::uint32_t sequence,
                           std::int64_t request_id, const ClusterMap& map);
// Of Thrift itself: what is not even a call of this service.
enum class ApplicationError : std::int32_t { unknown_method = 1, wrong_type = 2, malformed = 7 };
void encode_application_error(Bytes& out, Protocol protocol, std::string_view method,
                              std::uint32_t sequence, ApplicationError type,
                              const std::string& message);

// --- a client; strict binary ---

void encode_call(Bytes& out, const AnyCall& call);
// The code of the error that came instead, or `corrupt`.
Result<HelloAnswer> decode_hello_reply(ByteView frame);
Result<ClusterMap> decode_topology_reply(ByteView frame, const std::string& cluster);

}  // namespace generated
}  // namespace ringwright::wire
