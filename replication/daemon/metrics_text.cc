#include "replication/daemon/metrics_text.h"

#include <array>
#include <charconv>
#include <cmath>

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

std::string number_text(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  std::array<char, 32> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  return {digits.data(), end};
}

}  // namespace

void MetricsText::add(std::string_view name, std::string_view kind, std::string_view help,
                      std::string labels, std::string value) {
  auto at = families_.find(name);
  if (at == families_.end())
    at = families_.emplace(std::string(name), Family{kind, std::string(help), {}}).first;
  at->second.samples.insert_or_assign(std::move(labels), std::move(value));
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
    for (const auto& [labels, value] : family.samples)
      text += name + (labels.empty() ? "" : "{" + labels + "}") + " " + value + "\n";
  }
  return text;
}

}  // namespace ringwright
