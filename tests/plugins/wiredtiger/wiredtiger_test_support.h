#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "engine/storage_engine.h"
#include "plugins/wiredtiger/wiredtiger_engine.h"
#include "tests/support/temporary_disk.h"

namespace ringwright {

class WiredtigerTest : public testing::Test {
 protected:
  WiredtigerTest() {
    context_.path = "engine";
    context_.disk = disk_;
    context_.durability = Durability::os;
    context_.options["cache_size"] = "8MiB";
    context_.options["log.file_max"] = "1MiB";
  }

  Status open() {
    engine_ = std::make_unique<WiredtigerEngine>(patience_);
    return engine_->open(context_);
  }
  void reopen() {
    ASSERT_EQ(engine_->close(), ok_status());
    const Status opened = open();
    ASSERT_TRUE(opened.is_ok()) << opened.to_string();
  }

  static WriteBatch batch_of(Bytes key, Bytes row) {
    WriteBatch batch;
    batch.put(std::move(key), std::move(row));
    return batch;
  }
  Status try_put(Bytes key, Bytes row) {
    return engine_->write(batch_of(std::move(key), std::move(row)), MayBlock::yes).status();
  }
  std::uint64_t put(Bytes key, Bytes row) {
    const auto written = engine_->write(batch_of(std::move(key), std::move(row)), MayBlock::yes);
    EXPECT_TRUE(written.has_value()) << written.status().to_string();
    return written ? *written : 0;
  }
  Result<std::optional<Bytes>> get(const Bytes& key) {
    return engine_->multi_get(std::span(&key, 1), MayBlock::yes).front();
  }
  // The row, "absent", or the name of the error's code.
  std::string shown(const Bytes& key) {
    const auto answer = get(key);
    if (!answer) return std::string(code_name(answer.error().code()));
    return answer->value_or("absent");
  }
  std::size_t count_rows() {
    const auto iterator = engine_->iterate({}, Direction::forward);
    std::size_t rows = 0;
    for (; iterator->valid(); iterator->next()) ++rows;
    EXPECT_TRUE(iterator->status().is_ok()) << iterator->status().to_string();
    return rows;
  }

  std::string real_directory() const { return disk_->real_path(context_.path); }
  std::string real_file(const std::string& name) const { return real_directory() + "/" + name; }
  std::vector<std::filesystem::path> files_starting(const std::string& prefix) const {
    std::vector<std::filesystem::path> found;
    for (const auto& entry : std::filesystem::directory_iterator(real_directory()))
      if (entry.path().filename().string().starts_with(prefix)) found.push_back(entry.path());
    return found;
  }
  std::string message_log() const {
    std::stringstream text;
    text << std::ifstream(real_file("LOG")).rdbuf();
    return text.str();
  }

  // Waits for what a thread of the engine's own will do.
  static bool eventually(const std::function<bool()>& done) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (!done()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return true;
  }

  const std::shared_ptr<Disk> disk_ = make_temporary_disk();
  EngineContext context_;
  Nanoseconds patience_ = limits::wiredtiger_close_deadline;
  std::unique_ptr<WiredtigerEngine> engine_;
};

// A database of many blocks, one of which can be damaged: WiredTiger panics when it reads that.
class WiredtigerDamageTest : public WiredtigerTest {
 protected:
  static Bytes key_of(int i) { return "key" + std::to_string(100'000 + i); }

  // Many blocks, closed in order.
  void fill() {
    ASSERT_EQ(open(), ok_status());
    for (int i = 0; i < rows; ++i) put(key_of(i), Bytes(100, 'v'));
    ASSERT_EQ(engine_->close(), ok_status());
  }

  // Inverts one byte of each of some blocks, beyond those that an open reads.
  void damage_rows() {
    std::fstream file(real_file("rows.wt"), std::ios::in | std::ios::out | std::ios::binary);
    const std::string mark = key_of(damaged).substr(3);
    std::stringstream text;
    text << file.rdbuf();
    const std::size_t at = text.str().find(mark);
    ASSERT_NE(at, std::string::npos);
    file.clear();
    file.seekp(static_cast<std::streamoff>(at));
    file.put('X');
  }

  static constexpr int rows = 20'000;
  static constexpr int damaged = 10'000;
};

}  // namespace ringwright
