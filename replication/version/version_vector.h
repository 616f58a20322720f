#pragma once

#include <optional>
#include <utility>
#include <vector>

#include "replication/version/actor.h"
#include "replication/version/hlc.h"

namespace ringwright {

// Which events were seen: actor -> counter up to which all are, sorted by actor; and, seldom,
// single dots beyond that ("detached"), for a client that wrote beside siblings it has not read
// knows its own event and not those before it (the dot cloud of Almeida, Shoker and Baquero, 2018).
// Each entry also carries the timestamp of the put that last raised it or took a live dot of it,
// which decides when it may be forgotten.
//
// Invariant: no detached dot is covered by an entry.
class VersionVector {
 public:
  struct Entry {
    Actor actor;
    std::uint64_t counter = 0;
    Timestamp stamp = 0;
    friend bool operator==(const Entry&, const Entry&) = default;
  };

  struct Detached {
    Dot dot;
    Timestamp stamp = 0;
    friend bool operator==(const Detached&, const Detached&) = default;
  };

  VersionVector() = default;
  // Of entries in strict order, with counters above zero.
  explicit VersionVector(std::vector<Entry> entries) : entries_(std::move(entries)) {}

  const std::vector<Entry>& entries() const { return entries_; }
  const std::vector<Detached>& detached() const { return detached_; }
  bool empty() const { return entries_.empty() && detached_.empty(); }
  std::size_t size() const { return entries_.size() + detached_.size(); }

  // Up to which counter all events are seen; 0 when the actor is unknown.
  std::uint64_t counter_of(const Actor& actor) const;
  // The highest event seen, detached ones included.
  std::uint64_t highest_of(const Actor& actor) const;
  bool covers(const Dot& dot) const;
  // Every event that `other` covers is covered here. Timestamps do not count.
  bool descends(const VersionVector& other) const;

  // Raises the dot's entry to at least its counter, and the entry's stamp to at least `stamp`. The
  // counter is above zero.
  void raise(const Dot& dot, Timestamp stamp);
  // Adds one dot without those before it.
  void add_detached(const Dot& dot, Timestamp stamp);
  // Forgets detached dots: covering less is always safe, it only keeps more siblings apart.
  template <typename Predicate>
  void drop_detached_if(Predicate forget) {
    std::erase_if(detached_, [&](const Detached& each) { return forget(each.dot); });
  }
  // Raises the stamp of an entry, or of a detached dot, that is there.
  void touch(const Actor& actor, Timestamp stamp);
  void touch(const Dot& dot, Timestamp stamp);
  // Entry by entry the greater counter and the greater stamp; every detached dot of either. What
  // `other` raises gets at least the stamp `raised`.
  void merge(const VersionVector& other, Timestamp raised = 0);
  Timestamp latest_stamp() const;

  // `Out` as in coding.h; at most `encoded_bytes_max` bytes.
  template <typename Out>
  void encode(Out& out) const {
    put_varint(out, entries_.size());
    for (const Entry& entry : entries_) encode_one(out, entry.actor, entry.counter, entry.stamp);
    put_varint(out, detached_.size());
    for (const Detached& each : detached_)
      encode_one(out, each.dot.actor, each.dot.counter, each.stamp);
  }
  std::size_t encoded_bytes_max() const {
    return 2 * varint_bytes_max + size() * (actor_bytes_max + varint_bytes_max + 8);
  }
  // What an entry of ordinary counters takes at most.
  static constexpr std::size_t entry_ahead_bytes = actor_bytes_fixed + 2 * varint_ahead_bytes + 8;
  // One entry, or one detached dot, as `encode` writes it.
  static Entry take_entry(Decoder& in) {
    if (const char* const start = in.ahead(entry_ahead_bytes)) {
      const char* at = start + actor_bytes_fixed;
      std::uint64_t birth = 0;
      std::uint64_t counter = 0;
      if (load_varint(at, birth) && load_varint(at, counter)) {
        in.skip_to(at + 8);
        return {{{load_u64_big_endian(start), load_u64_big_endian(start + 8)},
                 load_u64(start + 16),
                 birth},
                counter,
                load_u64(at)};
      }
    }
    const Actor actor = take_actor(in);
    const std::uint64_t counter = in.varint();
    return {actor, counter, in.u64()};
  }
  // Fails the decoder unless entries and detached dots are in strict order, with counters above
  // zero, and no entry covers a detached dot.
  static VersionVector decode(Decoder& in);

  friend bool operator==(const VersionVector&, const VersionVector&) = default;

 private:
  template <typename Out>
  static void encode_one(Out& out, const Actor& actor, std::uint64_t counter, Timestamp stamp) {
    put_actor(out, actor);
    put_varint(out, counter);
    put_u64(out, stamp);
  }

  std::vector<Entry>::iterator find(const Actor& actor);
  bool raise_known(const std::vector<Entry>& other, Timestamp raised);
  static void raise_to(Entry& mine, const Entry& theirs, Timestamp raised);
  void merge_entries(const std::vector<Entry>& other, Timestamp raised);
  void merge_detached(const std::vector<Detached>& other);
  // Restores the invariant: a covered dot's stamp goes to its entry.
  void absorb_detached();

  std::vector<Entry> entries_;
  std::vector<Detached> detached_;
};

}  // namespace ringwright
