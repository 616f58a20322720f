#pragma once

#include <memory>
#include <string_view>
#include <utility>

#include "engine/storage_engine.h"

namespace ringwright {

// Wraps an engine that is not open yet; the wrapper's `open` opens it. The part behind the names
// that may stand before a bracket in an engine description.
class EngineDecorator {
 public:
  static constexpr std::string_view kind = "engine decorator";
  virtual ~EngineDecorator() = default;
  virtual std::unique_ptr<StorageEngine> wrap(std::unique_ptr<StorageEngine> engine) = 0;
};

// The decorator whose wrapper `Wrapper` needs nothing but the engine that it wraps.
template <typename Wrapper>
class EngineDecoratorOf final : public EngineDecorator {
 public:
  std::unique_ptr<StorageEngine> wrap(std::unique_ptr<StorageEngine> engine) override {
    return std::make_unique<Wrapper>(std::move(engine));
  }
};

}  // namespace ringwright
