#pragma once

#include <engine/storage_engine.h>

#include <map>
#include <memory>
#include <mutex>
#include <string_view>
#include <vector>

namespace toy_engine {

namespace rw = ringwright;

// All rows in one ordered map; `flush` writes them into one file, which the next open reads. So it
// has the durability class `none`: what was written after the last flush goes with the process.
//
// Option: rows_max = how many rows it holds at most; 0: any number.
//
// Contract, threads and errors: engine/storage_engine.h. One lock guards everything; it is not held
// while a file is written.
class ToyEngine final : public rw::StorageEngine {
 public:
  ToyEngine() = default;
  ToyEngine(const ToyEngine&) = delete;
  ToyEngine& operator=(const ToyEngine&) = delete;
  ~ToyEngine() override;

  std::string_view name() const override { return "toy"; }
  rw::Capabilities capabilities() const override;
  rw::Status open(const rw::EngineContext& context) override;
  std::vector<rw::Result<std::optional<rw::Bytes>>> multi_get(std::span<const rw::Bytes> keys,
                                                              rw::MayBlock may_block) override;
  rw::Result<std::uint64_t> write(const rw::WriteBatch& batch, rw::MayBlock may_block) override;
  rw::Status sync(std::uint64_t sequence, rw::MayBlock may_block) override;
  std::unique_ptr<rw::Iterator> iterate(const rw::KeyRange& range,
                                        rw::Direction direction) override;
  rw::Status drop_range(const rw::KeyRange& range) override;
  rw::Status flush() override;
  rw::Status checkpoint(const std::string& path) override;
  std::uint64_t approximate_bytes(const rw::KeyRange& range) override;
  double pressure() override { return 0; }
  rw::EngineStats stats() override;
  rw::Status close() override;

 private:
  using Rows = std::map<rw::Bytes, rw::Bytes>;
  enum class State { fresh, open, closed };

  // With the lock held.
  rw::Status usable() const;
  rw::Status check(const rw::WriteBatch& batch) const;
  rw::Status read_options(const rw::EngineOptions& options);
  std::pair<Rows::const_iterator, Rows::const_iterator> find(const rw::KeyRange& range) const;

  rw::Status write_file(const std::string& path);

  std::mutex mutex_;  // guards what follows
  State state_ = State::fresh;
  rw::EngineContext context_;
  std::unique_ptr<rw::DirectoryLock> directory_;
  std::size_t rows_max_ = 0;
  Rows rows_;
  std::uint64_t sequence_ = 0;
};

}  // namespace toy_engine
