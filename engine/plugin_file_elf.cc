#include <elf.h>

#include <bit>
#include <cstring>
#include <fstream>
#include <optional>
#include <string_view>

#include "engine/plugin_file.h"

namespace ringwright {
namespace {

static_assert(sizeof(void*) == 8, "plugins are read as 64-bit ELF");
constexpr unsigned char own_byte_order =
    std::endian::native == std::endian::little ? ELFDATA2LSB : ELFDATA2MSB;

Status not_it(const std::string& why) { return {Code::invalid, why}; }

template <typename Struct>
bool read_at(std::ifstream& file, std::uint64_t offset, Struct& read) {
  file.clear();
  file.seekg(static_cast<std::streamoff>(offset));
  file.read(reinterpret_cast<char*>(&read), sizeof read);
  return file.gcount() == static_cast<std::streamsize>(sizeof read);
}

// Whether a section's name, at `offset`, is that of the manifest.
bool is_manifest_name(std::ifstream& file, std::uint64_t offset) {
  char name[std::char_traits<char>::length(plugin_section) + 1] = {};
  return read_at(file, offset, name) && std::memcmp(name, plugin_section, sizeof name) == 0;
}

std::optional<Elf64_Shdr> find_manifest(std::ifstream& file, const Elf64_Ehdr& header) {
  const auto section_at = [&](std::uint64_t index) {
    return header.e_shoff + index * sizeof(Elf64_Shdr);
  };
  Elf64_Shdr names{};
  if (header.e_shentsize != sizeof(Elf64_Shdr) ||
      !read_at(file, section_at(header.e_shstrndx), names))
    return std::nullopt;
  for (std::uint64_t i = 0; i < header.e_shnum; ++i) {
    Elf64_Shdr section{};
    if (!read_at(file, section_at(i), section)) return std::nullopt;
    if (section.sh_type == SHT_PROGBITS &&
        is_manifest_name(file, names.sh_offset + section.sh_name))
      return section;
  }
  return std::nullopt;
}

}  // namespace

Result<PluginHead> read_plugin_head(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return not_it("it cannot be read");
  Elf64_Ehdr header{};
  if (!read_at(file, 0, header) || std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
      header.e_type != ET_DYN)
    return not_it("it is no shared library; a plugin is built with ringwright_add_plugin()");
  if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != own_byte_order)
    return not_it("it was built for another machine than this; rebuild it here");
  const auto section = find_manifest(file, header);
  PluginHead head;
  if (!section || section->sh_size < sizeof head || !read_at(file, section->sh_offset, head))
    return not_it(
        "it has no manifest of Ringwright; a plugin has a RINGWRIGHT_PLUGIN(...), see "
        "engine/plugin_api.h");
  head.abi[sizeof head.abi - 1] = '\0';
  head.compiler[sizeof head.compiler - 1] = '\0';
  return head;
}

}  // namespace ringwright
