#include "replication/daemon/arguments.h"

#include <array>
#include <charconv>

#include "engine/base/nearest.h"

namespace ringwright {
namespace {

const std::vector<std::string> options = {"--config",     "--set",     "--check",
                                          "--control-fd", "--version", "--help"};

bool takes_value(std::string_view option) {
  return option == "--config" || option == "--set" || option == "--control-fd";
}

Status take_value(Arguments& taken, const std::string& option, const std::string& value) {
  if (option == "--config") {
    if (value.empty()) return {Code::invalid, "--config needs a path"};
    taken.config = value;
  } else if (option == "--set") {
    taken.sets.push_back(value);
  } else {
    int descriptor = -1;
    const auto read = std::from_chars(value.data(), value.data() + value.size(), descriptor);
    if (read.ec != std::errc{} || read.ptr != value.data() + value.size() || descriptor < 0)
      return {Code::invalid, "--control-fd = '" + value + "' is no file descriptor"};
    taken.control_fd = descriptor;
  }
  return ok_status();
}

Status take_flag(Arguments& taken, const std::string& option) {
  if (option == "--check")
    taken.check = true;
  else if (option == "--version")
    taken.version = true;
  else if (option == "--help" || option == "-h")
    taken.help = true;
  else
    return {Code::invalid, "there is no option '" + option + "'; did you mean '" +
                               nearest_name(option, options) + "'?"};
  return ok_status();
}

}  // namespace

Result<Arguments> parse_arguments(std::span<const std::string> arguments) {
  Arguments taken;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i];
    // --config=node.toml, but --set=a.b=c too: the first '=' ends the option.
    const auto equals = argument.find('=');
    const std::string option = argument.substr(0, equals);
    if (!takes_value(option)) {
      RW_TRY(take_flag(taken, argument));
    } else if (equals != argument.npos) {
      RW_TRY(take_value(taken, option, argument.substr(equals + 1)));
    } else if (++i < arguments.size()) {
      RW_TRY(take_value(taken, option, arguments[i]));
    } else {
      return Status{Code::invalid, option + " needs a value"};
    }
  }
  return taken;
}

std::string_view usage_text() {
  return "usage: ringwrightd [--config FILE] [--set SECTION.KEY=VALUE]... [--check]\n"
         "\n"
         "Runs one node of a Ringwright cluster.\n"
         "\n"
         "  --config FILE            the node's configuration, in TOML\n"
         "  --set SECTION.KEY=VALUE  outranks the environment (RINGWRIGHT_SECTION__KEY) and the\n"
         "                           file; may be repeated\n"
         "  --check                  checks the configuration, prints every value and where it\n"
         "                           comes from, and ends\n"
         "  --control-fd N           writes one line of JSON with the addresses to this\n"
         "                           descriptor when the node is ready; ends at once when its\n"
         "                           other side is closed\n"
         "  --version, --help\n"
         "\n"
         "SIGTERM and SIGINT drain the node; a second one ends it at once.\n"
         "Exit codes: 0 ok, 1 failed, 2 usage or configuration.\n";
}

}  // namespace ringwright
