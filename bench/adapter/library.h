#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "engine/base/bytes.h"
#include "engine/storage_engine.h"

namespace ringwright::bench {

// The least that a reader of rows does, on both sides: it looks at key and value. Who did not would
// never wait for them to come from memory. Never 0.
inline std::size_t read_row(ByteView key, ByteView value) {
  const auto look = [](ByteView bytes) {
    return bytes.empty() ? 1 : bytes.size() + static_cast<unsigned char>(bytes.front());
  };
  return look(key) + look(value);
}

// The library below a storage engine, used straight, as careful code would use it: the other side
// of the comparison. Each call ends the program when it fails.
class Library {
 public:
  // What one thread uses. Its calls are those that are measured.
  class Session {
   public:
    virtual ~Session() = default;
    // Answers the bytes of the value, which the caller gets as a string of its own; of several, all
    // are there at the same time.
    virtual std::size_t get(const Bytes& key) = 0;
    virtual std::size_t multi_get(std::span<const Bytes> keys) = 0;
    virtual void put(const Bytes& key, const Bytes& value) = 0;
    virtual void write(std::span<const Bytes> keys, std::span<const Bytes> values) = 0;
    // Makes all writes so far survive a loss of power.
    virtual void sync() = 0;
    // Reads up to `limit` rows from `start` on; answers the sum of their `read_row`.
    virtual std::size_t scan(const Bytes& start, std::size_t limit) = 0;
  };

  virtual ~Library() = default;
  virtual std::unique_ptr<Session> session() = 0;
};

// One library: how the engine of this name is opened, and how its library is.
struct Subject {
  std::string engine;
  EngineOptions options;
  std::string version;  // of the library, with what is to be known of its build
  // Opens what the engine's `checkpoint` wrote into this directory, with the same options and for
  // the same class.
  std::unique_ptr<Library> (*open)(const std::string& directory, const EngineOptions& options,
                                   Durability durability);
};

Subject rocksdb_subject();
Subject wiredtiger_subject();

}  // namespace ringwright::bench
