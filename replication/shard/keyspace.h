#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "engine/base/limits.h"
#include "engine/storage_engine.h"
#include "replication/resolver/conflict_resolver.h"

namespace ringwright {

// Which replicas a get asks: as many as it needs, or all n (and repairs the stale among them).
enum class FanOut : std::uint8_t { quorum = 0, all = 1 };

// The named settings that a key lives under. Immutable once a node has opened them.
struct Keyspace {
  std::string name = "default";
  std::string engine = "memory";  // an engine stack: "rocksdb", "faulty(memory)"
  EngineOptions engine_options;
  std::string resolver_name = "vector_clock";
  std::uint32_t n = 3;
  std::uint32_t r = 2;
  std::uint32_t w = 2;
  bool sloppy = true;  // stand-ins count while primaries cannot be reached
  FanOut fan_out = FanOut::all;
  std::uint64_t ttl_us = 0;  // 0: for ever
  Durability durability = Durability::os;

  // Bounds on a client's put; tests lower them.
  std::size_t value_bytes_max = limits::value_bytes_max;
  std::size_t record_bytes_max = limits::record_bytes_max;
  std::size_t siblings_max = limits::siblings_max;

  std::shared_ptr<const ConflictResolver> resolver;  // found by name when a node opens
  RecordKind kind() const { return resolver->record_kind(); }
};

}  // namespace ringwright
