#include "replication/client/async_client.h"

#include <mutex>
#include <optional>
#include <unordered_map>
#include <utility>

#include "replication/client/courier.h"
#include "replication/client/requests.h"

namespace ringwright {
namespace {

// What becomes of an answer.
struct Flight {
  std::string keyspace;
  std::uint64_t session = 0;
  bool is_get = false;
  bool recalled = false;  // of a put: sends all that the session remembers of the key
  // A put or remove that reads first: what to send then.
  struct Write {
    Bytes key;
    Bytes value;
    bool is_remove = false;
    PutOptions options;
    Instant start = 0;
  };
  std::optional<Write> next;
};

}  // namespace

class AsyncClient::Machine {
 public:
  Machine(ClientParts parts, ClientOptions options, std::function<void()> notify)
      : notify_(std::move(notify)),
        clock_(parts.clock),
        requests_(parts, std::move(options)),
        courier_(std::move(parts), requests_.options().node, requests_.options().retries) {}

  void run() {
    courier_.carry_submitted([this](auto calls) { end(std::move(calls)); });
  }
  Ticket get(ByteView key, const GetOptions& options);
  Ticket write(ByteView key, ByteView value, bool is_remove, const PutOptions& options);
  std::vector<Answer> collect();
  Requests& requests() { return requests_; }
  Courier& courier() { return courier_; }

 private:
  using Result = std::variant<ClientResult<Read>, ClientResult<Written>>;

  // Takes the flight on, or refuses it at once.
  Ticket depart(Call call, Flight flight);
  Ticket refuse(ClientError error, bool is_get);
  void end(std::vector<std::unique_ptr<Call>> calls);
  Call write_call(const Flight::Write& write, const std::string& keyspace);
  Result result_of(Call& call, const Flight& flight);
  void add(std::vector<Answer> answers);

  const std::function<void()> notify_;
  const std::shared_ptr<Clock> clock_;
  Requests requests_;
  Courier courier_;

  std::mutex mutex_;  // guards what follows
  Ticket last_ticket_ = 0;
  std::unordered_map<Ticket, Flight> flights_;
  std::vector<Answer> answers_;
};

AsyncClient::Ticket AsyncClient::Machine::get(ByteView key, const GetOptions& options) {
  Flight flight;
  flight.keyspace = requests_.keyspace_of(options.keyspace);
  flight.session = options.session;
  flight.is_get = true;
  if (auto error = requests_.refusal(flight.keyspace)) return refuse(std::move(*error), true);
  Call call = requests_.get_call(key, flight.keyspace, options);
  return depart(std::move(call), std::move(flight));
}

AsyncClient::Ticket AsyncClient::Machine::write(ByteView key, ByteView value, bool is_remove,
                                                const PutOptions& options) {
  Flight flight;
  flight.keyspace = requests_.keyspace_of(options.keyspace);
  flight.session = options.session;
  flight.recalled = !options.context;
  if (auto error = requests_.refusal(flight.keyspace)) return refuse(std::move(*error), false);
  Flight::Write write{Bytes(key), Bytes(value), is_remove, options, clock_->now()};
  const bool reads = is_remove ? !options.blind : options.read_first;
  const bool is_direct = options.context || !reads;
  Call call = is_direct ? write_call(write, flight.keyspace)
                        : requests_.context_call(key, flight.keyspace, options);
  if (!is_direct) flight.next = std::move(write);
  return depart(std::move(call), std::move(flight));
}

Call AsyncClient::Machine::write_call(const Flight::Write& write, const std::string& keyspace) {
  return write.is_remove ? requests_.remove_call(write.key, keyspace, write.options)
                         : requests_.put_call(write.key, write.value, keyspace, write.options);
}

AsyncClient::Ticket AsyncClient::Machine::depart(Call call, Flight flight) {
  auto owned = std::make_unique<Call>(std::move(call));
  const bool is_get = flight.is_get;
  ClientError error;
  Ticket ticket = 0;
  {
    const std::lock_guard lock(mutex_);
    if (flights_.size() < limits::async_calls_max) {
      ticket = ++last_ticket_;
      owned->ticket = ticket;
      flights_.emplace(ticket, std::move(flight));
    }
  }
  if (ticket == 0) {
    error.code = Code::overloaded;
    error.message = "too many calls of this client are under way: await some of them first";
    error.retryable = true;
    return refuse(std::move(error), is_get);
  }
  if (courier_.submit(std::move(owned))) return ticket;
  {
    const std::lock_guard lock(mutex_);
    flights_.erase(ticket);
  }
  error.code = Code::closed;
  error.message = "the client is closed: open a new one";
  return refuse(std::move(error), is_get);
}

AsyncClient::Ticket AsyncClient::Machine::refuse(ClientError error, bool is_get) {
  Result result = is_get ? Result(ClientResult<Read>(std::move(error)))
                         : Result(ClientResult<Written>(std::move(error)));
  Ticket ticket = 0;
  {
    const std::lock_guard lock(mutex_);
    ticket = ++last_ticket_;
  }
  std::vector<Answer> answers;
  answers.push_back({ticket, std::move(result)});
  add(std::move(answers));
  return ticket;
}

void AsyncClient::Machine::end(std::vector<std::unique_ptr<Call>> calls) {
  std::vector<Answer> answers;
  for (auto& call : calls) {
    Flight flight;
    {
      const std::lock_guard lock(mutex_);
      const auto at = flights_.find(call->ticket);
      if (at->second.next && call->reply) {
        flight = at->second;  // stays: the same ticket goes on
        at->second.next.reset();
      } else {
        flight = std::move(at->second);
        flights_.erase(at);
      }
    }
    if (!flight.next || call->error) {
      answers.push_back({call->ticket, result_of(*call, flight)});
      continue;
    }
    Flight::Write& write = *flight.next;
    requests_.use_read(write.key, flight.keyspace, call->reply->context, write.start,
                       write.options);
    auto writing = std::make_unique<Call>(write_call(write, flight.keyspace));
    writing->ticket = call->ticket;
    if (courier_.submit(std::move(writing))) continue;
    ClientError error;
    error.code = Code::closed;
    error.message = "the client was closed before anything was written";
    answers.push_back({call->ticket, ClientResult<Written>(std::move(error))});
    const std::lock_guard lock(mutex_);
    flights_.erase(call->ticket);
  }
  add(std::move(answers));
}

AsyncClient::Machine::Result AsyncClient::Machine::result_of(Call& call, const Flight& flight) {
  if (flight.is_get) return requests_.read_of(call);
  return requests_.written_of(call, flight.keyspace, flight.session, flight.recalled);
}

void AsyncClient::Machine::add(std::vector<Answer> answers) {
  if (answers.empty()) return;
  bool is_first = false;
  {
    const std::lock_guard lock(mutex_);
    is_first = answers_.empty();
    for (Answer& answer : answers) answers_.push_back(std::move(answer));
  }
  if (is_first) notify_();
}

std::vector<AsyncClient::Answer> AsyncClient::Machine::collect() {
  const std::lock_guard lock(mutex_);
  return std::exchange(answers_, {});
}

AsyncClient::AsyncClient(ClientParts parts, ClientOptions options, std::function<void()> notify)
    : machine_(std::make_unique<Machine>(std::move(parts), std::move(options), std::move(notify))) {
}

AsyncClient::~AsyncClient() {
  if (machine_->requests().is_foreign())
    machine_.release();
  else
    machine_->courier().close();
}

void AsyncClient::run() { machine_->run(); }
AsyncClient::Ticket AsyncClient::get(ByteView key, const GetOptions& options) {
  return machine_->get(key, options);
}
AsyncClient::Ticket AsyncClient::put(ByteView key, ByteView value, const PutOptions& options) {
  return machine_->write(key, value, false, options);
}
AsyncClient::Ticket AsyncClient::remove(ByteView key, const PutOptions& options) {
  return machine_->write(key, {}, true, options);
}
std::vector<AsyncClient::Answer> AsyncClient::collect() { return machine_->collect(); }
void AsyncClient::note_read(ByteView key, std::string_view keyspace, std::uint64_t session,
                            ByteView context) {
  Requests& requests = machine_->requests();
  requests.note_read(keyspace.empty() ? std::string_view(requests.options().keyspace) : keyspace,
                     key, session, context);
}
Bytes AsyncClient::remembered_context(ByteView key, std::string_view keyspace,
                                      std::uint64_t session) const {
  return machine_->requests().remembered(key, keyspace, session);
}
void AsyncClient::forget_contexts() { machine_->requests().forget(); }
std::vector<bool> AsyncClient::members_up() const { return machine_->courier().members_up(); }
void AsyncClient::close() {
  if (!is_foreign()) machine_->courier().close();
}
bool AsyncClient::is_closed() const { return is_foreign() || machine_->courier().is_closed(); }
bool AsyncClient::is_foreign() const { return machine_->requests().is_foreign(); }
const ClientOptions& AsyncClient::options() const { return machine_->requests().options(); }

}  // namespace ringwright
