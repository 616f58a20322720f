/**
 * Ringwright's protocol for clients of any language: TCP, framed transport, strict binary protocol
 * (compact is understood as well). `docs/thrift.md` tells how to use it; in short:
 *
 * - Keys, values and contexts are bytes. A context is opaque: hand back what you were given.
 * - Choose a new `request_id` for every call, and compare it with the one that comes back: stock
 *   C++ and Python clients do not compare the sequence numbers of the protocol, so after a timeout
 *   a connection may hand you the answer of an earlier call. Close a connection that timed out.
 * - Without `hello` the answers of one connection come in the order of its requests.
 *
 * Fields are only ever added; numbers are never used again.
 */
namespace cpp ringwright.idl
namespace py ringwright_kv
namespace go ringwright
namespace java ringwright.kv

/** What this file describes; raised when something is added. */
const i32 PROTOCOL_LEVEL = 1

/** Why a request has no result. The numbers never change; treat an unknown one as UNSPECIFIED. */
enum ErrorCode {
  UNSPECIFIED = 0,
  INVALID = 1,       // wrong as written: change it
  UNAVAILABLE = 2,   // too few replicas reachable; see `outcome_unknown`
  TIMED_OUT = 3,     // see `outcome_unknown`
  OVERLOADED = 4,    // a bound was met; certainly no effect: retry after `retry_after_ms`
  WOULD_BLOCK = 5,
  BUSY = 6,          // the engine refused for now; certainly no effect
  NO_SPACE = 7,      // the disk is full; certainly no effect
  CORRUPT = 8,       // stored bytes fail their checksum
  IO_ERROR = 9,      // the disk failed
  IN_DOUBT = 10,     // a write may or may not have happened
  LOCKED = 11,
  CLOSED = 12,       // the node is going away: ask another one
  MISMATCH = 13      // another protocol level, format or cluster
}

/** How many replicas must answer, by name. UNSPECIFIED: the keyspace's default. */
enum Consistency {
  UNSPECIFIED = 0,
  ONE = 1,
  TWO = 2,
  THREE = 3,
  QUORUM = 4,
  ALL = 5
}

/** The one exception. Absence is none: it is an answer without siblings. */
exception KVError {
  1: ErrorCode code,
  2: string message,               // a sentence for a person, what to do included
  3: bool retryable,               // the same call may succeed later, unchanged
  4: i32 replicas_required,
  5: i32 replicas_received,
  6: bool outcome_unknown,         // the write may or may not take effect; false: it has none
  7: i64 retry_after_ms,
  8: i64 request_id,               // of the request; 0 when it could not be read
  9: binary key                    // of the request, where it has one
}

struct ClientInfo {
  1: i32 protocol_level,           // the highest that the client understands
  2: i32 protocol_level_min,       // the lowest that it can do with
  3: string name,                  // of the client, for the node's log
  4: bool unordered_replies        // answers may overtake each other; match them by sequence number
}

struct ServerInfo {
  1: i32 protocol_level,           // the one that both understand
  2: string cluster,
  3: string node,                  // its name
  4: string version,               // for people; never decide by it
  5: i32 frame_bytes_max,
  6: bool unordered_replies
}

/** One live value. More than one: concurrent writes, none of which had seen the other. */
struct Sibling {
  1: binary value,
  2: i64 timestamp_us,             // when it was put, by its coordinator's clock, since 1970
  3: string origin,                // the node that coordinated the put
  4: binary event                  // opaque name of the put
}

struct GetRequest {
  1: required i64 request_id,
  2: binary key,
  3: optional string keyspace,     // "default"
  4: optional i32 r,               // replicas that must agree: 1 to n; or
  5: optional Consistency consistency,
  6: optional i32 timeout_ms,      // 1000
  7: optional string traceparent   // W3C trace context
}

/** No siblings: absent or deleted; the context still says what was seen. */
struct GetResponse {
  1: required i64 request_id,
  2: binary key,
  3: list<Sibling> siblings,
  4: binary context,               // for the put that replaces what was read
  5: string coordinator            // the node that answered
}

struct PutRequest {
  1: required i64 request_id,
  2: binary key,
  3: binary value,
  4: optional binary context,      // what is replaced; none: concurrent with all that is there
  5: optional string keyspace,
  6: optional i32 w,               // replicas that must store it: 1 to n; or
  7: optional Consistency consistency,
  8: optional i32 timeout_ms,
  9: optional i64 ttl_ms,          // after which the value is gone by itself
  10: optional binary client_id,   // 16 random bytes, of one client: a put that is sent again with
                                   // the same client_id and request_id is stored once, as long as
                                   // nothing has replaced it
  11: optional string traceparent
}

struct PutResponse {
  1: required i64 request_id,
  2: binary key,
  3: binary context,               // covers this put; for the next one of the same client
  4: binary event,                 // opaque name of this put
  5: string coordinator
}

/** Deletes what the context has seen; values that it has not seen stay. */
struct RemoveRequest {
  1: required i64 request_id,
  2: binary key,
  3: optional binary context,
  4: optional string keyspace,
  5: optional i32 w,
  6: optional Consistency consistency,
  7: optional i32 timeout_ms,
  8: optional binary client_id,
  9: optional string traceparent
}

struct GetManyRequest {
  1: required i64 request_id,
  2: list<binary> keys,            // at most 1024
  3: optional string keyspace,
  4: optional i32 r,
  5: optional Consistency consistency,
  6: optional i32 timeout_ms
}

/** One of the two. */
struct GetResult {
  1: optional GetResponse response,
  2: optional KVError error
}

struct GetManyResponse {
  1: required i64 request_id,
  2: list<GetResult> results       // in the order of the keys
}

struct PutItem {
  1: binary key,
  2: binary value,
  3: optional binary context,
  4: optional bool remove          // delete instead of put
}

/** Each item for itself: there is no transaction. With a client_id, item i counts as request
 *  request_id + i. */
struct PutManyRequest {
  1: required i64 request_id,
  2: list<PutItem> items,          // at most 1024
  3: optional string keyspace,
  4: optional i32 w,
  5: optional Consistency consistency,
  6: optional i32 timeout_ms,
  7: optional i64 ttl_ms,
  8: optional binary client_id
}

/** One of the two. */
struct PutResult {
  1: optional PutResponse response,
  2: optional KVError error
}

struct PutManyResponse {
  1: required i64 request_id,
  2: list<PutResult> results       // in the order of the items
}

struct TopologyRequest {
  1: required i64 request_id
}

struct MemberInfo {
  1: string name,
  2: binary id,                    // 16 bytes
  3: string client_address,        // host:port
  4: string rack,
  5: string data_centre,
  6: i32 weight
}

struct KeyspaceInfo {
  1: string name,
  2: i32 n,
  3: i32 r,
  4: i32 w,
  5: string record_kind            // "siblings", "lww"
}

/** Who owns what, for clients that go straight to a replica: a key's token is XXH3-64 of its bytes;
 *  its partition the token's high bits scaled to the number of partitions. */
struct TopologyResponse {
  1: required i64 request_id,
  2: i64 ring_epoch,
  3: string ring_hash,             // 16 hex digits
  4: list<MemberInfo> members,
  5: list<i32> owners,             // by partition: the first owner, an index into `members`
  6: list<KeyspaceInfo> keyspaces
}

service KV {
  /** Optional, and the first call of a connection: agrees on a protocol level and on the order of
   *  replies. */
  ServerInfo hello(1: ClientInfo info) throws (1: KVError error),
  GetResponse get(1: GetRequest request) throws (1: KVError error),
  PutResponse put(1: PutRequest request) throws (1: KVError error),
  PutResponse remove(1: RemoveRequest request) throws (1: KVError error),
  GetManyResponse get_many(1: GetManyRequest request) throws (1: KVError error),
  PutManyResponse put_many(1: PutManyRequest request) throws (1: KVError error),
  TopologyResponse topology(1: TopologyRequest request) throws (1: KVError error)
}
