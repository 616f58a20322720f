#pragma once

#include <pybind11/pybind11.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "engine/damage_book.h"
#include "engine/storage_engine.h"

namespace ringwright::python {

// What is known of a class derived from `ringwright.Engine`. Kept for ever once it is registered:
// to let go of a Python object takes the interpreter's lock, and whoever replaces a part of the
// registry holds the registry's.
struct PythonEngineType {
  std::string name;  // under which it is registered
  pybind11::object type;
  Durability durability = Durability::none;
  std::uint32_t format = 1;
  std::vector<std::string> options;  // the known ones
  bool tells_pressure = false;       // the class has a `pressure` of its own
};

// A storage engine whose calls are those of a Python object; the contract of both is told in
// python/ringwright/_engines.py. Its own part: the directory and its lock, states, the checks of
// what comes back. The engine's files lie in the folder `rows` of its directory.
//
// 1. A call that may not block never touches Python, so no shard's thread waits for the
//    interpreter's lock. The others take it for the length of one Python call.
// 2. No exception leaves a method. One of a write that does not say that nothing happened is
//    `in_doubt`; one of a read is never absence.
// 3. The Python object is touched, and let go, only with the interpreter's lock.
class PythonEngine final : public StorageEngine {
 public:
  explicit PythonEngine(const PythonEngineType& type) : type_(type) {}
  ~PythonEngine() override;

  std::string_view name() const override { return type_.name; }
  Capabilities capabilities() const override { return {false, false, type_.durability}; }
  Status open(const EngineContext& context) override;
  std::vector<Result<std::optional<Bytes>>> multi_get(std::span<const Bytes> keys,
                                                      MayBlock may_block) override;
  // An empty batch is no write: it answers the last sequence.
  Result<std::uint64_t> write(const WriteBatch& batch, MayBlock may_block) override;
  Status sync(std::uint64_t sequence, MayBlock may_block) override;
  std::unique_ptr<Iterator> iterate(const KeyRange& range, Direction direction) override;
  Status drop_range(const KeyRange& range) override;
  Status flush() override;
  Status checkpoint(const std::string& path) override;
  std::uint64_t approximate_bytes(const KeyRange& range) override;
  // As of the last write.
  double pressure() override { return pressure_.load(); }
  EngineStats stats() override;
  Status close() override;

 private:
  using Row = Result<std::optional<Bytes>>;

  Status check_context(const EngineContext& context) const;
  Status take_directory(const EngineContext& context);
  Status usable() const;
  template <typename Work>
  Status call(const char* method, Work&& work);
  template <typename Work>
  void call_without_result(const char* method, Work&& work);
  Status call_multi_get(std::span<const Bytes> keys, std::vector<Row>& found);
  Row row_from(pybind11::handle item) const;
  void note_write(std::uint64_t sequence);
  void let_go();

  const PythonEngineType& type_;
  EngineContext context_;
  std::unique_ptr<DirectoryLock> directory_lock_;
  pybind11::object engine_;  // none while it is not open
  enum class State { fresh, open, closed };
  std::atomic<State> state_ = State::fresh;
  std::atomic<bool> sync_failed_ = false;
  std::atomic<std::uint64_t> last_sequence_ = 0;    // the highest of a write that returned
  std::atomic<std::uint64_t> synced_sequence_ = 0;  // of a sync that returned
  std::atomic<double> pressure_ = 0;
  std::shared_ptr<DamageBook> damage_ = std::make_shared<DamageBook>();
};

}  // namespace ringwright::python
