#include "replication/runtime/loopback.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <condition_variable>
#include <utility>

#include "engine/base/check.h"
#include "engine/base/limits.h"

namespace ringwright {

// Where one shard's messages wait for its thread.
class LoopbackNetwork::Mailbox {
 public:
  struct Arrivals {
    std::vector<Envelope> messages;
    std::vector<Endpoint> unreachable;
  };

  // Moves the messages in and empties the vector; false when the mailbox is closed.
  bool put(std::vector<Envelope>& messages) {
    bool wakes = false;
    {
      const std::lock_guard lock(mutex_);
      if (closed_) return false;
      const std::size_t room = limits::mailbox_messages_max -
                               std::min(arrivals_.messages.size(), limits::mailbox_messages_max);
      if (messages.size() > room) {
        dropped_ += messages.size() - room;
        messages.resize(room);
      }
      if (arrivals_.messages.empty()) {
        arrivals_.messages.swap(messages);
      } else {
        arrivals_.messages.insert(arrivals_.messages.end(),
                                  std::make_move_iterator(messages.begin()),
                                  std::make_move_iterator(messages.end()));
      }
      wakes = end_wait();
    }
    messages.clear();
    if (wakes) changed_.notify_one();
    return true;
  }

  void put_unreachable(Endpoint endpoint) {
    const std::lock_guard lock(mutex_);
    if (closed_) return;
    auto& listed = arrivals_.unreachable;
    if (std::find(listed.begin(), listed.end(), endpoint) != listed.end()) return;
    listed.push_back(endpoint);
    if (end_wait()) changed_.notify_one();
  }

  void wake() {
    bool wakes = false;
    {
      const std::lock_guard lock(mutex_);
      woken_ = true;
      wakes = end_wait();
    }
    if (wakes) changed_.notify_one();
  }

  // `arrivals` comes back empty, or full of what has arrived; its room is reused.
  void take(Instant until, Arrivals& arrivals) {
    arrivals.messages.clear();
    arrivals.unreachable.clear();
    std::unique_lock lock(mutex_);
    const auto ready = [&] {
      return woken_ || closed_ || !arrivals_.messages.empty() || !arrivals_.unreachable.empty();
    };
    if (!ready() && until > 0) {
      waiting_ = true;
      if (until == never) {
        changed_.wait(lock, ready);
      } else {
        using std::chrono::nanoseconds;
        using std::chrono::steady_clock;
        changed_.wait_until(lock, steady_clock::time_point(nanoseconds(until)), ready);
      }
      waiting_ = false;
    }
    woken_ = false;
    std::swap(arrivals, arrivals_);
  }

  void close() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    arrivals_ = {};
    if (end_wait()) changed_.notify_one();
  }

  std::uint64_t dropped() const {
    const std::lock_guard lock(mutex_);
    return dropped_;
  }

 private:
  // Whether there is a waiter whom nobody has woken yet: so only the first of several senders does.
  // Called under the mutex, after the change that the waiter is to see.
  bool end_wait() { return std::exchange(waiting_, false); }

  mutable std::mutex mutex_;  // guards all
  std::condition_variable changed_;
  Arrivals arrivals_;
  bool waiting_ = false;
  bool woken_ = false;
  bool closed_ = false;
  std::uint64_t dropped_ = 0;
};

class LoopbackTransport final : public Transport {
 public:
  using Mailbox = LoopbackNetwork::Mailbox;

  LoopbackTransport(std::shared_ptr<LoopbackNetwork> network, Endpoint endpoint,
                    std::shared_ptr<Mailbox> mailbox, bool once)
      : network_(std::move(network)),
        endpoint_(endpoint),
        mailbox_(std::move(mailbox)),
        once_(once) {}
  ~LoopbackTransport() override { LoopbackTransport::close(); }

  void poll(Instant until, const Sink& sink) override {
    mailbox_->take(until, arrivals_);
    for (Envelope& envelope : arrivals_.messages) sink.deliver(std::move(envelope));
    for (const Endpoint endpoint : arrivals_.unreachable) sink.unreachable(endpoint);
  }

  void send(std::vector<Envelope>& envelopes) override {
    refresh_table();
    std::size_t used = 0;
    for (Envelope& envelope : envelopes) {
      Mailbox* const target = find_mailbox(envelope);
      if (target == nullptr) {
        mailbox_->put_unreachable(envelope.target);
        continue;
      }
      std::size_t at = 0;
      while (at < used && parcels_[at].mailbox != target) ++at;
      if (at == used) {
        if (used == parcels_.size()) parcels_.emplace_back();
        parcels_[used].mailbox = target;
        parcels_[used++].endpoint = envelope.target;
      }
      parcels_[at].envelopes.push_back(std::move(envelope));
    }
    envelopes.clear();
    for (std::size_t i = 0; i < used; ++i) {
      if (parcels_[i].mailbox->put(parcels_[i].envelopes)) continue;
      parcels_[i].envelopes.clear();
      mailbox_->put_unreachable(parcels_[i].endpoint);
    }
  }

  void wake() override { mailbox_->wake(); }

  void close() override {
    if (std::exchange(closed_, true)) return;
    mailbox_->close();
    network_->take_down(endpoint_, mailbox_.get(), once_);
  }

 private:
  // What goes to one mailbox; kept between sends for its room.
  struct Parcel {
    Mailbox* mailbox = nullptr;
    Endpoint endpoint = 0;
    std::vector<Envelope> envelopes;
  };

  void refresh_table() {
    const std::uint64_t version = network_->version_.load(std::memory_order_acquire);
    if (version == table_version_) return;
    table_ = network_->table();
    table_version_ = version;
  }

  Mailbox* find_mailbox(const Envelope& envelope) const {
    if (envelope.target >= table_->size()) return nullptr;
    const auto& mailboxes = (*table_)[envelope.target].mailboxes;
    if (mailboxes.empty()) return nullptr;
    const auto shards = static_cast<std::uint32_t>(mailboxes.size());
    const std::uint32_t shard = shards == 1 ? 0 : shard_of(envelope.message, shards);
    return mailboxes[shard].get();
  }

  const std::shared_ptr<LoopbackNetwork> network_;
  const Endpoint endpoint_;
  const std::shared_ptr<Mailbox> mailbox_;
  const bool once_;  // the endpoint ends with this transport
  Mailbox::Arrivals arrivals_;
  std::vector<Parcel> parcels_;
  std::shared_ptr<const LoopbackNetwork::Table> table_;
  std::uint64_t table_version_ = 0;
  bool closed_ = false;
};

std::shared_ptr<LoopbackNetwork> LoopbackNetwork::make() {
  return std::shared_ptr<LoopbackNetwork>(new LoopbackNetwork);
}

std::shared_ptr<const LoopbackNetwork::Table> LoopbackNetwork::table() const {
  const std::lock_guard lock(mutex_);
  return table_;
}

void LoopbackNetwork::replace_table(std::shared_ptr<const Table> table) {
  table_ = std::move(table);
  version_.fetch_add(1, std::memory_order_release);
}

Endpoint LoopbackNetwork::reserve() {
  const std::lock_guard lock(mutex_);
  auto table = std::make_shared<Table>(*table_);
  // Endpoint 0 stands for none.
  std::size_t endpoint = 1;
  while (endpoint < table->size() && (*table)[endpoint].reserved) ++endpoint;
  if (endpoint >= table->size()) table->resize(endpoint + 1);
  (*table)[endpoint].reserved = true;
  replace_table(std::move(table));
  return static_cast<Endpoint>(endpoint);
}

std::vector<std::unique_ptr<Transport>> LoopbackNetwork::open(Endpoint endpoint,
                                                              std::uint32_t shards) {
  return open(endpoint, shards, false);
}

LoopbackNetwork::ClientEnd LoopbackNetwork::open_client() {
  const Endpoint endpoint = reserve();
  return {endpoint, std::move(open(endpoint, 1, true).front())};
}

std::vector<std::unique_ptr<Transport>> LoopbackNetwork::open(Endpoint endpoint,
                                                              std::uint32_t shards, bool once) {
  Mailboxes mailboxes;
  std::vector<std::unique_ptr<Transport>> transports;
  for (std::uint32_t i = 0; i < shards; ++i) {
    mailboxes.push_back(std::make_shared<Mailbox>());
    transports.push_back(
        std::make_unique<LoopbackTransport>(shared_from_this(), endpoint, mailboxes.back(), once));
  }
  const std::lock_guard lock(mutex_);
  RW_CHECK(endpoint > 0 && endpoint < table_->size() && (*table_)[endpoint].mailboxes.empty());
  for (Endpoint other = 0; other < table_->size(); ++other) {
    const Slot& slot = (*table_)[other];
    if (other == endpoint || !slot.was_up || !slot.mailboxes.empty()) continue;
    for (const auto& mailbox : mailboxes) mailbox->put_unreachable(other);
  }
  auto table = std::make_shared<Table>(*table_);
  (*table)[endpoint] = {std::move(mailboxes), true, true};
  replace_table(std::move(table));
  return transports;
}

bool LoopbackNetwork::is_up(Endpoint endpoint) const {
  const auto known = table();
  return endpoint < known->size() && !(*known)[endpoint].mailboxes.empty();
}

void LoopbackNetwork::take_down(Endpoint endpoint, const Mailbox* mailbox, bool for_good) {
  std::shared_ptr<const Table> left;
  {
    const std::lock_guard lock(mutex_);
    const Mailboxes& open = (*table_)[endpoint].mailboxes;
    const bool is_present = std::any_of(
        open.begin(), open.end(), [mailbox](const auto& known) { return known.get() == mailbox; });
    if (!is_present) return;
    auto table = std::make_shared<Table>(*table_);
    for (const auto& closing : (*table)[endpoint].mailboxes) closing->close();
    (*table)[endpoint] = {{}, !for_good, !for_good};
    replace_table(table);
    left = std::move(table);
  }
  for (const Slot& slot : *left)
    for (const auto& other : slot.mailboxes) other->put_unreachable(endpoint);
}

namespace {

constexpr std::string_view address_prefix = "loopback:";

std::string address_of(Endpoint endpoint) {
  return std::string(address_prefix) + std::to_string(endpoint);
}

Result<Endpoint> endpoint_at(std::string_view address) {
  Endpoint endpoint = 0;
  if (address.starts_with(address_prefix)) {
    const std::string_view digits = address.substr(address_prefix.size());
    std::from_chars(digits.data(), digits.data() + digits.size(), endpoint);
  }
  if (endpoint != 0) return endpoint;
  return Status{Code::invalid,
                "'" + std::string(address) + "' is no address of the loopback transport"};
}

Result<std::vector<Endpoint>> endpoints_of(const ClusterMap& map) {
  std::vector<Endpoint> endpoints;
  for (const MemberAddress& address : map.addresses) {
    const auto endpoint = endpoint_at(address.peer);
    if (!endpoint) return endpoint.error();
    endpoints.push_back(*endpoint);
  }
  return endpoints;
}

class LoopbackPort final : public NodePort {
 public:
  explicit LoopbackPort(std::shared_ptr<LoopbackNetwork> network)
      : network_(std::move(network)), endpoint_(network_->reserve()) {}

  MemberAddress address() const override { return {address_of(endpoint_), address_of(endpoint_)}; }

  Result<Opened> open(const Options& options) override {
    auto endpoints = endpoints_of(*options.map);
    if (!endpoints) return endpoints.error();
    return Opened{std::move(*endpoints), network_->open(endpoint_, options.shards)};
  }

 private:
  const std::shared_ptr<LoopbackNetwork> network_;
  const Endpoint endpoint_;
};

class LoopbackFactory final : public TransportFactory {
 public:
  Result<std::unique_ptr<NodePort>> bind(const MemberAddress&) override {
    return std::unique_ptr<NodePort>(std::make_unique<LoopbackPort>(network_));
  }

  Result<ClientPort> open_client(const ClientOptions& options) override {
    if (!options.map)
      return Status{Code::invalid,
                    "the loopback transport reaches nodes of this process only: ask "
                    "their cluster for a client"};
    auto endpoints = endpoints_of(*options.map);
    if (!endpoints) return endpoints.error();
    LoopbackNetwork::ClientEnd end = network_->open_client();
    return ClientPort{end.endpoint, std::move(end.transport), options.map, std::move(*endpoints)};
  }

 private:
  const std::shared_ptr<LoopbackNetwork> network_ = LoopbackNetwork::make();
};

}  // namespace

std::unique_ptr<TransportFactory> make_loopback_factory() {
  return std::make_unique<LoopbackFactory>();
}

}  // namespace ringwright
