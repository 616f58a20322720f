#include "replication/version/record_view.h"

#include <memory>
#include <utility>
#include <vector>

#include "replication/version/record_layout.h"

namespace ringwright {
namespace {

bool is_before(const EntryView& a, const EntryView& b) {
  const std::uint64_t high_a = load_u64_big_endian(a.fixed);
  const std::uint64_t high_b = load_u64_big_endian(b.fixed);
  return high_a != high_b ? high_a < high_b : a.actor() < b.actor();
}

}  // namespace

VersionVector SiblingsView::vector() const {
  std::vector<VersionVector::Entry> all;
  // Mostly one of the writer's joins them.
  all.reserve(entry_count_ + 1);
  for (const EntryView& each : entries()) all.push_back({each.actor(), each.counter(), each.stamp});
  return VersionVector(std::move(all));
}

std::uint64_t SiblingsView::counter_of(const Actor& actor) const {
  for (const EntryView& entry : entries())
    if (entry.actor() == actor) return entry.counter();
  return 0;
}

const SiblingView* SiblingsView::find(const Dot& dot) const {
  for (const SiblingView& sibling : siblings())
    if (sibling.dot == dot) return &sibling;
  return nullptr;
}

bool SiblingsView::read(ByteView canonical, ByteView key) {
  return is_sound(canonical, key) && read_checked(canonical);
}

bool SiblingsView::read_checked(ByteView canonical) {
  entry_count_ = 0;
  sibling_count_ = 0;
  if (canonical.size() < checked_from) return false;
  Decoder in(canonical.substr(checked_from));
  if (in.u8() != static_cast<std::uint8_t>(RecordKind::siblings)) return false;
  return read_entries(in) && in.varint() == 0 && read_siblings(in) && in.complete();
}

// A sibling follows, so that each entry can be read ahead.
bool SiblingsView::read_entries(Decoder& in) {
  const std::uint64_t count = in.varint();
  if (count > entries_.size()) return false;
  for (std::size_t i = 0; i < count; ++i) {
    EntryView& entry = *std::construct_at(&entries_[i]);
    if (!entry.read(in)) return false;
    if (i > 0 && !is_before(entries_[i - 1], entry)) return false;
  }
  entry_count_ = static_cast<std::size_t>(count);
  return true;
}

bool SiblingsView::read_siblings(Decoder& in) {
  const std::uint64_t count = in.varint();
  if (count == 0 || count > siblings_.size()) return false;
  for (; sibling_count_ < count; ++sibling_count_) {
    SiblingView& sibling = *std::construct_at(&siblings_[sibling_count_]);
    const std::uint64_t index = in.varint();
    sibling.dot.counter = in.varint();
    if (index >= entry_count_ || sibling.dot.counter == 0 ||
        sibling.dot.counter > entries_[index].counter())
      return false;
    sibling.dot.actor = entries_[index].actor();
    decode_content(in, sibling);
    if (sibling_count_ > 0 && !(siblings_[sibling_count_ - 1].dot < sibling.dot)) return false;
  }
  return true;
}

}  // namespace ringwright
