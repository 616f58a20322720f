#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "engine/engine_stack.h"

namespace ringwright {

// A stack over the memory engine whose calls may be held.
class HeldEngineTest : public testing::Test {
 protected:
  void open(const std::string& description, EngineOptions options = {}) {
    auto made = make_engine_stack(registry(), description);
    ASSERT_TRUE(made) << made.status().to_string();
    engine_ = std::move(*made);
    const Status opened =
        engine_->open({"engine", std::move(options), Durability::none, nullptr, nullptr});
    ASSERT_EQ(opened, ok_status());
  }

  Result<std::uint64_t> put(const Bytes& key, Bytes row, MayBlock may_block = MayBlock::yes) {
    WriteBatch batch;
    batch.put(key, std::move(row));
    return engine_->write(batch, may_block);
  }
  Result<std::optional<Bytes>> get(const Bytes& key, MayBlock may_block = MayBlock::yes) {
    return engine_->multi_get({&key, 1}, may_block).at(0);
  }

  // Milliseconds that the call took.
  static double took_ms(const std::function<void()>& call) {
    const auto start = std::chrono::steady_clock::now();
    call();
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
        .count();
  }

  // Whether it came to that within ten seconds.
  static bool comes(const std::function<bool()>& wanted) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!wanted()) {
      if (std::chrono::steady_clock::now() > until) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return true;
  }

  std::unique_ptr<StorageEngine> engine_;
};

}  // namespace ringwright
