#include "engine/memory/log_format.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "engine/base/coding.h"
#include "engine/base/hash.h"

namespace ringwright {
namespace {

struct Read {
  Result<LogReplay> replay;
  std::size_t operations = 0;
};

Read read(ByteView content) {
  std::size_t operations = 0;
  auto replay = replay_log("d/log.1", content, [&](std::span<const LogOperation> of_record) {
    operations += of_record.size();
    return ok_status();
  });
  return {std::move(replay), operations};
}

// A snapshot of one record at sequence 4, then writes 5, 6 and 7, each proven before the next.
Bytes example() {
  Bytes log = encode_log_header(4, 1);
  const LogOperation row{LogKind::put, "s", "snapshot"};
  append_log_record(log, 4, 0, {&row, 1});
  for (std::uint64_t sequence = 5; sequence <= 7; ++sequence) {
    const LogOperation put{LogKind::put, "key", "row of the write"};
    append_log_record(log, sequence, 0, {&put, 1});
  }
  return log;
}

std::size_t record_start(std::size_t index) {
  const std::size_t snapshot = log_record_head_bytes + 1 + 1 + 1 + 2 + 9;
  const std::size_t write = log_record_head_bytes + 1 + 1 + 1 + 4 + 17;
  return log_header_bytes + (index == 0 ? 0 : snapshot + (index - 1) * write);
}

TEST(LogFormat, golden_bytes) {
  EXPECT_EQ(to_hex(encode_log_header(0x0102, 3)),
            "72776d656d6c6f67"  // "rwmemlog"
            "02000000"          // format 2
            "0201000000000000"  // base sequence
            "0300000000000000"  // snapshot records
            "f4ad2b7a");        // checksum
  const std::vector<LogOperation> operations = {{LogKind::put, "k", "row"},
                                                {LogKind::remove, "gone", ""},
                                                {LogKind::merge, "k", "op"},
                                                {LogKind::drop_range, "a", "b"}};
  Bytes record;
  append_log_record(record, 7, 300, operations);
  EXPECT_EQ(to_hex(record),
            "1c000000"          // payload length
            "4f468046"          // checksum
            "0700000000000000"  // sequence
            "ac02"              // unproven
            "04"                // operations
            "00016b03726f77"    // put
            "0104676f6e6500"    // remove
            "02016b026f70"      // merge
            "0301610162");      // drop range
}

TEST(LogFormat, reads_back_what_was_written) {
  const Bytes log = example();
  ASSERT_EQ(log.size(), record_start(4));
  const Read all = read(log);
  ASSERT_TRUE(all.replay) << all.replay.status().to_string();
  EXPECT_EQ(all.replay->base_sequence, 4u);
  EXPECT_EQ(all.replay->last_sequence, 7u);
  EXPECT_EQ(all.replay->good_bytes, log.size());
  EXPECT_EQ(all.operations, 4u);
}

TEST(LogFormat, a_log_cut_anywhere_behind_its_snapshot_ends_at_a_whole_record) {
  const Bytes log = example();
  for (std::size_t size = 0; size < log.size(); ++size) {
    const Read cut = read(ByteView(log).substr(0, size));
    if (size < record_start(1)) {
      EXPECT_EQ(cut.replay.status().code(), Code::corrupt) << size;
      continue;
    }
    ASSERT_TRUE(cut.replay) << size << " " << cut.replay.status().to_string();
    const std::size_t whole = (size - record_start(1)) / (record_start(2) - record_start(1));
    EXPECT_EQ(cut.replay->last_sequence, 4 + whole) << size;
    EXPECT_EQ(cut.replay->good_bytes, record_start(1 + whole)) << size;
    EXPECT_EQ(cut.operations, 1 + whole) << size;
  }
}

TEST(LogFormat, a_changed_bit_is_damage_except_in_the_last_record) {
  for (std::size_t bit = 0; bit < example().size() * 8; ++bit) {
    const std::size_t at = bit / 8;
    Bytes log = example();
    log[at] = static_cast<char>(log[at] ^ (1 << (bit % 8)));
    const Read changed = read(log);
    if (at >= record_start(3)) {
      ASSERT_TRUE(changed.replay) << bit << " " << changed.replay.status().to_string();
      EXPECT_EQ(changed.replay->last_sequence, 6u) << bit;
      EXPECT_EQ(changed.replay->good_bytes, record_start(3)) << bit;
    } else {
      const Status status = changed.replay.status();
      const bool newer = at >= 8 && at < 12 && status.code() == Code::mismatch;
      EXPECT_TRUE(newer || status.code() == Code::corrupt) << bit << " " << status.to_string();
    }
  }
}

TEST(LogFormat, damage_names_file_and_offset) {
  Bytes log = example();
  log[record_start(2) + 20] ^= 1;
  const Status status = read(log).replay.status();
  EXPECT_EQ(status.code(), Code::corrupt);
  EXPECT_EQ(status.message(), "file 'd/log.1' at byte " + std::to_string(record_start(2)) +
                                  ": a record is damaged and others follow it");
}

TEST(LogFormat, a_tail_of_zeros_or_of_old_bytes_is_torn_off) {
  const Bytes log = example();
  for (const Bytes& tail : {Bytes(1, '\0'), Bytes(5000, '\0'), Bytes(5000, '\xff'), log}) {
    const Read torn = read(log + tail);
    ASSERT_TRUE(torn.replay) << torn.replay.status().to_string();
    EXPECT_EQ(torn.replay->good_bytes, log.size());
  }
}

TEST(LogFormat, a_missing_or_repeated_record_is_damage) {
  const Bytes log = example();
  const std::size_t size = record_start(2) - record_start(1);
  Bytes missing = log;
  missing.erase(record_start(2), size);
  EXPECT_EQ(read(missing).replay.status().code(), Code::corrupt);
  Bytes repeated = log;
  repeated.insert(record_start(2), log.substr(record_start(1), size));
  EXPECT_EQ(read(repeated).replay.status().code(), Code::corrupt);
}

// Four pages of a disk that wrote them back in another order before it lost power.
TEST(LogFormat, a_hole_behind_the_last_sync_is_a_torn_tail_and_one_before_it_is_damage) {
  for (std::uint64_t unproven = 0; unproven <= 3; ++unproven) {
    Bytes log = encode_log_header(4, 0);
    std::vector<std::size_t> starts;
    for (std::uint64_t sequence = 5; sequence <= 8; ++sequence) {
      starts.push_back(log.size());
      const LogOperation put{LogKind::put, "key", "row of the write"};
      append_log_record(log, sequence, std::min(unproven, sequence - 5), {&put, 1});
    }
    for (std::uint64_t bad = 0; bad < 3; ++bad) {
      Bytes holed = log;
      std::fill(holed.begin() + static_cast<std::ptrdiff_t>(starts[bad]),
                holed.begin() + static_cast<std::ptrdiff_t>(starts[bad + 1]), '\0');
      const Read torn = read(holed);
      // Write 8 is the last witness: it calls all proven but the `unproven` ones before it.
      const bool is_damage = 8 - 1 - unproven >= 5 + bad;
      EXPECT_EQ(torn.replay.status().code(), is_damage ? Code::corrupt : Code::ok)
          << unproven << " " << bad;
      EXPECT_TRUE(!torn.replay || torn.replay->good_bytes == starts[bad]);
    }
  }
}

// As this engine wrote it before records said what was proven.
TEST(LogFormat, format_1_is_read_and_calls_every_earlier_write_proven) {
  Bytes log = "rwmemlog";
  put_u32(log, 1);
  put_u64(log, 0);
  put_u64(log, 0);
  put_u32(log, checksum32(log));
  for (std::uint64_t sequence = 1; sequence <= 3; ++sequence) {
    Bytes guarded;
    put_u64(guarded, sequence);
    guarded += Bytes("\x01\x00\x03key\x03row", 10);
    put_u32(log, static_cast<std::uint32_t>(guarded.size() - 8));
    put_u32(log, checksum32(guarded));
    log += guarded;
  }
  const Read all = read(log);
  ASSERT_TRUE(all.replay) << all.replay.status().to_string();
  EXPECT_EQ(all.replay->format, 1u);
  EXPECT_EQ(all.replay->last_sequence, 3u);
  EXPECT_EQ(all.operations, 3u);
  log[log_header_bytes + 20] ^= 1;
  EXPECT_EQ(read(log).replay.status().code(), Code::corrupt);
}

TEST(LogFormat, a_newer_format_is_not_touched) {
  Bytes log = example();
  log[8] = 3;
  const Status status = read(log).replay.status();
  EXPECT_EQ(status.code(), Code::mismatch) << status.to_string();
}

TEST(LogFormat, malformed_operations_with_a_right_checksum_are_damage) {
  for (const char* const payload :
       {"", "\x01", "\x01\x04\x01k\x01v", "\x02\x01\x01k\x01v", "\x01\x01\x01k\x01vx"}) {
    Bytes guarded;
    put_u64(guarded, 1);
    put_varint(guarded, 0);
    guarded += payload;
    Bytes log = encode_log_header(0, 0);
    put_u32(log, static_cast<std::uint32_t>(guarded.size() - 8));
    put_u32(log, checksum32(guarded));
    log += guarded;
    EXPECT_EQ(read(log).replay.status().code(), Code::corrupt) << payload;
  }
}

}  // namespace
}  // namespace ringwright
