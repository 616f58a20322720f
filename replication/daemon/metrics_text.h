#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

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
  // What machines and transports count, as they name it, perhaps with labels in the name
  // (`foo_total{op="get"}`): a counter when the name ends in `_total`, else a gauge. False, and
  // nothing is added, when that is no well-formed name.
  bool named_counter(std::string_view name_and_labels, std::string_view help, std::uint64_t value);

  std::string text() const;

 private:
  struct Family {
    std::string_view kind;
    std::string help;
    std::map<std::string, std::string> samples;  // by labels, as written
  };

  void add(std::string_view name, std::string_view kind, std::string_view help, std::string labels,
           std::string value);

  std::map<std::string, Family, std::less<>> families_;
};

}  // namespace ringwright
