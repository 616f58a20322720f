#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engine/base/random.h"
#include "engine/base/status.h"

namespace ringwright::durability {

// A directory as it rests on the disk: what a loss of power leaves of it. One object lives through
// many losses: `write_to` makes the directory anew, a process works in it under the power disk, and
// `lose_power` takes in what its journal says.
class DurableImage {
 public:
  DurableImage();

  // What `root` holds becomes what rests.
  Status read_from(const std::string& root);
  // Empties `root` and makes it what rests.
  Status write_to(const std::string& root) const;

  // `journal`: of a power disk that found `root` as the last `write_to` or `read_from` did, and
  // whose process is dead.
  Status lose_power(const std::string& journal);
  // The same, but of what was not synced some is there: a beginning of the changes of names and
  // sizes, for a journalling file system makes them durable in order, and each page of written
  // bytes with a probability of `share`, whatever its file and order.
  Status lose_power(const std::string& journal, const std::string& root, Random& random,
                    double share);

  struct Node {
    bool is_directory = false;
    std::string content;
    std::map<std::string, std::shared_ptr<Node>> entries;
  };
  const Node& root() const { return *root_; }

 private:
  std::shared_ptr<Node> root_;
};

}  // namespace ringwright::durability
