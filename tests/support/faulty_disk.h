#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "engine/base/disk.h"

namespace ringwright {

// Counts the changing calls of a disk and fails the n-th. A failed append leaves a part of its
// bytes behind, a failed replace may have happened, and a failed file takes no more.
class FaultyDisk final : public Disk {
 public:
  enum class Half : bool { nothing_done = false, done_all_the_same = true };

  explicit FaultyDisk(std::shared_ptr<Disk> inner) : state_(std::make_shared<State>()) {
    state_->inner = std::move(inner);
  }

  // The n-th call from now on fails, once; 0: none does.
  void fail_nth(std::uint64_t n, Half half = Half::nothing_done, Code code = Code::io_error) {
    state_->calls = 0;
    state_->fails_at = n;
    state_->half = half;
    state_->code = code;
    state_->fired = false;
  }
  bool fired() const { return state_->fired; }
  std::uint64_t syncs() const { return state_->syncs; }

  Status make_directories(const std::string& path) override {
    return change([&] { return state_->inner->make_directories(path); });
  }
  Result<std::unique_ptr<AppendFile>> open_append(const std::string& path) override {
    if (state_->fails()) return state_->failure();
    auto file = state_->inner->open_append(path);
    if (!file) return file;
    return std::unique_ptr<AppendFile>(std::make_unique<File>(std::move(*file), state_));
  }
  Result<bool> exists(const std::string& path) override { return state_->inner->exists(path); }
  Result<Bytes> read(const std::string& path) override {
    if (state_->fails()) return state_->failure();
    return state_->inner->read(path);
  }
  Status truncate(const std::string& path, std::uint64_t size) override {
    return change([&] { return state_->inner->truncate(path, size); });
  }
  Status replace(const std::string& path, ByteView content) override {
    return change([&] { return state_->inner->replace(path, content); });
  }
  Status remove(const std::string& path) override {
    return change([&] { return state_->inner->remove(path); });
  }
  Result<std::vector<std::string>> list(const std::string& path) override {
    return state_->inner->list(path);
  }
  Result<std::unique_ptr<DirectoryLock>> lock(const std::string& path) override {
    return state_->inner->lock(path);
  }
  std::string real_path(const std::string& path) const override {
    return state_->inner->real_path(path);
  }

 private:
  // One thread may append while another syncs: what both count is atomic.
  struct State {
    std::shared_ptr<Disk> inner;
    std::atomic<std::uint64_t> calls = 0;
    std::uint64_t fails_at = 0;
    std::atomic<std::uint64_t> syncs = 0;
    Half half = Half::nothing_done;
    Code code = Code::io_error;
    std::atomic<bool> fired = false;

    bool fails() {
      const bool now = ++calls == fails_at;
      if (now) fired = true;
      return now;
    }
    Status failure() const { return {code, "injected disk failure"}; }
  };

  class File final : public AppendFile {
   public:
    File(std::unique_ptr<AppendFile> inner, std::shared_ptr<State> state)
        : inner_(std::move(inner)), state_(std::move(state)) {}
    Status append(ByteView bytes) override {
      if (poisoned_) return {Code::io_error, "poisoned"};
      if (!state_->fails()) return inner_->append(bytes);
      if (state_->code == Code::no_space) return state_->failure();
      poisoned_ = true;
      const bool all = state_->half == Half::done_all_the_same;
      inner_->append(all ? bytes : bytes.substr(0, bytes.size() / 2)).ignore("a test double");
      return state_->failure();
    }
    Status sync() override {
      if (poisoned_) return {Code::io_error, "poisoned"};
      ++state_->syncs;
      if (!state_->fails()) return inner_->sync();
      poisoned_ = true;
      return state_->failure();
    }
    std::uint64_t size() const override { return inner_->size(); }

   private:
    std::unique_ptr<AppendFile> inner_;
    std::shared_ptr<State> state_;
    std::atomic<bool> poisoned_ = false;
  };

  template <typename Call>
  Status change(Call call) {
    if (!state_->fails()) return call();
    if (state_->half == Half::done_all_the_same) call().ignore("a test double");
    return state_->failure();
  }

  std::shared_ptr<State> state_;
};

}  // namespace ringwright
