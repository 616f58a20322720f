#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "plugins/thrift/frame_connection.h"
#include "plugins/thrift/generated_codec.h"
#include "replication/transport/transport_factory.h"

namespace ringwright::wire {

// A client's sockets: one connection to each member that it has something to ask, made when it has.
// Calls are pipelined; answers may come in any order and are matched by sequence number, and the
// echo of the request id is compared besides (that of the key by who asked).
//
//          request, ping            connected             hello answered
//   down -----------------> connecting ------> greeting ------------------> open
//
// A connection on which an answer is overdue is closed (its member is then unreachable): what comes
// late must not be taken for anything else, and a silent node must not hold up others' requests.
//
// Endpoints: members are their index plus 1, the client itself is 0xffffffff.
class ClientTransport final : public Transport {
 public:
  ClientTransport(std::shared_ptr<const ClusterMap> map, std::vector<SocketAddress> addresses,
                  std::shared_ptr<Clock> clock);

  void poll(Instant until, const Sink& sink) override;
  void send(std::vector<Envelope>& envelopes) override;
  void wake() override { poller_.wake(); }
  void close() override;

  static constexpr Endpoint own_endpoint = UINT32_MAX;
  static Endpoint endpoint_of_member(std::uint32_t member) { return member + 1; }

 private:
  // A call that was sent and not answered.
  struct Pending {
    bool is_open = false;
    Method method = Method::get;
    std::uint32_t generation = 0;  // of the slot
    OperationId operation = 0;
    RequestId request;
    std::int64_t request_id = 0;
    Instant deadline = 0;
  };
  struct Member {
    enum class State : std::uint8_t { down, connecting, greeting, open };
    SocketAddress address;
    State state = State::down;
    Descriptor connecting;
    std::unique_ptr<FrameConnection> connection;
    Bytes waiting;  // frames, until the node has answered the hello
    Instant deadline = never;
    bool is_pinged = false;  // somebody wants to know whether it answers
    bool is_dirty = false;
    std::vector<Pending> pending;  // by slot
    std::vector<std::uint32_t> free;
    std::set<std::pair<Instant, std::uint32_t>> deadlines;  // of open slots
  };

  void ask(Member& member, std::uint32_t index, Message message);
  template <typename Request, typename Write>
  void call(Member& member, Method method, const Request& request, const RequestId& id,
            std::int64_t request_id, const Write& write);
  bool connect(Member& member, std::uint32_t index);
  void greet(Member& member, std::uint32_t index);
  void handle(const Poller::Ready& ready);
  bool take_frame(Member& member, std::uint32_t index, ByteView frame);
  bool take_hello(Member& member, std::uint32_t index, ByteView frame);
  void lose(std::uint32_t index);
  Instant next_deadline() const;

  const std::shared_ptr<const ClusterMap> map_;
  const std::shared_ptr<Clock> clock_;
  Poller poller_;
  std::vector<Member> members_;
  ReadBuffer buffer_;
  Instant now_ = 0;
  bool closed_ = false;
  std::vector<Envelope> arrived_;
  std::vector<OperationId> unsent_;
  std::vector<Endpoint> unreachable_;
};

// Asks one after the other who the members are; the first answer counts. Blocks, at most `timeout`.
Result<ClusterMap> find_cluster(const std::vector<std::string>& addresses, Nanoseconds timeout,
                                Clock& clock);

}  // namespace ringwright::wire
