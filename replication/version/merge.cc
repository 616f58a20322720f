#include "replication/version/merge.h"

#include <tuple>

#include "engine/base/check.h"
#include "engine/base/seeded_bug.h"

namespace ringwright {
namespace {

auto lww_order(const Sibling& sibling) {
  return std::tie(sibling.stamp, sibling.dot.actor, sibling.tombstone, sibling.value,
                  sibling.expires_us, sibling.request, sibling.dot.counter);
}

// A total order among siblings that share a dot.
auto content_order(const Sibling& sibling) {
  return std::tie(sibling.tombstone, sibling.value, sibling.stamp, sibling.expires_us,
                  sibling.request);
}

Record merge_lww(const Record& left, const Record& right) {
  if (right.siblings.empty()) return left;
  if (left.siblings.empty()) return right;
  return lww_order(left.siblings.front()) < lww_order(right.siblings.front()) ? right : left;
}

Record merge_siblings(const Record& left, const Record& right) {
  Record merged;
  merged.kind = RecordKind::siblings;
  merged.siblings.reserve(left.siblings.size() + right.siblings.size());
  auto a = left.siblings.begin();
  auto b = right.siblings.begin();
  while (a != left.siblings.end() || b != right.siblings.end()) {
    if (b == right.siblings.end() || (a != left.siblings.end() && a->dot < b->dot)) {
      if (!right.vector.covers(a->dot)) merged.siblings.push_back(*a);
      ++a;
    } else if (a == left.siblings.end() || b->dot < a->dot) {
      if (!left.vector.covers(b->dot)) merged.siblings.push_back(*b);
      ++b;
    } else {
      merged.siblings.push_back(content_order(*a) < content_order(*b) ? *b : *a);
      ++a;
      ++b;
    }
  }
  if (seeded_bug(SeededBug::merge_drops_sibling) && merged.siblings.size() > 1)
    merged.siblings.pop_back();
  merged.vector = left.vector;
  merged.vector.merge(right.vector);
  return merged;
}

}  // namespace

Record merge_records(const Record& left, const Record& right) {
  RW_CHECK(left.kind == right.kind);
  return left.kind == RecordKind::lww ? merge_lww(left, right) : merge_siblings(left, right);
}

}  // namespace ringwright
