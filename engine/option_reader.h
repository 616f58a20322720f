#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/status.h"
#include "engine/base/time.h"
#include "engine/storage_engine.h"

namespace ringwright {

// Reads the options of one engine or decorator: ask for each by name, then `finish`, which refuses
// whatever was given and never asked for. An option that is not given leaves its value as it is.
class OptionReader {
 public:
  // `owner` as messages name it: "the decorator 'slow'". Both are borrowed until `finish`.
  OptionReader(std::string_view owner, const EngineOptions& given) : owner_(owner), given_(given) {}

  // As it is written; null when it is not given.
  const std::string* text(std::string_view name);
  void read(std::string_view name, std::uint64_t& number);
  void read_size(std::string_view name, std::uint64_t& bytes);
  // At most `most`.
  void read_duration(std::string_view name, Nanoseconds& duration, Nanoseconds most);
  // For values that the caller reads: a failed `status` is what `finish` then answers.
  void judge(std::string_view name, const Status& status);

  // `invalid`: the first value that could not be read, else an unknown option with the nearest
  // name.
  Status finish() const;

 private:
  const std::string_view owner_;
  const EngineOptions& given_;
  std::vector<std::string> known_;
  Status first_failure_;
};

// The options of a stack, flat in one map: those of a decorator carry its name and a dot
// ("slow.read_latency"), those of the innermost engine stand alone.
struct SplitOptions {
  EngineOptions own;      // of the decorator, without its name
  EngineContext inwards;  // what the engine that it wraps is opened with
};
// The outermost of two decorators of one name takes the options of both.
SplitOptions split_options(const EngineContext& context, std::string_view decorator);

}  // namespace ringwright
