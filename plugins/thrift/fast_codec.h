#pragma once

#include <cstdint>
#include <optional>

#include "plugins/thrift/binary.h"
#include "plugins/thrift/calls.h"

// The codec, written by hand, of the few calls that a store lives by: get, put and remove in the
// strict binary protocol. Everything else, and the compact protocol, is the generated codec's; both
// write the same bytes and read each other's, which a test compares.
//
// Nothing is allocated by a length that the input does not hold, and structs nest no deeper than
// binary::depth_max.
namespace ringwright::wire::fast {

// --- a node ---

// The argument struct behind the message head. False: malformed. `problem` is set when it can be
// read but means nothing that can be done; the ids and the key are filled in then as well.
bool read_get(binary::Reader& in, GetCall& call, Status& problem);
bool read_put(binary::Reader& in, PutCall& call, Status& problem);
bool read_remove(binary::Reader& in, PutCall& call, Status& problem);

// A whole frame, appended.
void write_get_reply(Bytes& out, std::uint32_t sequence, std::int64_t request_id,
                     const ClientReply& reply, const Ring& ring);
// Of a put or a remove.
void write_put_reply(Bytes& out, Method method, std::uint32_t sequence, std::int64_t request_id,
                     const ClientReply& reply, const Ring& ring);

// --- a client ---

void write_get_call(Bytes& out, std::uint32_t sequence, std::int64_t request_id,
                    const GetRequest& request);
void write_put_call(Bytes& out, std::uint32_t sequence, std::int64_t request_id,
                    const PutRequest& request);

struct Reply {
  std::int64_t request_id = 0;
  ClientReply reply;  // without operation and request
};
// The result struct behind the message head of a reply. Nullopt: malformed.
std::optional<Reply> read_get_reply(binary::Reader& in, const Ring& ring);
std::optional<Reply> read_put_reply(binary::Reader& in, const Ring& ring);

}  // namespace ringwright::wire::fast
