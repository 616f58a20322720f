#include "engine/base/units.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <span>

namespace ringwright {
namespace {

struct Unit {
  std::string_view name;  // lower case
  std::int64_t factor;
};

constexpr std::array size_units = {
    Unit{"b", 1},
    Unit{"kb", 1'000},
    Unit{"mb", 1'000'000},
    Unit{"gb", 1'000'000'000},
    Unit{"tb", 1'000'000'000'000},
    Unit{"kib", std::int64_t{1} << 10},
    Unit{"mib", std::int64_t{1} << 20},
    Unit{"gib", std::int64_t{1} << 30},
    Unit{"tib", std::int64_t{1} << 40},
};
constexpr std::array duration_units = {
    Unit{"ns", 1},
    Unit{"us", 1'000},
    Unit{"ms", 1'000'000},
    Unit{"s", seconds(1)},
    Unit{"m", seconds(60)},
    Unit{"min", seconds(60)},
    Unit{"h", seconds(3600)},
    Unit{"d", seconds(86400)},
};

struct Quantity {
  double number = 0;
  std::int64_t whole = 0;  // when `is_whole`
  bool is_whole = false;
  std::string unit;  // lower case
};

bool is_space(char c) { return c == ' ' || c == '\t'; }

bool split(std::string_view text, Quantity& quantity) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  // from_chars would also take "inf", "nan" and a minus sign.
  if (text.empty() || text.front() < '0' || text.front() > '9') return false;
  const char* const end = text.data() + text.size();
  const auto whole = std::from_chars(text.data(), end, quantity.whole);
  const auto number = std::from_chars(text.data(), end, quantity.number, std::chars_format::fixed);
  if (number.ec != std::errc{}) return false;
  quantity.is_whole = whole.ec == std::errc{} && whole.ptr == number.ptr;
  const char* rest = number.ptr;
  while (rest != end && is_space(*rest)) ++rest;
  quantity.unit.assign(rest, end);
  for (char& c : quantity.unit)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return true;
}

// The product, or -1 when it is no whole number or too large.
std::int64_t scale(const Quantity& quantity, std::int64_t factor) {
  constexpr std::int64_t largest = std::numeric_limits<std::int64_t>::max();
  if (quantity.is_whole) return quantity.whole > largest / factor ? -1 : quantity.whole * factor;
  const double product = quantity.number * static_cast<double>(factor);
  const bool fits = product <= 9.0e15 && std::abs(product - std::round(product)) < 1e-6;
  return fits ? static_cast<std::int64_t>(std::llround(product)) : -1;
}

std::int64_t factor_of(std::string_view unit, std::span<const Unit> units) {
  const auto* const at = std::find_if(units.data(), units.data() + units.size(),
                                      [&](const Unit& known) { return known.name == unit; });
  return at == units.data() + units.size() ? 0 : at->factor;
}

}  // namespace

Result<std::uint64_t> parse_size(std::string_view text) {
  Quantity quantity;
  if (split(text, quantity)) {
    const std::int64_t factor = quantity.unit.empty() ? 1 : factor_of(quantity.unit, size_units);
    const std::int64_t bytes = factor == 0 ? -1 : scale(quantity, factor);
    if (bytes >= 0) return static_cast<std::uint64_t>(bytes);
  }
  return Status{Code::invalid,
                "'" + std::string(text) + "' is not a size: write it like 64MiB, 100kB or 4096"};
}

std::string format_size(std::uint64_t bytes) {
  constexpr std::array names = {"B", "KiB", "MiB", "GiB", "TiB"};
  std::size_t at = 0;
  while (at + 1 < names.size() && bytes != 0 && bytes % 1024 == 0) {
    bytes /= 1024;
    ++at;
  }
  return std::to_string(bytes) + names[at];
}

Result<Nanoseconds> parse_duration(std::string_view text) {
  Quantity quantity;
  if (split(text, quantity)) {
    if (quantity.unit.empty() && quantity.is_whole && quantity.whole == 0) return Nanoseconds{0};
    const std::int64_t factor = factor_of(quantity.unit, duration_units);
    const std::int64_t duration = factor == 0 ? -1 : scale(quantity, factor);
    if (duration >= 0) return duration;
  }
  return Status{Code::invalid, "'" + std::string(text) +
                                   "' is not a duration: write it with a unit, like 250ms or 1.5s"};
}

std::string format_duration(Nanoseconds duration) {
  constexpr std::array steps = {Unit{"d", seconds(86400)}, Unit{"h", seconds(3600)},
                                Unit{"m", seconds(60)},    Unit{"s", seconds(1)},
                                Unit{"ms", 1'000'000},     Unit{"us", 1'000}};
  if (duration == 0) return "0s";
  for (const Unit& step : steps)
    if (duration % step.factor == 0)
      return std::to_string(duration / step.factor) + std::string(step.name);
  return std::to_string(duration) + "ns";
}

Result<double> parse_share(std::string_view text) {
  Quantity quantity;
  const bool is_number = split(text, quantity);
  const double share = quantity.unit == "%" ? quantity.number / 100 : quantity.number;
  if (is_number && (quantity.unit.empty() || quantity.unit == "%") && share <= 1) return share;
  return Status{Code::invalid,
                "'" + std::string(text) + "' is not a share: write it like 0.25 or 25%"};
}

}  // namespace ringwright
