#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/base/histogram.h"

namespace ringwright {

// Builds one exposition in Prometheus' text format, version 0.0.4: families in the order of their
// names, each with one HELP and one TYPE line before all its samples.
class MetricsText {
 public:
  static constexpr std::string_view content_type = "text/plain; version=0.0.4; charset=utf-8";
  using Labels = std::vector<std::pair<std::string, std::string>>;

  // A family has the kind and the help of its first sample.
  void gauge(std::string_view name, std::string_view help, double value, const Labels& labels = {});
  void counter(std::string_view name, std::string_view help, double value,
               const Labels& labels = {});
  // `counts` by bucket, not added up: one for each of `bounds` and one for what lay above. Bounds
  // and sum are in base units once divided by `per_unit`.
  void histogram(std::string_view name, std::string_view help,
                 std::span<const std::uint64_t> bounds, std::span<const std::uint64_t> counts,
                 std::uint64_t sum, double per_unit, const Labels& labels = {});
  template <const auto& bounds>
  void histogram(std::string_view name, std::string_view help,
                 const Histogram<bounds>& histogram_of, double per_unit,
                 const Labels& labels = {}) {
    histogram(name, help, bounds, histogram_of.counts(), histogram_of.sum(), per_unit, labels);
  }
  // What machines and transports count, as they name it, perhaps with labels in the name
  // (`foo_total{op="get"}`): a counter when the name ends in `_total`, else a gauge. False, and
  // nothing is added, when that is no well-formed name.
  bool named_counter(std::string_view name_and_labels, std::string_view help, std::uint64_t value);

  std::string text() const;
  // Every sample by its name and labels, as `text` writes them.
  std::map<std::string, double> samples() const;

 private:
  struct Sample {
    std::string name;  // with its labels
    std::string value;
  };
  struct Family {
    std::string_view kind;
    std::string help;
    // By labels, as written; of a histogram all buckets, then sum and count.
    std::map<std::string, std::vector<Sample>> samples;
  };

  Family& family(std::string_view name, std::string_view kind, std::string_view help);
  void add(std::string_view name, std::string_view kind, std::string_view help, std::string labels,
           std::string value);

  std::map<std::string, Family, std::less<>> families_;
};

}  // namespace ringwright
