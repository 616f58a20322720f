#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "engine/base/bytes.h"
#include "engine/base/status.h"

namespace ringwright::bench {

enum class Operation { put, get };

// One request of a load. Views are read during the call only.
struct Request {
  std::uint32_t slot = 0;  // tells the outstanding requests of a connection apart
  std::int64_t request_id = 0;
  ByteView key;
  ByteView value;    // of a put
  ByteView context;  // of a put; empty: none
};

// One answer. Views point into the bytes that were decoded.
struct Reply {
  std::uint32_t slot = 0;
  Operation operation = Operation::put;
  std::string error;          // name of the error's code; empty: the request succeeded
  std::string error_message;  // for people
  bool echoed = false;        // whether the protocol repeats request_id and key, so that they count
  std::int64_t request_id = 0;
  ByteView key;
  std::size_t values = 0;  // of a get: live values; more than one: siblings
  ByteView value;          // the first of them
  ByteView context;
};

// What a load client says to one kind of system. One object belongs to one connection and keeps
// what that connection has outstanding.
class ClientCodec {
 public:
  virtual ~ClientCodec() = default;

  // What a new connection says before all else. Its answer yields no Reply.
  virtual void begin(Bytes& out) = 0;
  virtual void put(const Request& request, Bytes& out) = 0;
  virtual void get(const Request& request, Bytes& out) = 0;
  // Called once behind the requests of one send.
  virtual void end_burst(Bytes& out) = 0;
  // Adds the complete answers at the front of `in` to `replies` and returns how many bytes they
  // took. An error means that the bytes are not this protocol: close the connection.
  virtual Result<std::size_t> decode(ByteView in, std::vector<Reply>& replies) = 0;
};

struct RingwrightCodecOptions {
  bool unordered_replies = true;  // said in `hello`; otherwise there is no `hello`
  std::string keyspace;           // empty: not said, which is "default"
};
// The service KV of ringwright.thrift: framed, strict binary.
std::unique_ptr<ClientCodec> make_ringwright_codec(RingwrightCodecOptions options);

struct RedisCodecOptions {
  // Replicas that a WAIT behind each burst of SETs waits for; a SET counts as answered when its
  // WAIT is. 0: no WAIT.
  int wait_replicas = 0;
};
std::unique_ptr<ClientCodec> make_redis_codec(RedisCodecOptions options);

}  // namespace ringwright::bench
