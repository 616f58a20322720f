#include "engine/decorator/fault_options.h"

#include <charconv>
#include <functional>
#include <optional>
#include <vector>

#include "engine/base/units.h"
#include "engine/option_reader.h"

namespace ringwright {
namespace {

using Change = std::function<void(FaultPlan&)>;

// The count behind "next:" or "nth:".
std::optional<std::uint64_t> count_after(std::string_view prefix, std::string_view text) {
  if (!text.starts_with(prefix)) return std::nullopt;
  text.remove_prefix(prefix.size());
  std::uint64_t count = 0;
  const char* const end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, count);
  if (read.ec != std::errc{} || read.ptr != end || count == 0) return std::nullopt;
  return count;
}

Result<Change> read_trigger(EngineFault kind, const std::string& text) {
  if (const auto times = count_after("next:", text))
    return Change([=](FaultPlan& plan) { plan.fail_next(kind, *times); });
  if (const auto n = count_after("nth:", text))
    return Change([=](FaultPlan& plan) { plan.fail_nth(kind, *n); });
  if (const auto share = parse_share(text))
    return Change(
        [probability = *share, kind](FaultPlan& plan) { plan.set_probability(kind, probability); });
  return Status{Code::invalid,
                "'" + text +
                    "' does not say when it happens: write a probability, like 0.01 or "
                    "1%, or next:3, or nth:3"};
}

Result<Change> read_space(const std::string& text) {
  if (text == "unlimited") return Change([](FaultPlan& plan) { plan.set_space(std::nullopt); });
  const auto bytes = parse_size(text);
  if (!bytes) return Status{Code::invalid, bytes.error().message() + ", or unlimited"};
  return Change([space = *bytes](FaultPlan& plan) { plan.set_space(space); });
}

}  // namespace

Status arm_faults(FaultPlan& plan, const EngineOptions& options) {
  OptionReader reader("the decorator 'faulty'", options);
  std::vector<Change> changes;
  const auto take = [&](std::string_view name, const Result<Change>& change) {
    reader.judge(name, change.status());
    if (change) changes.push_back(*change);
  };
  std::uint64_t seed = 0;
  reader.read("seed", seed);
  if (options.contains("seed"))
    changes.emplace_back([seed](FaultPlan& seeded) { seeded.reseed(seed); });
  for (std::size_t i = 0; i < engine_fault_kinds; ++i) {
    const auto kind = static_cast<EngineFault>(i);
    const std::string_view name = engine_fault_name(kind);
    if (const std::string* const text = reader.text(name)) take(name, read_trigger(kind, *text));
  }
  if (const std::string* const text = reader.text("space")) take("space", read_space(*text));
  RW_TRY(reader.finish());
  for (const Change& change : changes) change(plan);
  return ok_status();
}

}  // namespace ringwright
