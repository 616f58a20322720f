// Header-only and without exceptions; the shared library that the build names is built with them.
#undef TOML_SHARED_LIB
#undef TOML_HEADER_ONLY
#define TOML_HEADER_ONLY 1
#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_FORMATTERS 0
#include <toml++/toml.h>

#include <sstream>

#include "replication/config/settings.h"

namespace ringwright {
namespace {

Status flatten(const toml::table& table, const std::string& prefix, Settings::Values& values) {
  for (const auto& [name, node] : table) {
    const std::string key = prefix + std::string(name.str());
    if (const auto* inner = node.as_table()) {
      RW_TRY(flatten(*inner, key + ".", values));
    } else if (const auto* text = node.as_string()) {
      values[key] = text->get();
    } else if (const auto* number = node.as_integer()) {
      values[key] = std::to_string(number->get());
    } else if (const auto* flag = node.as_boolean()) {
      values[key] = flag->get() ? "true" : "false";
    } else if (const auto* fraction = node.as_floating_point()) {
      std::ostringstream written;
      written.imbue(std::locale::classic());
      written << fraction->get();
      values[key] = written.str();
    } else {
      return {Code::invalid, key + ": a list or a date is no value of a setting"};
    }
  }
  return ok_status();
}

}  // namespace

Status Settings::add_toml(std::string_view text, std::string_view source) {
  const toml::parse_result parsed = toml::parse(text, source);
  if (!parsed) {
    const toml::parse_error& error = parsed.error();
    return {Code::invalid, std::string(source) + ":" + std::to_string(error.source().begin.line) +
                               ": " + std::string(error.description())};
  }
  Values values;
  if (const Status status = flatten(parsed.table(), "", values); !status.is_ok())
    return {status.code(), std::string(source) + ": " + status.message()};
  return add_all(values, SettingOrigin::file, std::string(source));
}

}  // namespace ringwright
