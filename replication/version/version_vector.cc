#include "replication/version/version_vector.h"

#include <algorithm>
#include <iterator>

#include "engine/base/check.h"

namespace ringwright {
namespace {

constexpr std::size_t entry_bytes_min = actor_bytes_min + 1 + 8;

bool before(const VersionVector::Entry& entry, const Actor& actor) { return entry.actor < actor; }

}  // namespace

std::vector<VersionVector::Entry>::iterator VersionVector::find(const Actor& actor) {
  return std::lower_bound(entries_.begin(), entries_.end(), actor, before);
}

std::uint64_t VersionVector::counter_of(const Actor& actor) const {
  const auto at = std::lower_bound(entries_.begin(), entries_.end(), actor, before);
  return at != entries_.end() && at->actor == actor ? at->counter : 0;
}

std::uint64_t VersionVector::highest_of(const Actor& actor) const {
  std::uint64_t highest = counter_of(actor);
  for (const Detached& each : detached_)
    if (each.dot.actor == actor) highest = std::max(highest, each.dot.counter);
  return highest;
}

bool VersionVector::covers(const Dot& dot) const {
  if (counter_of(dot.actor) >= dot.counter) return true;
  return std::binary_search(detached_.begin(), detached_.end(), Detached{dot, 0},
                            [](const Detached& a, const Detached& b) { return a.dot < b.dot; });
}

bool VersionVector::descends(const VersionVector& other) const {
  return std::all_of(
             other.entries_.begin(), other.entries_.end(),
             [&](const Entry& entry) { return counter_of(entry.actor) >= entry.counter; }) &&
         std::all_of(other.detached_.begin(), other.detached_.end(),
                     [&](const Detached& each) { return covers(each.dot); });
}

void VersionVector::raise(const Dot& dot, Timestamp stamp) {
  RW_CHECK(dot.counter > 0);
  auto at = find(dot.actor);
  if (at == entries_.end() || at->actor != dot.actor)
    at = entries_.insert(at, Entry{dot.actor, 0, 0});
  at->counter = std::max(at->counter, dot.counter);
  at->stamp = std::max(at->stamp, stamp);
  absorb_detached();
}

void VersionVector::add_detached(const Dot& dot, Timestamp stamp) {
  const auto at = std::lower_bound(detached_.begin(), detached_.end(), dot,
                                   [](const Detached& a, const Dot& b) { return a.dot < b; });
  if (at != detached_.end() && at->dot == dot)
    at->stamp = std::max(at->stamp, stamp);
  else
    detached_.insert(at, Detached{dot, stamp});
  absorb_detached();
}

void VersionVector::absorb_detached() {
  if (detached_.empty()) return;
  std::erase_if(detached_, [this](const Detached& each) {
    if (counter_of(each.dot.actor) < each.dot.counter) return false;
    touch(each.dot.actor, each.stamp);
    return true;
  });
}

void VersionVector::touch(const Actor& actor, Timestamp stamp) {
  const auto at = find(actor);
  if (at != entries_.end() && at->actor == actor) at->stamp = std::max(at->stamp, stamp);
}

void VersionVector::touch(const Dot& dot, Timestamp stamp) {
  const auto at = std::lower_bound(detached_.begin(), detached_.end(), dot,
                                   [](const Detached& a, const Dot& b) { return a.dot < b; });
  if (at != detached_.end() && at->dot == dot) at->stamp = std::max(at->stamp, stamp);
}

void VersionVector::merge(const VersionVector& other, Timestamp raised) {
  // Mostly all actors are known; then nothing moves.
  if (!raise_known(other.entries_, raised)) merge_entries(other.entries_, raised);
  if (!other.detached_.empty()) merge_detached(other.detached_);
  absorb_detached();
}

void VersionVector::merge_detached(const std::vector<Detached>& other) {
  std::vector<Detached> merged;
  merged.reserve(detached_.size() + other.size());
  std::merge(detached_.begin(), detached_.end(), other.begin(), other.end(),
             std::back_inserter(merged),
             [](const Detached& a, const Detached& b) { return a.dot < b.dot; });
  detached_.clear();
  for (const Detached& each : merged) {
    if (detached_.empty() || detached_.back().dot != each.dot)
      detached_.push_back(each);
    else
      detached_.back().stamp = std::max(detached_.back().stamp, each.stamp);
  }
}

// By an entry of the same actor; what it raises gets at least the stamp `raised`.
void VersionVector::raise_to(Entry& mine, const Entry& theirs, Timestamp raised) {
  if (theirs.counter > mine.counter) mine.stamp = std::max(mine.stamp, raised);
  mine.counter = std::max(mine.counter, theirs.counter);
  mine.stamp = std::max(mine.stamp, theirs.stamp);
}

// False when an actor is not known; those before it are raised.
bool VersionVector::raise_known(const std::vector<Entry>& other, Timestamp raised) {
  auto mine = entries_.begin();
  for (const Entry& theirs : other) {
    while (mine != entries_.end() && mine->actor < theirs.actor) ++mine;
    if (mine == entries_.end() || mine->actor != theirs.actor) return false;
    raise_to(*mine, theirs, raised);
  }
  return true;
}

void VersionVector::merge_entries(const std::vector<Entry>& other, Timestamp raised) {
  std::vector<Entry> merged;
  merged.reserve(entries_.size() + other.size());
  auto mine = entries_.begin();
  auto theirs = other.begin();
  while (mine != entries_.end() || theirs != other.end()) {
    if (theirs == other.end() || (mine != entries_.end() && mine->actor < theirs->actor)) {
      merged.push_back(*mine++);
    } else if (mine == entries_.end() || theirs->actor < mine->actor) {
      Entry& added = merged.emplace_back(Entry{theirs->actor});
      raise_to(added, *theirs++, raised);
    } else {
      Entry& both = merged.emplace_back(*mine++);
      raise_to(both, *theirs++, raised);
    }
  }
  entries_ = std::move(merged);
}

Timestamp VersionVector::latest_stamp() const {
  Timestamp latest = 0;
  for (const Entry& entry : entries_) latest = std::max(latest, entry.stamp);
  for (const Detached& each : detached_) latest = std::max(latest, each.stamp);
  return latest;
}

VersionVector VersionVector::decode(Decoder& in) {
  VersionVector vector;
  const std::size_t count = in.count(entry_bytes_min);
  vector.entries_.reserve(count);
  for (std::size_t i = 0; i < count && !in.failed(); ++i) {
    const Entry& entry = vector.entries_.emplace_back(take_entry(in));
    const bool ordered = i == 0 || vector.entries_[i - 1].actor < entry.actor;
    if (!ordered || entry.counter == 0) in.fail();
  }
  const std::size_t detached = in.count(entry_bytes_min);
  for (std::size_t i = 0; i < detached && !in.failed(); ++i) {
    const Entry entry = take_entry(in);
    const Detached each{{entry.actor, entry.counter}, entry.stamp};
    const bool ordered = i == 0 || vector.detached_.back().dot < each.dot;
    if (!ordered || vector.counter_of(each.dot.actor) >= each.dot.counter) in.fail();
    vector.detached_.push_back(each);
  }
  return vector;
}

}  // namespace ringwright
