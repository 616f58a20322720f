#include "plugins/thrift/node_transport.h"

#include <algorithm>
#include <cerrno>

namespace ringwright::wire {
namespace {

constexpr int client_shard_shift = 23;
constexpr Endpoint client_slot_mask = (Endpoint{1} << client_shard_shift) - 1;
// How often connections are looked over for deadlines that have passed.
constexpr Nanoseconds sweep_interval = milliseconds(250);
// After the system had no descriptor to give.
constexpr Nanoseconds accept_pause = milliseconds(200);
// A client that has been quiet for so long keeps no buffers.
constexpr Nanoseconds trim_after = seconds(1);
// How often it is told that peers are refused.
constexpr Nanoseconds refusal_note_interval = seconds(1);

// A tag says what is ready: 4 bits of its sort, 28 of its serial, 32 of its place.
enum class Sort : std::uint8_t { client_listener, peer_listener, client, peer, link };
constexpr std::uint32_t serial_mask = (1U << 28) - 1;

Poller::Tag tag_of(Sort sort, std::uint32_t place, std::uint32_t serial = 0) {
  return Poller::Tag{static_cast<std::uint8_t>(sort)} << 60 |
         Poller::Tag{serial & serial_mask} << 32 | place;
}

Endpoint client_endpoint(std::uint32_t shard, std::uint32_t slot) {
  return client_bit | shard << client_shard_shift | slot;
}

// Whether accepting failed for want of what may be there again in a moment.
bool is_exhausted(int error) {
  return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

template <typename Thing>
std::uint32_t take_slot(std::vector<std::unique_ptr<Thing>>& things,
                        std::vector<std::uint32_t>& free) {
  if (free.empty()) {
    things.emplace_back();
    return static_cast<std::uint32_t>(things.size() - 1);
  }
  const std::uint32_t slot = free.back();
  free.pop_back();
  return slot;
}

}  // namespace

NodeTransport::NodeTransport(std::shared_ptr<NodeShared> shared, std::uint32_t shard)
    : shared_(std::move(shared)),
      shard_(shard),
      own_(endpoint_of_member(shared_->facts.member)),
      poller_(&shared_->switchboard.poller(shard)),
      parcels_(shared_->switchboard.shards()) {
  const auto& members = shared_->facts.ring().members();
  for (std::uint32_t member = 0; member < members.size(); ++member)
    links_.push_back(member == shared_->facts.member
                         ? nullptr
                         : std::make_unique<PeerLink>(
                               shared_->peer_addresses[member], members[member].id, *poller_,
                               tag_of(Sort::link, member), shared_->greeted_at[member]));
  lost_.resize(members.size());
  start_accepting();
}

NodeTransport::~NodeTransport() { NodeTransport::close(); }

void NodeTransport::close() {
  if (std::exchange(closed_, true)) return;
  if (accept_again_at_ == never) stop_accepting();
  now_ = shared_->clock->now();
  flush_dirty();
  clients_.clear();
  peers_.clear();
  links_.clear();
  if (shared_->open.fetch_sub(1) == 1) {
    shared_->client_listener.reset();
    shared_->peer_listener.reset();
  }
}

void NodeTransport::note(Severity severity, const char* name, std::string message,
                         std::vector<std::pair<std::string, std::string>> fields) {
  if (shared_->events)
    shared_->events->note({severity, name, std::move(message), std::move(fields)});
}

// --- one wake-up ---

void NodeTransport::poll(Instant until, const Sink& sink) {
  if (closed_) return;
  now_ = shared_->clock->now();
  sink_ = &sink;
  // Answers that were sent since the last poll made room, which no socket tells of. Whoever goes on
  // is dirty then, so what it had to ask is not left lying while this poll waits.
  resume_throttled();
  const bool has_news = !unreachable_.empty() || !for_itself_.empty() || !dirty_.empty();
  const Instant wake_at = has_news ? 0 : std::min(until, next_deadline());
  const Nanoseconds timeout = wake_at == never ? -1 : std::max<Nanoseconds>(wake_at - now_, 0);
  const auto& ready = poller_->wait(timeout);
  if (timeout != 0) now_ = shared_->clock->now();
  for (Envelope& envelope : for_itself_) sink.deliver(std::move(envelope));
  for_itself_.clear();
  for (const Poller::Ready& each : ready) handle(each, sink);
  shared_->switchboard.take(shard_, from_shards_);
  for (Envelope& envelope : from_shards_) {
    if ((envelope.target & client_bit) != 0)
      take_reply(envelope);
    else
      sink.deliver(std::move(envelope));
  }
  resume_throttled();
  expire(sink);
  leave_parcels();
  flush_dirty();
  sink_ = nullptr;
  for (const std::uint32_t member : std::exchange(unreachable_, {}))
    sink.unreachable(endpoint_of_member(member));
}

void NodeTransport::handle(const Poller::Ready& ready, const Sink& sink) {
  const auto place = static_cast<std::uint32_t>(ready.tag);
  const auto serial = static_cast<std::uint32_t>(ready.tag >> 32) & serial_mask;
  switch (static_cast<Sort>(ready.tag >> 60)) {
    case Sort::client_listener:
      return accept_clients();
    case Sort::peer_listener:
      return accept_peers();
    case Sort::client:
      return handle_client(place, serial, ready);
    case Sort::peer:
      return handle_peer(place, serial, ready);
    case Sort::link:
      return handle_link(place, ready, sink);
  }
}

Instant NodeTransport::next_deadline() const {
  Instant next = clients_open_ > 0 || !peers_.empty() ? next_sweep_ : never;
  for (const auto& link : links_)
    if (link) next = std::min(next, link->next_deadline());
  return std::min(next, accept_again_at_);
}

void NodeTransport::deliver(Endpoint source, Timestamp stamp, Message&& message) {
  const std::uint32_t shards = shared_->switchboard.shards();
  const std::uint32_t shard = shards == 1 ? 0 : shard_of(message, shards);
  if (shard != shard_)
    parcels_[shard].push_back({source, own_, stamp, std::move(message)});
  else if (sink_ != nullptr)
    sink_->deliver({source, own_, stamp, std::move(message)});
  else
    for_itself_.push_back({source, own_, stamp, std::move(message)});
}

void NodeTransport::leave_parcels() {
  for (std::uint32_t shard = 0; shard < parcels_.size(); ++shard) {
    if (parcels_[shard].empty()) continue;
    shared_->switchboard.leave(shard, parcels_[shard]);
    mailbox_dropped_ += parcels_[shard].size();
    for (const Envelope& envelope : parcels_[shard]) refuse_request(envelope);
    parcels_[shard].clear();
  }
}

// The shard that it is for has no room: a client is told, for it waits.
void NodeTransport::refuse_request(const Envelope& envelope) {
  ClientReply reply;
  reply.outcome = Outcome::failed;
  reply.code = Code::overloaded;
  reply.message = "the node has too many requests waiting: try again later, or send fewer at once";
  if (const auto* get = std::get_if<GetRequest>(&envelope.message)) {
    reply.operation = get->operation;
    reply.key = get->key;
  } else if (const auto* put = std::get_if<PutRequest>(&envelope.message)) {
    reply.operation = put->operation;
    reply.key = put->key;
    reply.request = put->request;
  }
  Envelope answer{own_, envelope.source, 0, std::move(reply)};
  if ((envelope.source & client_bit) != 0) take_reply(answer);
}

void NodeTransport::send(std::vector<Envelope>& envelopes) {
  if (closed_) return envelopes.clear();
  now_ = shared_->clock->now();
  const Envelope* encoded = nullptr;
  for (Envelope& envelope : envelopes) {
    if ((envelope.target & client_bit) != 0) {
      const std::uint32_t shard = (envelope.target & ~client_bit) >> client_shard_shift;
      if (shard == shard_)
        take_reply(envelope);
      else if (shard < parcels_.size())
        parcels_[shard].push_back(std::move(envelope));
    } else if (envelope.target == own_) {
      deliver(envelope.source, envelope.stamp, std::move(envelope.message));
    } else if (const std::uint32_t member = envelope.target - 1; member < links_.size()) {
      // A write goes to each replica in turn: the bytes are the same.
      if (encoded == nullptr || encoded->stamp != envelope.stamp ||
          encoded->message != envelope.message) {
        encoded_.clear();
        append_unguarded(encoded_, envelope.stamp, envelope.message);
        encoded = &envelope;
      }
      if (!links_[member]->send(encoded_, now_) &&
          std::find(unreachable_.begin(), unreachable_.end(), member) == unreachable_.end())
        unreachable_.push_back(member);
    }
  }
  envelopes.clear();
  if (encoded_.capacity() > limits::peer_batch_bytes) encoded_ = {};
  for (const auto& link : links_)
    if (link) link->flush(now_);
  leave_parcels();
  flush_dirty();
}

// --- listening ---

void NodeTransport::start_accepting() {
  poller_->add(shared_->client_listener, tag_of(Sort::client_listener, 0), {true, false, true});
  poller_->add(shared_->peer_listener, tag_of(Sort::peer_listener, 0), {true, false, true});
}

void NodeTransport::stop_accepting() {
  poller_->remove(shared_->client_listener);
  poller_->remove(shared_->peer_listener);
}

// One that has come, or none.
Descriptor NodeTransport::accept(const Descriptor& listener) {
  if (accept_again_at_ != never) return {};
  Descriptor accepted = accept_from(listener);
  if (accepted.is_open() || !is_exhausted(errno)) return accepted;
  // Waiting connections stay in the kernel's queue until a descriptor is free.
  if (now_ >= exhausted_noted_at_ + refusal_note_interval) {
    exhausted_noted_at_ = now_;
    note(Severity::warning, "descriptors_exhausted",
         "no descriptor is left for another connection: raise the limit of open files", {});
  }
  stop_accepting();
  accept_again_at_ = now_ + accept_pause;
  return accepted;
}

// --- clients ---

void NodeTransport::accept_clients() {
  for (std::size_t i = 0; i < limits::accepts_at_once; ++i) {
    Descriptor accepted = accept(shared_->client_listener);
    if (!accepted.is_open()) return;
    if (clients_open_ >= limits::connections_max) {
      ++refused_;
      continue;
    }
    ++accepted_;
    ++clients_open_;
    const std::uint32_t slot = take_slot(clients_, free_clients_);
    const std::uint32_t serial = next_serial_++ & serial_mask;
    clients_[slot] = std::make_unique<Client>(std::make_unique<SocketStream>(std::move(accepted)),
                                              *poller_, tag_of(Sort::client, slot, serial), now_,
                                              client_endpoint(shard_, slot), serial, shared_->facts,
                                              client_counters_);
  }
}

void NodeTransport::handle_client(std::uint32_t slot, std::uint32_t serial,
                                  const Poller::Ready& ready) {
  // It may have ended earlier in this wake-up.
  if (slot >= clients_.size() || !clients_[slot] || clients_[slot]->serial != serial) return;
  Client& client = *clients_[slot];
  if (ready.writable) mark_dirty(client);
  if (ready.broken && !client.connection.is_reading()) {
    ++ends_.by_client;
    return drop_client(slot);
  }
  if (ready.readable || ready.broken) after_reading(slot, read_client(client, true));
}

FrameConnection::Input NodeTransport::read_client(Client& client, bool from_socket) {
  const ClientSession::Deliver deliver_request = [&](Message&& message) {
    deliver(client.endpoint, 0, std::move(message));
  };
  const auto take = [&](ByteView frame) {
    return client.session.take_frame(frame, client.connection.out(), deliver_request);
  };
  const auto full = [&] { return is_full(client); };
  const std::size_t before = bytes_of(client);
  const auto input = from_socket ? client.connection.receive(buffer_, now_, take, full)
                                 : client.connection.go_on(now_, take, full);
  client_bytes_ += bytes_of(client) - before;
  return input;
}

void NodeTransport::after_reading(std::uint32_t slot, FrameConnection::Input input) {
  Client& client = *clients_[slot];
  switch (input) {
    case FrameConnection::Input::open:
      if (client.connection.unsent() > 0) mark_dirty(client);
      if (is_full(client)) throttle(client);
      return;
    case FrameConnection::Input::ended:
      ++ends_.by_client;
      break;
    case FrameConnection::Input::too_large:
      ++ends_.too_large;
      break;
    case FrameConnection::Input::refused:
      ++ends_.malformed;
      break;
  }
  drop_client(slot);
}

bool NodeTransport::is_full(const Client& client) const {
  return client.session.is_full(client.connection.unsent()) ||
         (client_bytes_ >= limits::connections_bytes_max &&
          bytes_of(client) >= limits::connection_fair_bytes);
}

void NodeTransport::throttle(Client& client) {
  if (std::exchange(client.is_throttled, true)) return;
  client.connection.set_reading(false);
  throttled_.push_back(client.endpoint);
  mark_dirty(client);  // so that the poller learns of it
}

// Goes on reading from those that have room again.
void NodeTransport::resume_throttled() {
  if (throttled_.empty()) return;
  for (const Endpoint endpoint : std::exchange(throttled_, {})) {
    const std::uint32_t slot = endpoint & client_slot_mask;
    if (slot >= clients_.size() || !clients_[slot] || !clients_[slot]->is_throttled) continue;
    Client& client = *clients_[slot];
    if (is_full(client)) {
      throttled_.push_back(endpoint);
      continue;
    }
    client.is_throttled = false;
    client.connection.resume_reading(now_);
    mark_dirty(client);
    after_reading(slot, read_client(client, false));
  }
}

void NodeTransport::take_reply(Envelope& envelope) {
  const std::uint32_t slot = envelope.target & client_slot_mask;
  auto* const reply = std::get_if<ClientReply>(&envelope.message);
  if (reply == nullptr || slot >= clients_.size() || !clients_[slot]) return;
  Client& client = *clients_[slot];
  const std::size_t before = bytes_of(client);
  const bool is_short = before >= limits::connection_answers_bytes_max ||
                        (client_bytes_ >= 2 * limits::connections_bytes_max &&
                         before >= limits::connection_fair_bytes);
  client.session.take_reply(std::move(*reply), client.connection.out(), is_short);
  client_bytes_ += bytes_of(client) - before;
  mark_dirty(client);
}

void NodeTransport::mark_dirty(Client& client) {
  if (!std::exchange(client.is_dirty, true)) dirty_.push_back(client.endpoint);
}

void NodeTransport::flush_dirty() {
  for (const Endpoint endpoint : dirty_) {
    const std::uint32_t slot = endpoint & client_slot_mask;
    if (slot >= clients_.size() || !clients_[slot] || !clients_[slot]->is_dirty) continue;
    Client& client = *clients_[slot];
    client.is_dirty = false;
    const std::size_t before = client.connection.buffered();
    const bool goes_on = client.connection.flush(now_);
    client_bytes_ += client.connection.buffered() - before;
    if (goes_on) continue;
    ++ends_.by_client;
    drop_client(slot);
  }
  dirty_.clear();
}

void NodeTransport::drop_client(std::uint32_t slot) {
  const Client& client = *clients_[slot];
  client_bytes_ -= bytes_of(client);
  clients_[slot].reset();
  free_clients_.push_back(slot);
  --clients_open_;
}

// --- peers ---

void NodeTransport::accept_peers() {
  for (std::size_t i = 0; i < limits::accepts_at_once; ++i) {
    Descriptor accepted = accept(shared_->peer_listener);
    if (!accepted.is_open()) return;
    if (peers_.size() - free_peers_.size() >= limits::peer_connections_max) {
      ++refused_;
      continue;
    }
    const std::uint32_t slot = take_slot(peers_, free_peers_);
    const std::uint32_t serial = next_serial_++ & serial_mask;
    peers_[slot] = std::make_unique<Peer>(std::make_unique<SocketStream>(std::move(accepted)),
                                          *poller_, tag_of(Sort::peer, slot, serial), now_);
    peers_[slot]->serial = serial;
    peers_[slot]->connection.set_frame_bytes_max(limits::hello_bytes_max);
  }
}

void NodeTransport::handle_peer(std::uint32_t slot, std::uint32_t serial,
                                const Poller::Ready& ready) {
  if (slot >= peers_.size() || !peers_[slot] || peers_[slot]->serial != serial) return;
  Peer& peer = *peers_[slot];
  auto input = FrameConnection::Input::open;
  if (ready.readable || ready.broken)
    input = peer.connection.receive(
        buffer_, now_, [&](ByteView frame) { return take_peer_frame(peer, frame); },
        [&] { return peer.is_refused; });
  const bool goes_on = peer.connection.flush(now_);
  if (input != FrameConnection::Input::open || !goes_on ||
      (peer.is_refused && peer.connection.unsent() == 0))
    drop_peer(slot);
}

bool NodeTransport::take_peer_frame(Peer& peer, ByteView frame) {
  if (peer.endpoint != 0) {
    peer::BatchReader batch(frame);
    if (!batch.is_batch()) return false;
    while (!batch.at_end()) {
      auto message = batch.next();
      if (!message) {
        note(Severity::error, "peer_message_refused", message.error().to_string(),
             {{"peer", shared_->facts.ring().members()[peer.endpoint - 1].name}});
        return false;
      }
      deliver(peer.endpoint, message->stamp, std::move(message->message));
    }
    return true;
  }
  const auto hello = peer::decode_hello(frame);
  if (!hello) return false;
  auto mismatch = find_mismatch(shared_->identity, hello->caller);
  const auto member = shared_->facts.ring().index_of(hello->caller.node);
  if (!mismatch && hello->target != shared_->identity.node)
    mismatch = Mismatch{"node", "this is node " + to_string(shared_->identity.node) + " and not " +
                                    to_string(hello->target) + ": correct the member's address"};
  if (!mismatch && (!member || *member == shared_->facts.member))
    mismatch = Mismatch{
        "node", "node " + to_string(hello->caller.node) + " is not another member of this ring"};
  if (mismatch) {
    ++peers_refused_;
    if (now_ >= refusal_noted_at_ + refusal_note_interval) {
      refusal_noted_at_ = now_;
      note(
          Severity::error, "peer_refused", mismatch->what + ": " + mismatch->message,
          {{"node", to_string(hello->caller.node)}, {"cluster", printable(hello->caller.cluster)}});
    }
    peer::encode_refusal(peer.connection.out(), *mismatch);
    peer.is_refused = true;
    peer.connection.set_reading(false);
    return true;
  }
  peer.endpoint = endpoint_of_member(*member);
  peer.connection.set_frame_bytes_max(limits::peer_frame_bytes_max);
  shared_->greeted_at[*member] = now_;
  peer::encode_welcome(peer.connection.out(), shared_->identity,
                       agreed_protocol(shared_->identity, hello->caller));
  return true;
}

void NodeTransport::drop_peer(std::uint32_t slot) {
  peers_[slot].reset();
  free_peers_.push_back(slot);
}

void NodeTransport::handle_link(std::uint32_t member, const Poller::Ready& ready,
                                const Sink& sink) {
  PeerLink& link = *links_[member];
  const bool was_open = link.is_open();
  const Status status = link.handle(ready, buffer_, shared_->identity, now_);
  if (!status.is_ok()) return report_lost(member, status, sink);
  if (was_open || !link.is_open()) return;
  if (lost_[member])
    note(Severity::info, "peer_connected", "the connection stands again",
         {{"peer", shared_->facts.ring().members()[member].name}});
  lost_[member] = false;
}

void NodeTransport::report_lost(std::uint32_t member, const Status& why, const Sink& sink) {
  // Once until it is back, however often it is tried in between.
  if (!lost_[member])
    note(why.code() == Code::mismatch ? Severity::error : Severity::warning, "peer_lost",
         why.message(), {{"peer", shared_->facts.ring().members()[member].name}});
  lost_[member] = true;
  sink.unreachable(endpoint_of_member(member));
}

// --- deadlines ---

void NodeTransport::expire(const Sink& sink) {
  for (std::uint32_t member = 0; member < links_.size(); ++member) {
    if (!links_[member] || links_[member]->next_deadline() > now_) continue;
    if (const Status status = links_[member]->expire(now_); !status.is_ok())
      report_lost(member, status, sink);
  }
  if (now_ >= accept_again_at_) {
    accept_again_at_ = never;
    start_accepting();
  }
  if (now_ < next_sweep_) return;
  next_sweep_ = now_ + sweep_interval;
  const auto is_past = [&](Instant since, Nanoseconds span) {
    return since != never && now_ - since >= span;
  };
  for (std::uint32_t slot = 0; slot < clients_.size(); ++slot) {
    if (!clients_[slot]) continue;
    Client& client = *clients_[slot];
    if (is_past(client.connection.active_at(), trim_after)) client.connection.trim();
    // Nothing of its own holds it up: it has but the frame that it began.
    const bool has_nothing = client.session.calls() == 0 && client.connection.unsent() == 0;
    std::uint64_t* end = nullptr;
    if (is_past(client.connection.stalled_since(), shared_->bounds.unread_deadline))
      end = &ends_.unread;
    else if ((!client.is_throttled || has_nothing) &&
             is_past(client.connection.partial_since(), shared_->bounds.frame_deadline))
      end = &ends_.frame_late;
    else if (has_nothing && is_past(client.connection.active_at(), shared_->bounds.idle_deadline))
      end = &ends_.idle;
    if (end == nullptr) continue;
    ++*end;
    drop_client(slot);
  }
  for (std::uint32_t slot = 0; slot < peers_.size(); ++slot) {
    if (!peers_[slot]) continue;
    const Peer& peer = *peers_[slot];
    if ((peer.endpoint == 0 && is_past(peer.since, limits::hello_deadline)) ||
        is_past(peer.connection.partial_since(), shared_->bounds.frame_deadline))
      drop_peer(slot);
  }
}

std::vector<std::pair<std::string, std::uint64_t>> NodeTransport::counters() const {
  std::vector<std::pair<std::string, std::uint64_t>> counted;
  constexpr const char* outcomes[] = {"ok", "failed", "unknown"};
  for (std::size_t method = 0; method < client_counters_.requests.size(); ++method)
    for (std::size_t outcome = 0; outcome < 3; ++outcome)
      if (const auto count = client_counters_.requests[method][outcome]; count > 0)
        counted.emplace_back("ringwright_requests_total{op=\"" +
                                 std::string(method_name(static_cast<Method>(method))) +
                                 "\",outcome=\"" + outcomes[outcome] + "\"}",
                             count);
  const auto ended = [&](const char* why, std::uint64_t count) {
    counted.emplace_back(
        std::string("ringwright_client_connections_ended_total{reason=\"") + why + "\"}", count);
  };
  ended("closed", ends_.by_client);
  ended("frame_too_large", ends_.too_large);
  ended("malformed", ends_.malformed);
  ended("frame_late", ends_.frame_late);
  ended("idle", ends_.idle);
  ended("answers_unread", ends_.unread);
  counted.emplace_back("ringwright_loop_waits_polled_total", poller_->polled());
  counted.emplace_back("ringwright_loop_waits_slept_total", poller_->slept());
  counted.emplace_back("ringwright_client_connections", clients_open_);
  counted.emplace_back("ringwright_client_connections_accepted_total", accepted_);
  counted.emplace_back("ringwright_client_connections_refused_total", refused_);
  counted.emplace_back("ringwright_client_bytes_in_flight", client_bytes_);
  counted.emplace_back("ringwright_malformed_requests_total", client_counters_.malformed);
  counted.emplace_back("ringwright_unknown_methods_total", client_counters_.unknown_methods);
  counted.emplace_back("ringwright_peers_refused_total", peers_refused_);
  counted.emplace_back("ringwright_mailbox_dropped_total", mailbox_dropped_);
  std::uint64_t open = 0;
  std::uint64_t sent = 0;
  std::uint64_t dropped = 0;
  for (const auto& link : links_) {
    if (!link) continue;
    open += link->is_open() ? 1 : 0;
    sent += link->sent();
    dropped += link->dropped();
  }
  counted.emplace_back("ringwright_peer_links_open", open);
  counted.emplace_back("ringwright_peer_messages_sent_total", sent);
  counted.emplace_back("ringwright_peer_messages_dropped_total", dropped);
  return counted;
}

}  // namespace ringwright::wire
