#include "replication/daemon/node_service.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>
#include <optional>
#include <utility>

#include "engine/base/nearest.h"
#include "engine/base/random.h"
#include "engine/registry.h"
#include "replication/config/address.h"
#include "replication/daemon/admin_pages.h"
#include "replication/daemon/engine_fault_json.h"
#include "replication/daemon/http_server.h"
#include "replication/daemon/metrics_text.h"
#include "replication/daemon/node_json.h"
#include "replication/daemon/node_metrics.h"
#include "replication/runtime/data_directory.h"
#include "replication/runtime/node_parts.h"
#include "replication/runtime/parts.h"
#include "replication/runtime/process_generation.h"

namespace ringwright {
namespace {

// An engine this near to stalling is worth telling an operator of.
constexpr double pressure_worth_telling = 0.9;

using Fields = std::vector<std::pair<std::string, std::string>>;

Result<std::unique_ptr<TransportFactory>> make_network(const Settings& settings) {
  auto made =
      registry_with_parts().create_unique<TransportFactory>(settings.text("transport.kind"));
  if (!made) return Status{made.error().code(), "transport.kind: " + made.error().message()};
  return made;
}

Status faults_are_not_allowed() {
  return {Code::invalid, "faults need dev.faults=true in the node's configuration"};
}

// What others are told; where the configuration leaves it out, or leaves the port to the system,
// that is where the node listens.
std::string advertised(const std::string& configured, const std::string& bound) {
  if (configured.empty()) return bound;
  const auto address = parse_address(configured);
  return address && address->port != 0 ? configured : bound;
}

}  // namespace

std::string_view service_state_name(ServiceState state) {
  switch (state) {
    case ServiceState::starting:
      return "starting";
    case ServiceState::serving:
      return "serving";
    case ServiceState::draining:
      return "draining";
    case ServiceState::stopped:
      return "stopped";
  }
  return "";
}

Status check_node_settings(const Settings& settings) {
  RW_TRY(settings.check(registry_with_parts()));
  return make_network(settings).status();
}

class NodeService::Body final : public AdminSource {
 public:
  Body(const Settings& settings, std::shared_ptr<EventLog> events)
      : settings_(settings.for_node()), events_(std::move(events)) {}
  ~Body() override { end(false).ignore("a death is no failure"); }

  Status open();
  Status drain();
  Status end(bool clean);

  Addresses addresses() const { return addresses_; }
  const std::string& name() const { return own_.name; }
  NodeId id() const { return own_.id; }
  ServiceState state() const { return state_; }
  bool is_foreign() const { return process_ != process_generation(); }

  NodeStatus node_status();
  std::vector<HealthCheck> checks();
  Status set_faults(std::vector<LinkFault> faults);
  std::vector<LinkFault> known_faults() const;
  Status change_engines(const std::vector<EngineFaults>& changes);
  std::vector<EngineFaults> engine_faults();
  bool may_inject_faults() const { return links_ != nullptr; }

  HttpResponse metrics() override;
  HttpResponse readiness() override;
  HttpResponse health(bool verbose) override;
  HttpResponse status() override;
  HttpResponse faults() override;
  HttpResponse replace_link_faults(const std::string& body) override;
  HttpResponse change_engine_faults(const std::string& body) override;

 private:
  HttpResponse faults_after(const Status& changed);
  Status open_admin();
  Status bind_port();
  Status make_map();
  Status open_runner();
  Status start_runner();
  Status end_runner(bool clean);
  void watch(const std::shared_ptr<const View>& view);
  void note(Severity severity, std::string name, std::string message, Fields fields = {});
  Result<std::uint32_t> member_named(const std::string& name) const;
  std::vector<HealthCheck> keyspace_checks(const NodeStatus& status) const;

  const Settings settings_;
  const std::shared_ptr<EventLog> events_;
  const std::uint64_t process_ = process_generation();
  const std::shared_ptr<Clock> clock_ = make_system_clock();
  std::atomic<ServiceState> state_{ServiceState::starting};

  // These are complete before the node serves, and then stay as they are. The admin port looks at
  // them only once it does.
  Member own_;
  Addresses addresses_;
  Keyspaces keyspaces_;
  std::unique_ptr<TransportFactory> network_;
  std::shared_ptr<const ClusterMap> map_;
  std::uint32_t member_ = 0;
  std::vector<Endpoint> endpoints_;
  std::shared_ptr<LinkTable> links_;  // null: faults are not allowed

  std::vector<MemberState> seen_;  // only the thread that calls `watch` has it

  mutable std::mutex faults_mutex_;  // guards faults_
  std::vector<LinkFault> faults_;

  std::mutex life_mutex_;  // held while the node is ended
  std::mutex mutex_;       // guards what follows
  std::unique_ptr<NodePort> port_;
  std::unique_ptr<NodeRunner> runner_;
  NodeStatus last_;  // what is shown while no runner can be asked

  std::unique_ptr<HttpServer> admin_;  // last: its threads look at all of the above
};

void NodeService::Body::note(Severity severity, std::string name, std::string message,
                             Fields fields) {
  if (!events_) return;
  fields.emplace(fields.begin(), "node", own_.name);
  events_->note({severity, std::move(name), std::move(message), std::move(fields)});
}

Status NodeService::Body::open() {
  own_.name = settings_.text("node.name");
  note(Severity::info, "node_starting", own_.name + " starts.",
       {{"cluster", settings_.text("cluster.name")},
        {"directory", settings_.text("node.data_dir")}});
  const auto open_all = [&]() -> Status {
    RW_TRY(settings_.check(registry_with_parts()));
    auto network = make_network(settings_);
    if (!network) return network.error();
    network_ = std::move(*network);
    auto keyspaces = settings_.keyspaces(registry_with_parts(), settings_.text("node.name"));
    if (!keyspaces) return keyspaces.error();
    keyspaces_ = std::move(*keyspaces);
    if (settings_.flag("dev.faults")) links_ = std::make_shared<LinkTable>();
    RW_TRY(open_admin());
    RW_TRY(bind_port());
    RW_TRY(make_map());
    RW_TRY(open_runner());
    return start_runner();
  };
  const Status opened = open_all();
  if (!opened.is_ok()) {
    note(Severity::error, "node_failed", own_.name + " cannot start: " + opened.message(),
         {{"code", std::string(code_name(opened.code()))}});
    return opened;
  }
  state_ = ServiceState::serving;
  note(Severity::info, "node_ready", own_.name + " serves.",
       {{"id", to_string(own_.id)},
        {"client", addresses_.client},
        {"peer", addresses_.peer},
        {"admin", addresses_.admin}});
  return ok_status();
}

Status NodeService::Body::open_admin() {
  const std::string wanted = settings_.text("listen.admin");
  if (wanted.empty()) return ok_status();
  auto server = HttpServer::listen(*parse_address(wanted), [this](const HttpRequest& request) {
    return admin_page(*this, request);
  });
  if (!server) return {server.error().code(), "listen.admin: " + server.error().message()};
  admin_ = std::move(*server);
  addresses_.admin = format_address(admin_->address());
  return ok_status();
}

Status NodeService::Body::bind_port() {
  auto port = network_->bind({settings_.text("listen.client"), settings_.text("listen.peer")});
  if (!port) return port.error();
  port_ = std::move(*port);
  const MemberAddress bound = port_->address();
  addresses_.client = bound.client;
  addresses_.peer = bound.peer;
  return ok_status();
}

Status NodeService::Body::make_map() {
  std::vector<Member> members;
  std::vector<MemberAddress> places;
  for (const MemberSettings& known : settings_.members()) {
    if (known.member.name == own_.name) {
      member_ = static_cast<std::uint32_t>(members.size());
      own_ = known.member;
      places.push_back(
          {advertised(known.client, addresses_.client), advertised(known.peer, addresses_.peer)});
    } else {
      places.push_back({known.client, known.peer});
    }
    members.push_back(known.member);
  }
  auto map = make_first_map(settings_, std::move(members), std::move(places), keyspaces_);
  if (!map) return map.error();
  map_ = std::move(*map);
  seen_.assign(map_->ring->members().size(), MemberState::alive);
  return ok_status();
}

Status NodeService::Body::open_runner() {
  DataDirectory::Wanted wanted;
  wanted.cluster = settings_.text("cluster.name");
  wanted.keyspaces = keyspaces_;
  wanted.node = own_.id;
  wanted.may_create = true;
  SystemRandom random;
  auto directory =
      DataDirectory::open(make_posix_disk(settings_.text("node.data_dir")), wanted, random);
  if (!directory) return directory.error();
  NodeRunnerSettings settings = node_runner_settings(settings_, own_.name, keyspaces_);
  settings.watch_view = [this](const std::shared_ptr<const View>& view) { watch(view); };
  auto runner =
      NodeRunner::open(registry_with_parts(), std::move(settings), std::move(*directory), clock_);
  if (!runner) return runner.error();
  const std::lock_guard lock(mutex_);
  runner_ = std::move(*runner);
  last_ = runner_->status();
  last_.address = addresses_.client;
  return ok_status();
}

Status NodeService::Body::start_runner() {
  NodePort::Options options;
  options.map = map_;
  options.member = member_;
  options.shards = static_cast<std::uint32_t>(settings_.number("node.shards"));
  options.idle_poll = settings_.duration("node.idle_poll");
  options.clock = clock_;
  options.events = events_;
  auto opened = open_port(*port_, options, links_);
  if (!opened) return opened.error();
  endpoints_ = opened->endpoints;
  return runner_->start({map_->ring, member_, endpoints_, std::move(opened->transports)});
}

void NodeService::Body::watch(const std::shared_ptr<const View>& view) {
  for (std::size_t i = 0; i < view->states.size() && i < seen_.size(); ++i) {
    if (view->states[i] == seen_[i]) continue;
    const std::string& member = view->ring->members()[i].name;
    const std::string state(member_state_name(view->states[i]));
    note(view->states[i] == MemberState::alive ? Severity::info : Severity::warning,
         "member_state_changed", member + " is " + state + ".",
         {{"member", member}, {"from", std::string(member_state_name(seen_[i]))}, {"to", state}});
    seen_[i] = view->states[i];
  }
}

NodeStatus NodeService::Body::node_status() {
  const std::lock_guard lock(mutex_);
  if (state_ != ServiceState::serving || !runner_) return last_;
  NodeStatus status = runner_->status();
  status.address = addresses_.client;
  return status;
}

// What is asked of the engines and shards is kept for as long as nobody can be asked.
Status NodeService::Body::drain() {
  const std::lock_guard life(life_mutex_);
  if (state_ != ServiceState::serving) return ok_status();
  NodeStatus last = node_status();
  {
    const std::lock_guard lock(mutex_);
    last_ = std::move(last);
    state_ = ServiceState::draining;
  }
  note(Severity::info, "node_draining", own_.name + " finishes what is in flight.");
  return end_runner(true);
}

// The runner is ended outside of the lock, so that the admin port answers meanwhile.
Status NodeService::Body::end_runner(bool clean) {
  Status status;
  if (clean)
    status = runner_->stop();
  else
    runner_->kill();
  {
    const std::lock_guard lock(mutex_);
    last_.condition = clean ? NodeCondition::stopped : NodeCondition::killed;
    last_.engines.clear();
    if (!status.is_ok()) last_.failure = status.to_string();
    state_ = ServiceState::stopped;
  }
  if (!clean) return status;
  if (status.is_ok())
    note(Severity::info, "node_stopped", own_.name + " has stopped.");
  else
    note(Severity::error, "node_failed", own_.name + " did not stop cleanly: " + status.message(),
         {{"code", std::string(code_name(status.code()))}});
  return status;
}

Status NodeService::Body::end(bool clean) {
  Status status;
  if (clean) status = drain();
  const std::lock_guard life(life_mutex_);
  if (admin_) admin_->close();
  if (runner_ && state_ != ServiceState::stopped)
    end_runner(false).ignore("nothing is flushed, so nothing fails");
  const std::lock_guard lock(mutex_);
  runner_.reset();
  port_.reset();
  state_ = ServiceState::stopped;
  return status;
}

std::vector<HealthCheck> NodeService::Body::keyspace_checks(const NodeStatus& status) const {
  const auto alive = static_cast<std::size_t>(
      std::count_if(status.members.begin(), status.members.end(),
                    [](const auto& entry) { return entry.second == MemberState::alive; }));
  std::vector<HealthCheck> checks;
  for (const auto& keyspace : keyspaces_) {
    HealthCheck check{"keyspace " + keyspace->name, HealthCheck::Verdict::good,
                      "Enough members are alive for its r and w."};
    if (alive < std::max(keyspace->r, keyspace->w)) {
      check.verdict = HealthCheck::Verdict::failing;
      check.reason = "Keyspace " + keyspace->name + " needs r=" + std::to_string(keyspace->r) +
                     " and w=" + std::to_string(keyspace->w) + " nodes, and this node sees " +
                     std::to_string(alive) + " alive.";
    }
    checks.push_back(std::move(check));
  }
  return checks;
}

std::vector<HealthCheck> NodeService::Body::checks() {
  using Verdict = HealthCheck::Verdict;
  const ServiceState state = state_;
  const std::string name(service_state_name(state));
  if (state != ServiceState::serving)
    return {{"node", Verdict::failing, "The node is " + name + " and takes no requests."}};
  const NodeStatus status = node_status();
  std::vector<HealthCheck> checks = {{"node", Verdict::good, "The node is serving."}};
  for (const auto& [member, seen] : status.members)
    checks.push_back({"member " + member,
                      seen == MemberState::alive ? Verdict::good : Verdict::degraded,
                      "Member " + member + " is " + std::string(member_state_name(seen)) + "."});
  for (HealthCheck& check : keyspace_checks(status)) checks.push_back(std::move(check));
  for (const EngineStatus& engine : status.engines)
    checks.push_back({"engine " + engine.keyspace,
                      engine.pressure < pressure_worth_telling ? Verdict::good : Verdict::degraded,
                      "The engine of " + engine.keyspace + " is under a pressure of " +
                          std::to_string(engine.pressure).substr(0, 4) + "."});
  if (const std::size_t count = known_faults().size(); may_inject_faults())
    checks.push_back({"faults", count == 0 ? Verdict::good : Verdict::degraded,
                      std::to_string(count) + " links are faulty on purpose."});
  for (const EngineFaults& engine : engine_faults())
    if (engine.paused.value_or(false) || !engine.faults.empty())
      checks.push_back({"engine faults " + engine.keyspace, Verdict::degraded,
                        "The engine of " + engine.keyspace +
                            (engine.paused.value_or(false) ? " stands still" : " fails") +
                            " on purpose."});
  return checks;
}

Result<std::uint32_t> NodeService::Body::member_named(const std::string& name) const {
  if (const auto index = map_->ring->index_of_name(name)) return *index;
  std::vector<std::string> names;
  for (const Member& member : map_->ring->members()) names.push_back(member.name);
  return Status{Code::invalid, "there is no member '" + name + "'; did you mean '" +
                                   nearest_name(name, names) + "'?"};
}

Status NodeService::Body::set_faults(std::vector<LinkFault> faults) {
  if (!links_) return faults_are_not_allowed();
  if (state_ == ServiceState::starting)
    return {Code::unavailable, "the node is starting: try again when it is ready"};
  LinkTable::Links links;
  for (const LinkFault& fault : faults) {
    const auto from = member_named(fault.from);
    if (!from) return from.error();
    const auto to = member_named(fault.to);
    if (!to) return to.error();
    if (*from == *to) return {Code::invalid, fault.from + " has no link to itself"};
    links[{endpoints_[*from], endpoints_[*to]}] = {fault.cut, milliseconds(fault.delay_ms)};
  }
  const std::lock_guard lock(faults_mutex_);
  links_->replace(std::move(links));
  faults_ = std::move(faults);
  note(Severity::warning, "faults_changed",
       std::to_string(faults_.size()) + " links are faulty on purpose.",
       {{"links", link_faults_json(faults_)}});
  return ok_status();
}

std::vector<LinkFault> NodeService::Body::known_faults() const {
  const std::lock_guard lock(faults_mutex_);
  return faults_;
}

// The runner is asked under the lock, so that nobody ends it meanwhile.
Status NodeService::Body::change_engines(const std::vector<EngineFaults>& changes) {
  if (!links_) return faults_are_not_allowed();
  const std::lock_guard lock(mutex_);
  if (state_ != ServiceState::serving || !runner_)
    return {Code::unavailable, "the node does not serve: try again when it is ready"};
  for (const EngineFaults& change : changes) RW_TRY(runner_->change_engine(change));
  note(Severity::warning, "faults_changed", "Engines are made to fail or stand still on purpose.",
       {{"faults", faults_json({}, runner_->engine_faults())}});
  return ok_status();
}

std::vector<EngineFaults> NodeService::Body::engine_faults() {
  const std::lock_guard lock(mutex_);
  if (state_ != ServiceState::serving || !runner_) return {};
  return runner_->engine_faults();
}

HttpResponse NodeService::Body::metrics() {
  HttpResponse response{200, metrics_text(node_status(), state_, process_figures())};
  response.content_type = MetricsText::content_type;
  return response;
}

HttpResponse NodeService::Body::readiness() {
  const ServiceState state = state_;
  const std::string name(service_state_name(state));
  if (state == ServiceState::serving) return {200, "{\"status\":\"ready\",\"reasons\":[]}\n"};
  return {503, "{\"status\":\"not ready\",\"reasons\":[\"The node is " + name + ".\"]}\n"};
}

HttpResponse NodeService::Body::health(bool verbose) {
  const std::vector<HealthCheck> found = checks();
  const bool fails = std::any_of(found.begin(), found.end(), [](const HealthCheck& check) {
    return check.verdict == HealthCheck::Verdict::failing;
  });
  return {fails ? 503 : 200, health_json(found, verbose)};
}

HttpResponse NodeService::Body::status() {
  if (state_ == ServiceState::starting) return {503, error_json("the node is starting")};
  return {200, status_json(node_status())};
}

HttpResponse NodeService::Body::faults() {
  if (!links_) return {403, error_json(faults_are_not_allowed().message())};
  return {200, faults_json(known_faults(), engine_faults()) + "\n"};
}

// The page as it is afterwards, or why it was not changed.
HttpResponse NodeService::Body::faults_after(const Status& changed) {
  if (changed.is_ok()) return faults();
  return {changed.code() == Code::unavailable ? 503 : 400, error_json(changed.message())};
}

HttpResponse NodeService::Body::replace_link_faults(const std::string& body) {
  if (!links_) return faults();
  auto wanted = parse_link_faults(body);
  return faults_after(wanted ? set_faults(std::move(*wanted)) : wanted.error());
}

HttpResponse NodeService::Body::change_engine_faults(const std::string& body) {
  if (!links_) return faults();
  const auto wanted = parse_engine_changes(body);
  return faults_after(wanted ? change_engines(*wanted) : wanted.error());
}

NodeService::NodeService(std::unique_ptr<Body> body) : body_(std::move(body)) {}
NodeService::~NodeService() {
  // A child made by `fork` has neither the threads nor a right to the directory.
  if (body_->is_foreign()) body_.release();
}

Result<std::unique_ptr<NodeService>> NodeService::open(const Settings& settings,
                                                       std::shared_ptr<EventLog> events) {
  auto body = std::make_unique<Body>(settings, std::move(events));
  RW_TRY(body->open());
  return std::unique_ptr<NodeService>(new NodeService(std::move(body)));
}

NodeService::Addresses NodeService::addresses() const { return body_->addresses(); }
const std::string& NodeService::name() const { return body_->name(); }
NodeId NodeService::id() const { return body_->id(); }
ServiceState NodeService::state() const {
  return body_->is_foreign() ? ServiceState::stopped : body_->state();
}
NodeStatus NodeService::status() {
  return body_->is_foreign() ? NodeStatus{} : body_->node_status();
}
std::vector<HealthCheck> NodeService::health() { return body_->checks(); }
Status NodeService::set_faults(std::vector<LinkFault> faults) {
  return body_->set_faults(std::move(faults));
}
std::vector<LinkFault> NodeService::faults() const { return body_->known_faults(); }
Status NodeService::change_engines(const std::vector<EngineFaults>& changes) {
  return body_->is_foreign() ? ok_status() : body_->change_engines(changes);
}
std::vector<EngineFaults> NodeService::engine_faults() {
  return body_->is_foreign() ? std::vector<EngineFaults>{} : body_->engine_faults();
}
bool NodeService::may_inject_faults() const { return body_->may_inject_faults(); }
Status NodeService::drain() { return body_->is_foreign() ? ok_status() : body_->drain(); }
Status NodeService::stop() { return body_->is_foreign() ? ok_status() : body_->end(true); }
void NodeService::kill() {
  if (!body_->is_foreign()) body_->end(false).ignore("a death is no failure");
}

}  // namespace ringwright
