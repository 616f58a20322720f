#pragma once

#include <cstdint>
#include <list>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "engine/base/bytes.h"

namespace ringwright {

// The contexts that a client remembers: per key what it wrote last, and per session and key what
// was read last. Holds at most `contexts_max`; the ones least recently used go first, which costs a
// sibling, never a value. Threads: any.
class ContextMemory {
 public:
  explicit ContextMemory(std::size_t contexts_max) : contexts_max_(contexts_max) {}

  void note_read(std::string_view keyspace, ByteView key, std::uint64_t session, ByteView context);
  // `covers_session`: the written context covers what the session had read, which is forgotten.
  void note_written(std::string_view keyspace, ByteView key, std::uint64_t session,
                    bool covers_session, ByteView context);
  // Both, joined and encoded; empty when there is none.
  Bytes recall(std::string_view keyspace, ByteView key, std::uint64_t session);
  void clear();
  std::size_t size() const;

 private:
  using Entry = std::pair<std::string, Bytes>;
  using Entries = std::list<Entry>;

  void note(std::string name, ByteView context);
  const Bytes* find(const std::string& name);

  const std::size_t contexts_max_;
  mutable std::mutex mutex_;                                         // guards entries_, by_name_
  Entries entries_;                                                  // most recently used first
  std::unordered_map<std::string_view, Entries::iterator> by_name_;  // views into the entries
};

// Two encoded contexts of one key as one; either may be empty. One that cannot be decoded is left
// out.
Bytes join_contexts(const Bytes& left, const Bytes& right);

}  // namespace ringwright
