#include "engine/engine_directory.h"

#include <charconv>
#include <optional>

namespace ringwright {
namespace {

constexpr std::string_view first_line = "ringwright-engine 1\n";

struct Claim {
  std::string engine_name;
  std::uint32_t format_version = 0;
};

std::string encode(std::string_view engine_name, std::uint32_t format_version) {
  std::string text(first_line);
  text += "engine " + std::string(engine_name) + "\n";
  return text + "format " + std::to_string(format_version) + "\n";
}

// The rest of a line that begins with `word`; moves `text` past it.
std::optional<std::string_view> take_line(std::string_view& text, std::string_view word) {
  const std::size_t end = text.find('\n');
  if (!text.starts_with(word) || end == text.npos) return std::nullopt;
  const std::string_view value = text.substr(word.size(), end - word.size());
  text.remove_prefix(end + 1);
  return value;
}

std::optional<Claim> decode(std::string_view text) {
  if (!text.starts_with(first_line)) return std::nullopt;
  text.remove_prefix(first_line.size());
  const auto name = take_line(text, "engine ");
  const auto format = take_line(text, "format ");
  if (!name || !format || !text.empty()) return std::nullopt;
  Claim claim{std::string(*name), 0};
  const char* const end = format->data() + format->size();
  const auto parsed = std::from_chars(format->data(), end, claim.format_version);
  if (parsed.ec != std::errc{} || parsed.ptr != end) return std::nullopt;
  return claim;
}

Status claim_fresh(Disk& disk, const std::string& path, const std::string& content) {
  const auto names = disk.list(path);
  if (!names) return names.error();
  if (!names->empty())
    return {Code::mismatch, "directory '" + path + "' holds files (" + names->front() +
                                " for one) but no ENGINE file: it is not an engine's"};
  return disk.replace(path + "/ENGINE", content);
}

}  // namespace

Status claim_engine_directory(Disk& disk, const std::string& path, std::string_view engine_name,
                              std::uint32_t format_version) {
  RW_TRY(disk.make_directories(path));
  const std::string file = path + "/ENGINE";
  const auto claimed = disk.exists(file);
  if (!claimed) return claimed.error();
  const std::string ours = encode(engine_name, format_version);
  if (!*claimed) return claim_fresh(disk, path, ours);

  const auto content = disk.read(file);
  if (!content) return content.error();
  const auto found = decode(*content);
  if (!found) return {Code::corrupt, "file '" + file + "' is not readable as an ENGINE file"};
  if (found->engine_name != engine_name)
    return {Code::mismatch, "directory '" + path + "' belongs to the engine '" +
                                found->engine_name + "', not '" + std::string(engine_name) + "'"};
  if (found->format_version > format_version)
    return {Code::mismatch, "directory '" + path + "' has format " +
                                std::to_string(found->format_version) + " of the engine '" +
                                found->engine_name + "'; this program knows up to " +
                                std::to_string(format_version)};
  return found->format_version == format_version ? ok_status() : disk.replace(file, ours);
}

}  // namespace ringwright
