#include "replication/client/context_memory.h"

#include "engine/base/coding.h"
#include "replication/version/context.h"

namespace ringwright {
namespace {

// Names of entries: what was written and what each session read, apart by the first byte.
std::string entry_name(std::string_view keyspace, ByteView key) {
  std::string name;
  name.reserve(16 + keyspace.size() + key.size());
  name.push_back('w');
  put_bytes(name, keyspace);
  name.append(key);
  return name;
}

std::string entry_name(std::string_view keyspace, ByteView key, std::uint64_t session) {
  std::string name;
  name.reserve(16 + keyspace.size() + key.size());
  name.push_back('r');
  put_u64(name, session);
  put_bytes(name, keyspace);
  name.append(key);
  return name;
}

}  // namespace

Bytes join_contexts(const Bytes& left, const Bytes& right) {
  if (left.empty() || left == right) return right;
  if (right.empty()) return left;
  auto first = decode_context(left);
  const auto second = decode_context(right);
  if (!first) return right;
  if (!second) return left;
  first->merge(*second);
  return encode(*first);
}

void ContextMemory::note_read(std::string_view keyspace, ByteView key, std::uint64_t session,
                              ByteView context) {
  const std::lock_guard lock(mutex_);
  note(entry_name(keyspace, key, session), context);
}

void ContextMemory::note_written(std::string_view keyspace, ByteView key, std::uint64_t session,
                                 bool covers_session, ByteView context) {
  const std::lock_guard lock(mutex_);
  note(entry_name(keyspace, key), context);
  if (!covers_session) return;
  const auto read = by_name_.find(entry_name(keyspace, key, session));
  if (read == by_name_.end()) return;
  const auto entry = read->second;
  by_name_.erase(read);
  entries_.erase(entry);
}

Bytes ContextMemory::recall(std::string_view keyspace, ByteView key, std::uint64_t session) {
  Bytes written;
  Bytes read;
  {
    const std::lock_guard lock(mutex_);
    if (entries_.empty()) return {};
    if (const Bytes* const found = find(entry_name(keyspace, key))) written = *found;
    if (const Bytes* const found = find(entry_name(keyspace, key, session))) read = *found;
  }
  return join_contexts(written, read);
}

void ContextMemory::clear() {
  const std::lock_guard lock(mutex_);
  by_name_.clear();
  entries_.clear();
}

std::size_t ContextMemory::size() const {
  const std::lock_guard lock(mutex_);
  return entries_.size();
}

const Bytes* ContextMemory::find(const std::string& name) {
  const auto at = by_name_.find(name);
  if (at == by_name_.end()) return nullptr;
  entries_.splice(entries_.begin(), entries_, at->second);
  return &at->second->second;
}

void ContextMemory::note(std::string name, ByteView context) {
  if (const auto at = by_name_.find(name); at != by_name_.end()) {
    at->second->second.assign(context);
    entries_.splice(entries_.begin(), entries_, at->second);
    return;
  }
  if (entries_.size() >= contexts_max_) {
    by_name_.erase(entries_.back().first);
    // The oldest entry becomes the new one, so that a full memory allocates no more nodes.
    entries_.splice(entries_.begin(), entries_, std::prev(entries_.end()));
    entries_.front().first = std::move(name);
    entries_.front().second.assign(context);
  } else {
    entries_.emplace_front(std::move(name), Bytes(context));
  }
  by_name_.emplace(entries_.front().first, entries_.begin());
}

}  // namespace ringwright
