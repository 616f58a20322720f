#include "replication/runtime/shard_loop.h"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <utility>
#include <variant>

#include "engine/base/limits.h"
#include "replication/runtime/thread_name.h"

namespace ringwright {

ShardLoop::ShardLoop(Parts parts)
    : name_(std::move(parts.name)),
      endpoint_(parts.settings.endpoint),
      shard_index_(parts.settings.shard),
      shards_(parts.settings.shards),
      members_(parts.settings.endpoints),
      shard_(std::move(parts.settings), parts.state),
      node_(std::move(parts.node)),
      transport_(std::move(parts.transport)),
      clock_(std::move(parts.clock)),
      publish_(std::move(parts.publish)),
      report_unreachable_(std::move(parts.report_unreachable)),
      desk_(parts.engines, parts.system, *parts.executor,
            [this](EngineDesk::Returned returned) {
              leave_input([&](Inputs& inputs) { inputs.returned.push_back(std::move(returned)); });
            }),
      node_desk_(parts.engines, parts.system, *parts.executor,
                 [this](EngineDesk::Returned returned) {
                   leave_input([&](Inputs& inputs) {
                     inputs.node_returned.push_back(std::move(returned));
                   });
                 }),
      requests_(parts.engines.size() + 1),
      view_(parts.state->view) {}

ShardLoop::~ShardLoop() {
  request_end(End::at_once);
  join();
}

void ShardLoop::start() {
  thread_ = std::thread([this] {
    name_this_thread(name_);
    run();
  });
}

void ShardLoop::request_end(End end) {
  if (end == End::at_once) at_once_ = true;
  ending_ = true;
  control_ = true;
  {
    const std::lock_guard lock(control_mutex_);
    control_changed_.notify_all();
  }
  transport_->wake();
}

void ShardLoop::join() {
  if (thread_.joinable()) thread_.join();
}

void ShardLoop::set_paused(bool paused) {
  {
    const std::lock_guard lock(control_mutex_);
    paused_ = paused;
    control_changed_.notify_all();
  }
  control_ = true;
  transport_->wake();
}

void ShardLoop::update(std::shared_ptr<const NodeState> state) {
  leave_input([&](Inputs& inputs) { inputs.state = std::move(state); });
}

void ShardLoop::hear_unreachable(Endpoint endpoint) {
  leave_input([&](Inputs& inputs) { inputs.unreachable.push_back(endpoint); });
}

void ShardLoop::leave_input(const std::function<void(Inputs&)>& change) {
  bool is_first = false;
  {
    const std::lock_guard lock(inputs_mutex_);
    change(inputs_);
    is_first = !has_inputs_.exchange(true);
  }
  if (is_first) transport_->wake();
}

ShardLoop::Snapshot ShardLoop::snapshot() {
  std::unique_lock lock(control_mutex_);
  if (ended_ || paused_) return snapshot_;
  const std::uint64_t before = snapshot_number_;
  snapshot_wanted_ = true;
  control_ = true;
  transport_->wake();
  control_changed_.wait_for(lock, std::chrono::nanoseconds(limits::status_wait),
                            [&] { return snapshot_number_ != before || ended_ || paused_; });
  return snapshot_;
}

void ShardLoop::answer_snapshot() {
  Snapshot taken;
  taken.counters = shard_.counters().values();
  taken.requests = requests_;
  taken.replicas = shard_.replica_counts();
  taken.view = view_;
  taken.may_hold_fallback_rows = shard_.may_hold_fallback_rows();
  taken.counters["ringwright_loop_wake_ups_total"] += wake_ups_;
  taken.counters["ringwright_loop_messages_sent_total"] += sent_;
  taken.counters["ringwright_engine_calls_inline_total"] +=
      desk_.inline_count() + node_desk_.inline_count();
  taken.counters["ringwright_engine_calls_executor_total"] +=
      desk_.handed_away_count() + node_desk_.handed_away_count();
  for (const auto& [name, count] : transport_->counters()) taken.counters[name] += count;
  const std::lock_guard lock(control_mutex_);
  snapshot_ = std::move(taken);
  ++snapshot_number_;
  control_changed_.notify_all();
}

bool ShardLoop::should_end() {
  if (!ending_) return false;
  if (at_once_) return true;
  const Instant now = clock_->now();
  if (drain_until_ == never) drain_until_ = now + limits::drain_deadline;
  return (desk_.is_idle() && node_desk_.is_idle()) || now >= drain_until_;
}

bool ShardLoop::wait_while_paused() {
  std::unique_lock lock(control_mutex_);
  control_changed_.wait(lock, [this] { return !paused_ || at_once_ || ending_; });
  return !at_once_;
}

void ShardLoop::run() {
  const Transport::Sink sink{[this](Envelope&& envelope) { receive(std::move(envelope)); },
                             [this](Endpoint endpoint) { note_unreachable(endpoint); }};
  // The machines have work from the start on: a first scan, a first ping.
  transport_->wake();
  for (;;) {
    if (control_.exchange(false)) {
      if (!wait_while_paused()) break;
      if (snapshot_wanted_.exchange(false)) answer_snapshot();
    }
    if (should_end()) break;
    moment_is_read_ = false;
    heard_.clear();
    transport_->poll(next_wake(), sink);
    ++wake_ups_;
    if (at_once_) break;
    take_inputs();
    tick();
    settle();
  }
  transport_->close();
  answer_snapshot();
  const std::lock_guard lock(control_mutex_);
  ended_ = true;
  control_changed_.notify_all();
}

Instant ShardLoop::next_wake() const {
  Instant wake = std::min(shard_.next_deadline(), desk_.next_retry());
  if (node_) wake = std::min({wake, node_->next_deadline(), node_desk_.next_retry()});
  // Somebody waits for the end: it must not depend on a message.
  if (ending_) wake = std::min(wake, clock_->now() + limits::executor_retry_after);
  return wake;
}

const Moment& ShardLoop::moment() {
  if (!std::exchange(moment_is_read_, true)) moment_ = read_clock();
  return moment_;
}

void ShardLoop::receive(Envelope&& envelope) {
  note_heard(envelope.source);
  const bool is_ping = std::holds_alternative<Ping>(envelope.message) ||
                       std::holds_alternative<Pong>(envelope.message);
  if (!is_ping)
    shard_.receive(std::move(envelope), moment());
  else if (node_)
    node_->receive(envelope, moment());
}

void ShardLoop::note_heard(Endpoint endpoint) {
  if (!node_ || std::find(heard_.begin(), heard_.end(), endpoint) != heard_.end()) return;
  // Clients are no members, and there may be many of them.
  if (std::find(members_.begin(), members_.end(), endpoint) == members_.end()) return;
  heard_.push_back(endpoint);
  node_->heard_from(endpoint, moment());
}

void ShardLoop::note_unreachable(Endpoint endpoint) {
  shard_.unreachable(endpoint, moment());
  if (node_)
    node_->unreachable(endpoint, moment());
  else
    report_unreachable_(endpoint);
}

void ShardLoop::take_inputs() {
  if (!has_inputs_) return;
  Inputs inputs;
  {
    const std::lock_guard lock(inputs_mutex_);
    std::swap(inputs, inputs_);
    has_inputs_ = false;
  }
  if (inputs.state) set_state(std::move(inputs.state));
  // Of the node's alone: each shard hears itself of its own connections.
  for (const Endpoint endpoint : inputs.unreachable) node_->unreachable(endpoint, moment());
  for (auto& returned : inputs.returned) desk_.take_back(std::move(returned), done_);
  for (auto& returned : inputs.node_returned) node_desk_.take_back(std::move(returned), node_done_);
}

void ShardLoop::set_state(std::shared_ptr<const NodeState> state) {
  view_ = state->view;
  shard_.update(std::move(state));
}

void ShardLoop::tick() {
  const Instant now = moment().now;
  if (desk_.next_retry() <= now) desk_.retry(now);
  if (node_desk_.next_retry() <= now) node_desk_.retry(now);
  if (node_ && node_->next_deadline() <= now) node_->tick(moment_);
  if (shard_.next_deadline() <= now) shard_.tick(moment_);
}

void ShardLoop::settle() {
  bool again = true;
  while (again) {
    again = node_ && settle_node();
    again = settle_shard() || again;
  }
  if (outgoing_.empty()) return;
  const std::size_t sent = outgoing_.size();
  sent_ += sent;
  transport_->send(outgoing_);
  outgoing_.reserve(sent);  // about as many again
}

bool ShardLoop::settle_node() {
  for (const EngineCompletion& completion : node_done_) node_->complete(completion, moment());
  node_done_.clear();
  NodeOutput output = node_->take_output();
  if (output.published) {
    publish_(output.published);
    set_state(std::move(output.published));
  }
  std::move(output.messages.begin(), output.messages.end(), std::back_inserter(outgoing_));
  for (EngineWork& work : output.work) node_desk_.perform(std::move(work), node_done_);
  return !node_done_.empty();
}

// One round: what is done goes in, what is wanted comes out. False when nothing is left to do.
bool ShardLoop::settle_shard() {
  for (EngineCompletion& completion : done_) shard_.complete(std::move(completion), moment());
  done_.clear();
  for (Envelope& envelope : own_) shard_.receive(std::move(envelope), moment());
  own_.clear();
  shard_.take_output(output_);
  if (!output_.answered.empty()) count_answered();
  sort_out(output_.messages);
  for (EngineWork& work : output_.work) desk_.perform(std::move(work), done_);
  return !done_.empty() || !own_.empty();
}

// With a look at the clock for all of them: the wake-up's own moment lies before the work that they
// took in it, which for a node that needs no other is all of it.
void ShardLoop::count_answered() {
  const Instant now = clock_->now();
  for (const AnsweredRequest& request : output_.answered)
    requests_[request.keyspace].add(request, now);
}

void ShardLoop::sort_out(std::vector<Envelope>& messages) {
  const auto stays = [this](const Envelope& envelope) {
    return envelope.target == endpoint_ &&
           (shards_ == 1 || shard_of(envelope.message, shards_) == shard_index_);
  };
  // Mostly all of them go: then none is moved on its own.
  if (outgoing_.empty() && std::none_of(messages.begin(), messages.end(), stays)) {
    outgoing_.swap(messages);
    return;
  }
  for (Envelope& envelope : messages)
    (stays(envelope) ? own_ : outgoing_).push_back(std::move(envelope));
}

}  // namespace ringwright
