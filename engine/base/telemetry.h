#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace ringwright {

// Counts by name, in the names that users see (`ringwright_..._total`). One object belongs to one
// machine and is copied out when somebody asks.
class Counters {
 public:
  void add(std::string_view name, std::uint64_t amount = 1) {
    const auto at = values_.find(name);
    if (at == values_.end())
      values_.emplace(std::string(name), amount);
    else
      at->second += amount;
  }
  std::uint64_t value(std::string_view name) const {
    const auto at = values_.find(name);
    return at == values_.end() ? 0 : at->second;
  }
  const std::map<std::string, std::uint64_t, std::less<>>& values() const { return values_; }

 private:
  std::map<std::string, std::uint64_t, std::less<>> values_;
};

}  // namespace ringwright
