#include "engine/base/check.h"
#include "replication/simulation/swarm_run.h"

namespace ringwright {
namespace {

constexpr std::size_t contexts_kept_max = 32;  // of each key

Bytes key_name(std::uint64_t index) { return "k" + std::to_string(index); }

}  // namespace

SwarmWorkload::SwarmWorkload(Simulation& world, const SwarmParameters& parameters)
    : world_(world), parameters_(parameters), random_(world.stream("workload")) {}

std::vector<Bytes> SwarmWorkload::keys() const {
  std::vector<Bytes> names;
  for (std::uint32_t index = 0; index < parameters_.keys; ++index) names.push_back(key_name(index));
  return names;
}

void SwarmWorkload::start() {
  left_ = parameters_.operations;
  running_ = parameters_.world.clients;
  world_.on_finished([this](OperationHandle handle) { finished(handle); });
  for (std::uint32_t client = 0; client < parameters_.world.clients; ++client)
    world_.at(random_.between(0, milliseconds(50)), [this, client] { step(client); });
}

void SwarmWorkload::step(std::uint32_t client) {
  if (left_ == 0) {
    --running_;
    return;
  }
  --left_;
  if (random_.chance(0.03)) world_.forget_contexts(client);
  const Bytes key = key_name(random_.below(parameters_.keys));
  const NodeIndex node = draw_node(key);
  OperationHandle handle = 0;
  if (random_.chance(parameters_.get_share)) {
    handle = world_.start_get(node, key, draw_options(client, key, false));
  } else if (random_.chance(parameters_.remove_share)) {
    handle = world_.start_remove(node, key, draw_options(client, key, true));
  } else {
    handle = world_.start_put(node, key, draw_value(key, client), draw_options(client, key, true));
  }
  clients_[handle] = client;
}

void SwarmWorkload::finished(OperationHandle handle) {
  const auto at = clients_.find(handle);
  if (at == clients_.end()) return;
  const std::uint32_t client = at->second;
  clients_.erase(at);
  const OperationResult& result = world_.result(handle);
  auto& contexts = contexts_[world_.history()[handle - 1].key];
  if (!result.context.empty() && contexts.size() < contexts_kept_max)
    contexts.push_back(result.context);
  const Nanoseconds think = random_.between(0, parameters_.think_max);
  world_.at(world_.now() + think, [this, client] { step(client); });
}

NodeIndex SwarmWorkload::draw_node(const Bytes& key) {
  if (clone_ && random_.chance(0.4)) return *clone_;
  if (random_.chance(parameters_.primary_share)) {
    const auto owners = world_.primaries_of(key);
    return owners[random_.below(owners.size())];
  }
  return static_cast<NodeIndex>(random_.below(parameters_.world.nodes));
}

OperationOptions SwarmWorkload::draw_options(std::uint32_t client, const Bytes& key,
                                             bool is_write) {
  OperationOptions options;
  options.client = client;
  options.timeout = parameters_.timeout;
  if (random_.chance(parameters_.level_share)) {
    const std::uint32_t least = is_write ? parameters_.w_min : 1;
    options.level = static_cast<std::uint32_t>(random_.between(least, parameters_.world.n));
  }
  if (is_write) {
    const auto& contexts = contexts_[key];
    if (random_.chance(parameters_.stale_share) && !contexts.empty())
      options.context = contexts[random_.below(contexts.size())];
    else
      options.remembered = random_.chance(parameters_.remembered_share);
  }
  while (options.retry_through.size() < 3 && random_.chance(parameters_.retry_share))
    options.retry_through.push_back(draw_node(key));
  return options;
}

// Unique in the run, and its length is drawn: "k3/c1:17" and perhaps a tail.
Bytes SwarmWorkload::draw_value(const Bytes& key, std::uint32_t client) {
  Bytes value = key + "/c" + std::to_string(client) + ":" + std::to_string(++values_);
  if (!random_.chance(parameters_.large_share)) return value;
  value += "/";
  value.append(random_.below(parameters_.value_bytes_max), static_cast<char>('a' + values_ % 26));
  return value;
}

}  // namespace ringwright
