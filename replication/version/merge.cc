#include "replication/version/merge.h"

#include <tuple>
#include <utility>

#include "engine/base/check.h"
#include "engine/base/seeded_bug.h"

namespace ringwright {
namespace {

template <typename AnySibling>
auto lww_order(const AnySibling& sibling) {
  return std::tie(sibling.stamp, sibling.dot.actor, sibling.tombstone, sibling.value,
                  sibling.expires_us, sibling.request, sibling.dot.counter);
}

// A total order among siblings that share a dot.
auto content_order(const Sibling& sibling) {
  return std::tie(sibling.tombstone, sibling.value, sibling.stamp, sibling.expires_us,
                  sibling.request);
}

Record merge_lww(Record left, Record right) {
  if (right.siblings.empty()) return left;
  if (left.siblings.empty()) return right;
  if (lww_order(left.siblings.front()) < lww_order(right.siblings.front())) return right;
  return left;
}

Record merge_siblings(Record left, Record right) {
  Record merged;
  merged.kind = RecordKind::siblings;
  merged.siblings.reserve(left.siblings.size() + right.siblings.size());
  auto a = left.siblings.begin();
  auto b = right.siblings.begin();
  while (a != left.siblings.end() || b != right.siblings.end()) {
    if (b == right.siblings.end() || (a != left.siblings.end() && a->dot < b->dot)) {
      if (!right.vector.covers(a->dot)) merged.siblings.push_back(std::move(*a));
      ++a;
    } else if (a == left.siblings.end() || b->dot < a->dot) {
      if (!left.vector.covers(b->dot)) merged.siblings.push_back(std::move(*b));
      ++b;
    } else {
      merged.siblings.push_back(std::move(content_order(*a) < content_order(*b) ? *b : *a));
      ++a;
      ++b;
    }
  }
  if (seeded_bug(SeededBug::merge_drops_sibling) && merged.siblings.size() > 1)
    merged.siblings.pop_back();
  merged.vector = std::move(left.vector);
  merged.vector.merge(right.vector);
  return merged;
}

}  // namespace

bool right_wins(const SiblingView& left, const SiblingView& right) {
  return lww_order(left) < lww_order(right);
}

bool supersedes(const SiblingsView& newer, const SiblingsView& older) {
  if (seeded_bug(SeededBug::merge_drops_sibling)) return false;
  auto at = newer.entries().begin();
  const auto end = newer.entries().end();
  for (const EntryView& entry : older.entries()) {
    const Actor actor = entry.actor();
    while (at != end && at->actor() < actor) ++at;
    if (at == end || at->actor() != actor || at->raw_counter < entry.raw_counter ||
        at->stamp < entry.stamp)
      return false;
  }
  // What only the older one has is covered by the newer's vector, which holds all of its entries:
  // so it goes. What both have must be the same, and what only the newer has must be news.
  for (const SiblingView& sibling : newer.siblings()) {
    const SiblingView* const other = older.find(sibling.dot);
    if (other != nullptr ? *other != sibling
                         : older.counter_of(sibling.dot.actor) >= sibling.dot.counter)
      return false;
  }
  return true;
}

Record merge_records(Record left, Record right) {
  RW_CHECK(left.kind == right.kind);
  return left.kind == RecordKind::lww ? merge_lww(std::move(left), std::move(right))
                                      : merge_siblings(std::move(left), std::move(right));
}

}  // namespace ringwright
