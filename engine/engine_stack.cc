#include "engine/engine_stack.h"

#include <algorithm>

#include "engine/base/limits.h"
#include "engine/engine_decorator.h"

namespace ringwright {
namespace {

bool is_name(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  });
}

bool is_decorator(const Registry& registry, std::string_view name) {
  const auto parts = registry.parts();
  return std::any_of(parts.begin(), parts.end(), [&](const Registry::Part& part) {
    return part.kind == EngineDecorator::kind && part.name == name;
  });
}

}  // namespace

Result<std::vector<std::string>> engine_stack_names(std::string_view description) {
  const Status malformed{Code::invalid, "engine '" + std::string(description) +
                                            "' is neither a name nor decorator(engine)"};
  std::string compact(description);
  std::erase(compact, ' ');
  std::string_view rest = compact;
  std::vector<std::string> names;
  for (auto bracket = rest.find('('); bracket != rest.npos; bracket = rest.find('(')) {
    if (rest.back() != ')') return malformed;
    names.emplace_back(rest.substr(0, bracket));
    rest = rest.substr(bracket + 1, rest.size() - bracket - 2);
    if (rest.empty()) return malformed;
  }
  names.emplace_back(rest);
  if (!std::all_of(names.begin(), names.end(), is_name)) return malformed;
  if (names.size() > limits::engine_stack_depth_max + 1)
    return Status{Code::invalid, "engine '" + std::string(description) + "' has more than " +
                                     std::to_string(limits::engine_stack_depth_max) +
                                     " decorators"};
  return names;
}

Result<std::unique_ptr<StorageEngine>> make_engine_stack(Registry& registry,
                                                         std::string_view description) {
  const auto names = engine_stack_names(description);
  if (!names) return names.error();
  const std::string& innermost = names->back();
  if (is_decorator(registry, innermost))
    return Status{Code::invalid, "'" + innermost + "' wraps an engine: write " + innermost +
                                     "(memory), or another engine for memory"};
  auto engine = registry.create_unique<StorageEngine>(innermost);
  for (auto name = names->rbegin() + 1; engine && name != names->rend(); ++name) {
    const auto decorator = registry.create_unique<EngineDecorator>(*name);
    if (!decorator) return decorator.error();
    engine = (*decorator)->wrap(std::move(*engine));
  }
  return engine;
}

std::string describe(StorageEngine& engine) {
  std::string text(engine.name());
  std::size_t brackets = 0;
  for (StorageEngine* inner = engine.inner(); inner != nullptr; inner = inner->inner()) {
    text += "(" + std::string(inner->name());
    ++brackets;
  }
  return text.append(brackets, ')');
}

}  // namespace ringwright
