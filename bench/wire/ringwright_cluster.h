#pragma once

#include <memory>
#include <string>
#include <vector>

#include "bench/wire/socket.h"
#include "engine/base/status.h"

namespace ringwright::bench {

struct ClusterSettings {
  std::string program;          // ringwrightd; empty: found near this program
  std::string parent = "/tmp";  // where the nodes' directories are made
  std::string engine = "memory";
  std::string durability = "none";
  std::string resolver = "lww";  // "lww", or "vector_clock" for siblings
  std::size_t nodes = 3;
  std::vector<std::string> more;  // section.key=value, given to every node
};

// Real nodes, n=3 r=2 w=2 and every replica asked, each a process of its own in a directory of its
// own at free ports; they end, and their directories go, with this object or with the program.
class RingwrightCluster {
 public:
  // Returns once every node serves.
  static Result<std::unique_ptr<RingwrightCluster>> start(ClusterSettings settings);
  ~RingwrightCluster();

  const std::vector<std::string>& addresses() const { return addresses_; }  // of clients
  const std::vector<int>& processes() const { return processes_; }

 private:
  RingwrightCluster() = default;
  Status start_node(std::size_t index, const std::string& program);

  ClusterSettings settings_;
  std::string directory_;
  std::vector<ReservedPort> ports_;  // client, peer and admin of each node
  std::vector<Descriptor> controls_;
  std::vector<std::string> addresses_;
  std::vector<int> processes_;
};

}  // namespace ringwright::bench
