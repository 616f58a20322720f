#include "engine/option_reader.h"

#include <algorithm>
#include <charconv>

#include "engine/base/nearest.h"
#include "engine/base/units.h"

namespace ringwright {

const std::string* OptionReader::text(std::string_view name) {
  known_.emplace_back(name);
  const auto at = given_.find(name);
  return at == given_.end() ? nullptr : &at->second;
}

void OptionReader::judge(std::string_view name, const Status& status) {
  if (status.is_ok() || !first_failure_.is_ok()) return;
  first_failure_ = {Code::invalid, "option " + std::string(name) + " of " + std::string(owner_) +
                                       ": " + status.message()};
}

void OptionReader::read(std::string_view name, std::uint64_t& number) {
  const std::string* const given = text(name);
  if (given == nullptr) return;
  const char* const end = given->data() + given->size();
  const auto parsed = std::from_chars(given->data(), end, number);
  if (parsed.ec != std::errc{} || parsed.ptr != end)
    judge(name, {Code::invalid, "'" + *given + "' is no whole number"});
}

void OptionReader::read_size(std::string_view name, std::uint64_t& bytes) {
  const std::string* const given = text(name);
  if (given == nullptr) return;
  const auto parsed = parse_size(*given);
  judge(name, parsed.status());
  if (parsed) bytes = *parsed;
}

void OptionReader::read_duration(std::string_view name, Nanoseconds& duration, Nanoseconds most) {
  const std::string* const given = text(name);
  if (given == nullptr) return;
  const auto parsed = parse_duration(*given);
  judge(name, parsed.status());
  if (!parsed) return;
  duration = *parsed;
  if (duration > most)
    judge(name, {Code::invalid, "'" + *given + "' is above " + format_duration(most)});
}

Status OptionReader::finish() const {
  if (!first_failure_.is_ok()) return first_failure_;
  for (const auto& [name, value] : given_) {
    if (std::find(known_.begin(), known_.end(), name) != known_.end()) continue;
    const std::string owner(owner_);
    if (known_.empty()) return {Code::invalid, owner + " has no options, so no '" + name + "'"};
    return {Code::invalid, owner + " has no option '" + name + "'; did you mean '" +
                               nearest_name(name, known_) + "'?"};
  }
  return ok_status();
}

SplitOptions split_options(const EngineContext& context, std::string_view decorator) {
  const std::string prefix = std::string(decorator) + ".";
  SplitOptions split{{}, context};
  EngineOptions& rest = split.inwards.options;
  for (auto at = rest.lower_bound(prefix); at != rest.end() && at->first.starts_with(prefix);) {
    split.own.emplace(at->first.substr(prefix.size()), std::move(at->second));
    at = rest.erase(at);
  }
  return split;
}

}  // namespace ringwright
