#include "engine/engine_remarks.h"

#include <algorithm>

#include "engine/engine_decorator.h"
#include "engine/registry.h"
#include "engine/storage_engine.h"

namespace ringwright {

std::vector<std::string> engine_remarks(const Registry& registry, std::string_view description) {
  constexpr std::string_view letters = "abcdefghijklmnopqrstuvwxyz0123456789_";
  std::vector<std::string> remarks;
  while (!description.empty()) {
    description.remove_prefix(std::min(description.find_first_of(letters), description.size()));
    const auto end = std::min(description.find_first_not_of(letters), description.size());
    const std::string name(description.substr(0, end));
    description.remove_prefix(end);
    for (const std::string_view kind : {StorageEngine::kind, EngineDecorator::kind})
      for (const std::string& remark : registry.remarks(kind, name))
        remarks.push_back(name + ": " + remark);
  }
  return remarks;
}

}  // namespace ringwright
