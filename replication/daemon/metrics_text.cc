#include "replication/daemon/metrics_text.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>

#include "engine/base/check.h"

namespace ringwright {
namespace {

bool is_name_start(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

// The length of the name at the start of the text; 0: there is none.
std::size_t name_length(std::string_view text, bool may_have_colons) {
  std::size_t length = 0;
  while (length < text.size() &&
         (is_name_start(text[length]) || (may_have_colons && text[length] == ':') ||
          (length > 0 && text[length] >= '0' && text[length] <= '9')))
    ++length;
  return length;
}

// Whether the text is a list of labels as they stand between the braces: a="b",c="d".
bool is_label_list(std::string_view text) {
  for (;;) {
    const std::size_t length = name_length(text, false);
    if (length == 0 || !text.substr(length).starts_with("=\"")) return false;
    text.remove_prefix(length + 2);
    while (!text.empty() && text.front() != '"') {
      if (text.front() == '\n') return false;
      if (text.front() == '\\') {
        if (text.size() < 2 || (text[1] != '\\' && text[1] != '"' && text[1] != 'n')) return false;
        text.remove_prefix(1);
      }
      text.remove_prefix(1);
    }
    if (text.empty()) return false;
    text.remove_prefix(1);
    if (text.empty()) return true;
    if (text.front() != ',') return false;
    text.remove_prefix(1);
  }
}

std::string escaped(std::string_view text, bool quotes_too) {
  std::string safe;
  for (const char c : text) {
    if (c == '\n') {
      safe += "\\n";
      continue;
    }
    if (c == '\\' || (quotes_too && c == '"')) safe.push_back('\\');
    safe.push_back(c);
  }
  return safe;
}

std::string labels_text(const MetricsText::Labels& labels) {
  std::string text;
  for (const auto& [name, value] : labels)
    text += (text.empty() ? "" : ",") + name + "=\"" + escaped(value, true) + "\"";
  return text;
}

std::string with_labels(std::string_view name, const std::string& labels) {
  return std::string(name) + (labels.empty() ? "" : "{" + labels + "}");
}

std::string number_text(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  std::array<char, 32> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  return {digits.data(), end};
}

}  // namespace

MetricsText::Family& MetricsText::family(std::string_view name, std::string_view kind,
                                         std::string_view help) {
  auto at = families_.find(name);
  if (at == families_.end())
    at = families_.emplace(std::string(name), Family{kind, std::string(help), {}}).first;
  return at->second;
}

void MetricsText::add(std::string_view name, std::string_view kind, std::string_view help,
                      std::string labels, std::string value) {
  Sample sample{with_labels(name, labels), std::move(value)};
  family(name, kind, help)
      .samples.insert_or_assign(std::move(labels), std::vector{std::move(sample)});
}

void MetricsText::histogram(std::string_view name, std::string_view help,
                            std::span<const std::uint64_t> bounds,
                            std::span<const std::uint64_t> counts, std::uint64_t sum,
                            double per_unit, const Labels& labels) {
  RW_CHECK(counts.size() == bounds.size() + 1);
  const std::string family_name(name);
  const std::string own_labels = labels_text(labels);
  std::vector<Sample> samples;
  std::uint64_t up_to_here = 0;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    up_to_here += counts[i];
    const double bound = i < bounds.size() ? static_cast<double>(bounds[i]) / per_unit : INFINITY;
    const std::string le = "le=\"" + number_text(bound) + "\"";
    samples.push_back(
        {with_labels(family_name + "_bucket", own_labels.empty() ? le : own_labels + "," + le),
         std::to_string(up_to_here)});
  }
  samples.push_back({with_labels(family_name + "_sum", own_labels),
                     number_text(static_cast<double>(sum) / per_unit)});
  samples.push_back({with_labels(family_name + "_count", own_labels), std::to_string(up_to_here)});
  family(name, "histogram", help).samples.insert_or_assign(own_labels, std::move(samples));
}

void MetricsText::gauge(std::string_view name, std::string_view help, double value,
                        const Labels& labels) {
  add(name, "gauge", help, labels_text(labels), number_text(value));
}

void MetricsText::counter(std::string_view name, std::string_view help, double value,
                          const Labels& labels) {
  add(name, "counter", help, labels_text(labels), number_text(value));
}

bool MetricsText::named_counter(std::string_view name_and_labels, std::string_view help,
                                std::uint64_t value) {
  const std::size_t length = name_length(name_and_labels, true);
  if (length == 0) return false;
  std::string_view labels = name_and_labels.substr(length);
  if (!labels.empty()) {
    if (labels.size() < 2 || labels.front() != '{' || labels.back() != '}') return false;
    labels = labels.substr(1, labels.size() - 2);
    if (!is_label_list(labels)) return false;
  }
  const std::string_view name = name_and_labels.substr(0, length);
  add(name, name.ends_with("_total") ? "counter" : "gauge", help, std::string(labels),
      std::to_string(value));
  return true;
}

std::string MetricsText::text() const {
  std::string text;
  for (const auto& [name, family] : families_) {
    text += "# HELP " + name + " " + escaped(family.help, false) + "\n";
    text += "# TYPE " + name + " " + std::string(family.kind) + "\n";
    for (const auto& [labels, samples] : family.samples)
      for (const Sample& sample : samples) text += sample.name + " " + sample.value + "\n";
  }
  return text;
}

std::map<std::string, double> MetricsText::samples() const {
  std::map<std::string, double> all;
  for (const auto& [name, family] : families_)
    for (const auto& [labels, samples] : family.samples)
      for (const Sample& sample : samples)
        all[sample.name] = std::strtod(sample.value.c_str(), nullptr);
  return all;
}

}  // namespace ringwright
