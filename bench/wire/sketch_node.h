#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "bench/wire/socket.h"
#include "engine/base/status.h"
#include "engine/base/time.h"

namespace ringwright::bench {

constexpr std::size_t sketch_nodes = 3;

// The least that a node of a replicated store can do, n=3 r=2 w=2: a map in memory, every put sent
// to both peers and answered at the first acknowledgement, every get read here and asked of both
// peers and answered with the first answer. No versions, no ring, no failures, nothing on disk.
// What a real node takes longer than this is what its promises, and its faults, cost.
//
// One thread, one epoll loop: one recv and one send per connection and wake-up. To each peer one
// connection carries requests and answers of both directions.
class SketchNode {
 public:
  // `peers[i]` is the connection to node i; that of the node itself is closed. `idle_poll`: how
  // long it looks for more before it sleeps, as `node.idle_poll` of a real node.
  SketchNode(ReservedPort clients, std::array<Descriptor, sketch_nodes> peers,
             Nanoseconds idle_poll);
  ~SketchNode();

  // Serves until a peer is gone or the program is interrupted. An error says what was malformed.
  Status serve();

 private:
  class Loop;
  std::unique_ptr<Loop> loop_;
};

// Three such nodes, each a process of its own that ends with this object, or with its parent.
class SketchCluster {
 public:
  static Result<std::unique_ptr<SketchCluster>> start(Nanoseconds idle_poll);
  ~SketchCluster();

  const std::vector<std::string>& addresses() const { return addresses_; }
  const std::vector<int>& processes() const { return processes_; }

 private:
  SketchCluster() = default;

  std::vector<std::string> addresses_;
  std::vector<int> processes_;
};

}  // namespace ringwright::bench
