#include "replication/runtime/cluster.h"

#include <algorithm>
#include <mutex>
#include <optional>
#include <set>
#include <utility>

#include "engine/base/nearest.h"
#include "engine/base/random.h"
#include "engine/registry.h"
#include "replication/runtime/data_directory.h"
#include "replication/runtime/faulty_transport.h"
#include "replication/runtime/node_parts.h"
#include "replication/runtime/node_runner.h"
#include "replication/runtime/parts.h"
#include "replication/runtime/process_generation.h"
#include "replication/runtime/remote_client.h"
#include "replication/runtime/temporary_directory.h"
#include "replication/transport/transport_factory.h"

namespace ringwright {

class Cluster::Body {
 public:
  explicit Body(const Settings& settings) : settings_(settings) {}
  ~Body() { close(); }

  Status open();
  Result<std::shared_ptr<Client>> client(ClientOptions options);
  Result<std::shared_ptr<ClientThread>> async_client(ClientOptions options);
  Status end(std::string_view node, bool clean);
  Status restart(std::string_view node);
  Status set_paused(std::string_view node, bool paused);
  Status change_engine(std::string_view node, const EngineFaults& change);
  Status partition(const std::vector<std::vector<std::string>>& groups);
  Status change_link(std::string_view from, std::string_view to, std::optional<Nanoseconds> delay);
  void heal() { links_->heal(); }
  Result<NodeStatus> status(std::string_view node);
  std::vector<NodeStatus> status();
  Result<std::vector<Placement>> preference_list(std::string_view keyspace, ByteView key);
  void close();
  bool is_closed();
  // A child made by `fork` has neither the threads nor a right to the directories.
  bool is_foreign() const { return process_ != process_generation(); }

  const Settings& settings() const { return settings_; }
  const std::string& directory() const { return directory_; }
  const std::shared_ptr<const ClusterMap>& map() const { return map_; }
  const std::shared_ptr<const Ring>& ring() const { return map_->ring; }
  const std::vector<std::shared_ptr<const Keyspace>>& keyspaces() const { return keyspaces_; }
  std::vector<std::string> names() const;

 private:
  struct Slot {
    std::string name;
    NodeId id;
    Keyspaces keyspaces;  // with this node's engines
    std::unique_ptr<NodePort> port;
    std::unique_ptr<NodeRunner> runner;  // null while it does not run
    NodeCondition condition = NodeCondition::stopped;
    std::string failure;
  };

  Result<std::unique_ptr<NodeRunner>> open_runner(const Slot& slot, bool is_known);
  Result<NodePort::Opened> open_port(std::size_t member);
  Result<ClientParts> client_parts(const ClientOptions& options);
  Status make_map();
  Status start(std::size_t member);
  Result<std::size_t> find(std::string_view node) const;
  // mutex_ is held.
  Result<NodeRunner*> running(std::size_t member);
  NodeStatus status_of(Slot& slot);
  Status closed() const { return {Code::closed, "the cluster is closed"}; }

  const Settings settings_;
  const std::uint64_t process_ = process_generation();
  std::shared_ptr<Clock> clock_ = make_system_clock();
  std::shared_ptr<LinkTable> links_ = std::make_shared<LinkTable>();
  // These are complete before the first caller sees the cluster, and then stay as they are.
  std::unique_ptr<TemporaryDirectory> temporary_;
  std::string directory_;
  std::vector<std::shared_ptr<const Keyspace>> keyspaces_;
  std::unique_ptr<TransportFactory> network_;
  std::shared_ptr<const ClusterMap> map_;
  std::vector<Endpoint> endpoints_;  // by member index

  std::mutex mutex_;  // guards what follows
  bool closed_ = false;
  std::vector<Slot> slots_;  // by member index; names and endpoints stay as they are
  std::vector<std::weak_ptr<Client>> clients_;
  std::vector<std::weak_ptr<ClientThread>> async_clients_;
};

Status Cluster::Body::open() {
  Registry& parts = registry_with_parts();
  RW_TRY(settings_.check(parts));
  auto network = parts.create_unique<TransportFactory>(settings_.text("transport.kind"));
  if (!network) return network.error();
  network_ = std::move(*network);
  auto keyspaces = settings_.keyspaces(parts, {});
  if (!keyspaces) return keyspaces.error();
  keyspaces_ = std::move(*keyspaces);
  directory_ = settings_.text("node.data_dir");
  if (directory_.empty()) {
    auto made = TemporaryDirectory::make("ringwright-");
    if (!made) return made.error();
    temporary_ = std::move(*made);
    directory_ = temporary_->path();
  }
  for (std::uint64_t i = 1; i <= settings_.number("cluster.nodes"); ++i) {
    Slot slot;
    slot.name = "node" + std::to_string(i);
    auto own = settings_.keyspaces(parts, slot.name);
    if (!own) return own.error();
    slot.keyspaces = std::move(*own);
    auto runner = open_runner(slot, false);
    if (!runner) return runner.error();
    slot.id = (*runner)->id();
    slot.runner = std::move(*runner);
    slots_.push_back(std::move(slot));
  }
  RW_TRY(make_map());
  // All are there before the first sends a ping, so none begins as a suspect.
  std::vector<NodePort::Opened> opened;
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    auto port = open_port(i);
    if (!port) return port.error();
    endpoints_ = port->endpoints;
    opened.push_back(std::move(*port));
  }
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    NodePlace place{ring(), static_cast<std::uint32_t>(i), endpoints_,
                    std::move(opened[i].transports)};
    RW_TRY(slots_[i].runner->start(std::move(place)));
    slots_[i].condition = NodeCondition::up;
  }
  return ok_status();
}

Result<std::unique_ptr<NodeRunner>> Cluster::Body::open_runner(const Slot& slot, bool is_known) {
  DataDirectory::Wanted wanted;
  wanted.cluster = settings_.text("cluster.name");
  wanted.keyspaces = slot.keyspaces;
  if (is_known) wanted.node = slot.id;
  SystemRandom random;
  auto directory =
      DataDirectory::open(make_posix_disk(directory_ + "/" + slot.name), wanted, random);
  if (!directory) return directory.error();
  return NodeRunner::open(registry_with_parts(),
                          node_runner_settings(settings_, slot.name, slot.keyspaces),
                          std::move(*directory), clock_);
}

Result<NodePort::Opened> Cluster::Body::open_port(std::size_t member) {
  NodePort::Options options;
  options.map = map_;
  options.member = static_cast<std::uint32_t>(member);
  options.shards = static_cast<std::uint32_t>(settings_.number("node.shards"));
  options.idle_poll = settings_.duration("node.idle_poll");
  options.clock = clock_;
  return ringwright::open_port(*slots_[member].port, options, links_);
}

Status Cluster::Body::make_map() {
  std::vector<Member> members;
  std::vector<MemberAddress> addresses;
  for (Slot& slot : slots_) {
    members.push_back(
        {slot.id, slot.name, settings_.text("node.rack"), settings_.text("node.data_centre"), 1});
    auto port = network_->bind({});
    if (!port) return port.error();
    slot.port = std::move(*port);
    addresses.push_back(slot.port->address());
  }
  auto map = make_first_map(settings_, std::move(members), std::move(addresses), keyspaces_);
  if (!map) return map.error();
  map_ = std::move(*map);
  return ok_status();
}

std::vector<std::string> Cluster::Body::names() const {
  std::vector<std::string> names;
  for (const Member& member : ring()->members()) names.push_back(member.name);
  return names;
}

Result<std::size_t> Cluster::Body::find(std::string_view node) const {
  if (const auto index = ring()->index_of_name(node)) return std::size_t{*index};
  return Status{Code::invalid, "there is no node '" + std::string(node) + "'; did you mean '" +
                                   nearest_name(node, names()) + "'?"};
}

Result<ClientParts> Cluster::Body::client_parts(const ClientOptions& options) {
  if (closed_) return closed();
  TransportFactory::ClientOptions wanted;
  wanted.map = map_;
  wanted.clock = clock_;
  auto end = open_client_end(*network_, wanted, options);
  if (!end) return end.error();
  return std::move(end->parts);
}

Result<std::shared_ptr<Client>> Cluster::Body::client(ClientOptions options) {
  const std::lock_guard lock(mutex_);
  auto parts = client_parts(options);
  if (!parts) return parts.error();
  auto client = std::make_shared<Client>(std::move(*parts), std::move(options));
  std::erase_if(clients_, [](const auto& old) { return old.expired(); });
  clients_.push_back(client);
  return client;
}

Result<std::shared_ptr<ClientThread>> Cluster::Body::async_client(ClientOptions options) {
  const std::lock_guard lock(mutex_);
  auto parts = client_parts(options);
  if (!parts) return parts.error();
  auto client = ClientThread::start(std::move(*parts), std::move(options));
  if (!client) return client.error();
  std::erase_if(async_clients_, [](const auto& old) { return old.expired(); });
  async_clients_.push_back(*client);
  return client;
}

Status Cluster::Body::end(std::string_view node, bool clean) {
  const auto member = find(node);
  if (!member) return member.error();
  const std::lock_guard lock(mutex_);
  if (closed_) return closed();
  Slot& slot = slots_[*member];
  if (!slot.runner) return ok_status();
  Status status;
  if (clean)
    status = slot.runner->stop();
  else
    slot.runner->kill();
  slot.runner.reset();
  slot.condition = clean ? NodeCondition::stopped : NodeCondition::killed;
  return status;
}

Status Cluster::Body::start(std::size_t member) {
  Slot& slot = slots_[member];
  auto runner = open_runner(slot, true);
  if (!runner) return runner.error();
  auto opened = open_port(member);
  if (!opened) return opened.error();
  NodePlace place{ring(), static_cast<std::uint32_t>(member), endpoints_,
                  std::move(opened->transports)};
  RW_TRY((*runner)->start(std::move(place)));
  slot.runner = std::move(*runner);
  slot.condition = NodeCondition::up;
  slot.failure.clear();
  return ok_status();
}

Status Cluster::Body::restart(std::string_view node) {
  const auto member = find(node);
  if (!member) return member.error();
  const std::lock_guard lock(mutex_);
  if (closed_) return closed();
  if (slots_[*member].runner) return ok_status();
  Status status = start(*member);
  if (!status.is_ok()) {
    slots_[*member].condition = NodeCondition::failed;
    slots_[*member].failure = status.to_string();
  }
  return status;
}

Result<NodeRunner*> Cluster::Body::running(std::size_t member) {
  if (closed_) return closed();
  const Slot& slot = slots_[member];
  if (!slot.runner) return Status{Code::invalid, slot.name + " does not run: restart it first"};
  return slot.runner.get();
}

Status Cluster::Body::set_paused(std::string_view node, bool paused) {
  const auto member = find(node);
  if (!member) return member.error();
  const std::lock_guard lock(mutex_);
  const auto runner = running(*member);
  if (!runner) return runner.error();
  (*runner)->set_paused(paused);
  return ok_status();
}

Status Cluster::Body::change_engine(std::string_view node, const EngineFaults& change) {
  const auto member = find(node);
  if (!member) return member.error();
  const std::lock_guard lock(mutex_);
  const auto runner = running(*member);
  return runner ? (*runner)->change_engine(change) : runner.error();
}

Status Cluster::Body::partition(const std::vector<std::vector<std::string>>& groups) {
  std::vector<std::vector<Endpoint>> sides;
  std::set<std::size_t> seen;
  for (const auto& group : groups) {
    sides.emplace_back();
    for (const std::string& name : group) {
      const auto member = find(name);
      if (!member) return member.error();
      if (!seen.insert(*member).second)
        return {Code::invalid, "'" + name + "' is in two groups; a node is on one side only"};
      sides.back().push_back(endpoints_[*member]);
    }
  }
  std::vector<std::pair<Endpoint, Endpoint>> links;
  for (std::size_t i = 0; i < sides.size(); ++i)
    for (std::size_t j = 0; j < sides.size(); ++j)
      for (const Endpoint from : i == j ? std::vector<Endpoint>{} : sides[i])
        for (const Endpoint to : sides[j]) links.emplace_back(from, to);
  links_->partition(std::move(links));
  return ok_status();
}

Status Cluster::Body::change_link(std::string_view from, std::string_view to,
                                  std::optional<Nanoseconds> delay) {
  const auto source = find(from);
  if (!source) return source.error();
  const auto target = find(to);
  if (!target) return target.error();
  if (delay && *delay < 0) return {Code::invalid, "a delay is not negative"};
  if (delay)
    links_->delay(endpoints_[*source], endpoints_[*target], *delay);
  else
    links_->cut(endpoints_[*source], endpoints_[*target]);
  return ok_status();
}

NodeStatus Cluster::Body::status_of(Slot& slot) {
  NodeStatus status;
  if (slot.runner) {
    status = slot.runner->status();
  } else {
    status.condition = slot.condition;
    status.failure = slot.failure;
  }
  status.name = slot.name;
  status.id = slot.id;
  status.address = slot.port->address().client;
  status.directory = directory_ + "/" + slot.name;
  return status;
}

Result<NodeStatus> Cluster::Body::status(std::string_view node) {
  const auto member = find(node);
  if (!member) return member.error();
  const std::lock_guard lock(mutex_);
  return status_of(slots_[*member]);
}

std::vector<NodeStatus> Cluster::Body::status() {
  const std::lock_guard lock(mutex_);
  std::vector<NodeStatus> all;
  for (Slot& slot : slots_) all.push_back(status_of(slot));
  return all;
}

Result<std::vector<Placement>> Cluster::Body::preference_list(std::string_view keyspace,
                                                              ByteView key) {
  std::vector<bool> up;
  {
    const std::lock_guard lock(mutex_);
    for (const Slot& slot : slots_) up.push_back(slot.runner != nullptr);
  }
  return place_key(*map_, keyspace, key, up);
}

void Cluster::Body::close() {
  std::vector<std::weak_ptr<Client>> clients;
  std::vector<std::weak_ptr<ClientThread>> async_clients;
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(closed_, true)) return;
    clients.swap(clients_);
    async_clients.swap(async_clients_);
  }
  for (const auto& weak : clients)
    if (const auto client = weak.lock()) client->close();
  for (const auto& weak : async_clients)
    if (const auto client = weak.lock()) client->close();
  const std::lock_guard lock(mutex_);
  for (Slot& slot : slots_) {
    if (!slot.runner) continue;
    // A temporary directory is about to go: nothing in it is worth a flush.
    if (temporary_)
      slot.runner->kill();
    else
      slot.runner->stop().ignore("what was acknowledged is kept without the flush");
    slot.runner.reset();
    slot.condition = NodeCondition::stopped;
  }
  temporary_.reset();
}

bool Cluster::Body::is_closed() {
  const std::lock_guard lock(mutex_);
  return closed_;
}

Cluster::Cluster(std::unique_ptr<Body> body) : body_(std::move(body)) {}
Cluster::~Cluster() {
  if (body_->is_foreign()) body_.release();
}

Result<std::unique_ptr<Cluster>> Cluster::local(const Settings& settings) {
  auto body = std::make_unique<Body>(settings);
  RW_TRY(body->open());
  return std::unique_ptr<Cluster>(new Cluster(std::move(body)));
}

Result<std::shared_ptr<Client>> Cluster::client(ClientOptions options) {
  return body_->client(std::move(options));
}

Result<std::shared_ptr<ClientThread>> Cluster::async_client(ClientOptions options) {
  return body_->async_client(std::move(options));
}

ClientOptions Cluster::client_options() const {
  ClientOptions options;
  options.timeout = settings().duration("client.timeout");
  options.retries = static_cast<std::uint32_t>(settings().number("client.retries"));
  return options;
}

Status Cluster::stop(std::string_view node) { return body_->end(node, true); }
Status Cluster::kill(std::string_view node) { return body_->end(node, false); }
Status Cluster::restart(std::string_view node) { return body_->restart(node); }
Status Cluster::pause(std::string_view node) { return body_->set_paused(node, true); }
Status Cluster::resume(std::string_view node) { return body_->set_paused(node, false); }
Status Cluster::change_engine(std::string_view node, const EngineFaults& change) {
  return body_->change_engine(node, change);
}
Status Cluster::partition(const std::vector<std::vector<std::string>>& groups) {
  return body_->partition(groups);
}
Status Cluster::cut(std::string_view from, std::string_view to) {
  return body_->change_link(from, to, std::nullopt);
}
Status Cluster::delay(std::string_view from, std::string_view to, Nanoseconds delay) {
  return body_->change_link(from, to, delay);
}
void Cluster::heal() { body_->heal(); }

std::vector<std::string> Cluster::node_names() const { return body_->names(); }
Result<NodeStatus> Cluster::status(std::string_view node) const { return body_->status(node); }
std::vector<NodeStatus> Cluster::status() const { return body_->status(); }
std::shared_ptr<const Ring> Cluster::ring() const { return body_->ring(); }
std::shared_ptr<const ClusterMap> Cluster::map() const { return body_->map(); }
Result<std::vector<Placement>> Cluster::preference_list(std::string_view keyspace,
                                                        ByteView key) const {
  return body_->preference_list(keyspace, key);
}
std::vector<std::shared_ptr<const Keyspace>> Cluster::keyspaces() const {
  return body_->keyspaces();
}
const Settings& Cluster::settings() const { return body_->settings(); }
std::string Cluster::directory() const { return body_->directory(); }

void Cluster::close() {
  if (!body_->is_foreign()) body_->close();
}
bool Cluster::is_closed() const { return body_->is_foreign() || body_->is_closed(); }

}  // namespace ringwright
