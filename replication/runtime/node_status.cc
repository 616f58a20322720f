#include "replication/runtime/node_status.h"

namespace ringwright {

std::string_view node_condition_name(NodeCondition condition) {
  switch (condition) {
    case NodeCondition::up:
      return "up";
    case NodeCondition::paused:
      return "paused";
    case NodeCondition::stopped:
      return "stopped";
    case NodeCondition::killed:
      return "killed";
    case NodeCondition::failed:
      return "failed";
  }
  return "";
}

std::string_view member_state_name(MemberState state) {
  switch (state) {
    case MemberState::alive:
      return "alive";
    case MemberState::suspect:
      return "suspect";
    case MemberState::dead:
      return "dead";
    case MemberState::left:
      return "left";
  }
  return "";
}

}  // namespace ringwright
