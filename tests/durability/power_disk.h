#pragma once

#include <atomic>
#include <cstdint>

// A disk that loses what was not synced, as a library that stands between a program and its files:
// linked or preloaded, it takes the place of the C library's calls for files. Asleep until
// `power_disk_start`, and then only for what lies below `root`.
//
// What it models is what a journalling file system promises and no more:
// 1. Bytes of a file rest on the disk when an fsync or fdatasync of it that began after the write
//    has returned. A sync covers only what was written before it began.
// 2. Names (created, linked, renamed, removed) rest when an fsync of their directory has returned;
// a
//    sync of the file itself is not enough. A rename is atomic.
// 3. After a failed sync what it should have covered is lost for good: the kernel has marked the
//    pages clean, and a later sync that succeeds proves nothing.
// It writes what is known to rest to a journal outside of `root`, from which `DurableImage`
// computes what a directory looks like after a loss of power.
//
// Real syncs are left out: after the death of a process the page cache is as it was.

namespace ringwright::durability {

// Shared memory, so that a parent can turn the knobs and read the counters.
struct PowerPage {
  static constexpr std::uint64_t no_budget = UINT64_MAX;

  // Knobs. Files below the root may not grow beyond the budget in total: ENOSPC.
  std::atomic<std::uint64_t> budget_bytes = no_budget;
  // Who asks how much room there is does not see the budget until something was refused: as if
  // another program had taken the room just now. Goes out by itself then.
  std::atomic<bool> hides_budget = false;
  std::atomic<std::uint64_t> fail_sync_in = 0;  // the n-th sync from now fails with EIO; 0: none
  std::atomic<std::uint64_t> sync_delay_us = 0;
  // Of 65536 writes, how many rest on the disk at once, as if the kernel had just written back.
  std::atomic<std::uint32_t> early_share = 0;

  std::atomic<std::uint64_t> used_bytes = 0;
  std::atomic<std::uint64_t> syncs = 0;
  std::atomic<std::uint64_t> failed_syncs = 0;
  std::atomic<std::uint64_t> refused_writes = 0;
  // Something was done that the model does not know: a writable shared mapping, for one.
  std::atomic<std::uint32_t> unknown_calls = 0;
};

// One record of the journal; `bytes` of payload follow it. A record that is cut short at the end of
// the journal did not happen.
struct PowerRecord {
  static constexpr std::uint32_t magic_value = 0x52445750;
  enum class Kind : std::uint32_t {
    node = 1,           // id, a: is a directory; payload: path below the root, as it was found
    enter = 2,          // id: directory, a: node, b: is a directory; payload: name
    leave = 3,          // id: directory; payload: name
    move = 4,           // id: from, a: to, b: node; payload: name there, 0, name here
    wrote = 5,          // id, a: offset, b: length
    resized = 6,        // id, a: size
    early = 7,          // id, a: offset; payload: bytes that rest on the disk
    file_synced = 8,    // id, a: size, b: covers; payload: pieces (u64 offset, u64 size, bytes)
    folder_synced = 9,  // id, b: covers
    forgotten = 10,     // id, b: covers; a failed sync
  };
  std::uint32_t magic = magic_value;
  Kind kind = Kind::node;
  std::uint64_t id = 0;
  std::uint64_t a = 0;
  std::uint64_t b = 0;  // "covers": the journal's length when the sync began
  std::uint64_t bytes = 0;
};

}  // namespace ringwright::durability

extern "C" {
// Both paths are absolute; `journal` is made anew and lies outside of `root`. Call it while no file
// below the root is open. 0, or -1 and errno.
int power_disk_start(const char* root, const char* journal, ringwright::durability::PowerPage* page,
                     std::uint64_t seed);
}
