#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "bench/wire/client_codec.h"
#include "bench/wire/latency_histogram.h"
#include "engine/base/status.h"

namespace ringwright::bench {

struct LoadSettings {
  std::vector<std::string> addresses;  // host:port; connection i goes to address i modulo their
                                       // number
  std::size_t connections = 4;
  std::size_t window = 16;  // requests outstanding on each connection
  std::size_t keys = 100'000;
  std::size_t value_bytes = 100;
  std::uint64_t seed = 42;
  // Remembers the context of each key, hands it back with the key's next put, and never has two
  // puts of one key outstanding: what a keyspace that keeps siblings needs to stay without them.
  bool contexts = false;
  std::chrono::milliseconds connect_timeout{10'000};
  // Silence of all connections after which a run is given up.
  std::chrono::milliseconds answer_timeout{10'000};
};

struct LoadResult {
  std::uint64_t operations = 0;  // answered without error
  double seconds = 0;
  std::map<std::string, std::uint64_t> errors;  // by code
  std::string first_error;                      // what the first of them said
  // Answers that do not belong to their request, values that are not what was put under the key.
  std::uint64_t mismatches = 0;
  std::uint64_t absent = 0;    // gets that found nothing
  std::uint64_t siblings = 0;  // gets that found more than one value
  LatencyHistogram latency;
  double cpu_us = 0;  // of the load client's thread

  double rate() const { return seconds > 0 ? static_cast<double>(operations) / seconds : 0; }
  double cpu_us_per_operation() const {
    return operations > 0 ? cpu_us / static_cast<double>(operations) : 0;
  }
  std::uint64_t error_count() const;
  // "" when every request was answered, rightly and without error.
  std::string complaint() const;
};

// A load of puts or gets over a fixed key space, from one thread with one epoll: each wake-up takes
// one recv and one send per connection that has something. Belongs to one thread.
class LoadClient {
 public:
  using CodecFactory = std::function<std::unique_ptr<ClientCodec>()>;

  // Connects, trying again until `connect_timeout` while connections are refused.
  static Result<std::unique_ptr<LoadClient>> connect(LoadSettings settings,
                                                     const CodecFactory& codec);
  ~LoadClient();

  // Puts every key once.
  Result<LoadResult> preload();
  // Keys drawn uniformly; ends when `duration` has passed and everything outstanding is answered.
  // An error means that a connection was lost, the protocol was broken, nothing was answered for
  // `answer_timeout`, or the program was interrupted: the client is of no more use then.
  Result<LoadResult> run(Operation operation, std::chrono::milliseconds duration);

 private:
  struct Connection;
  class Keys;
  class Run;

  explicit LoadClient(LoadSettings settings);

  LoadSettings settings_;
  int epoll_ = -1;
  std::vector<std::unique_ptr<Connection>> connections_;
  std::unique_ptr<Keys> keys_;
};

}  // namespace ringwright::bench
