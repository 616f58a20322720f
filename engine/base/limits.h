#pragma once

#include <cstddef>
#include <cstdint>

#include "engine/base/time.h"

// Every bound of Ringwright, named, in this one file. Bounds on a client's put never stop a repair.
namespace ringwright::limits {

// What a client may store.
constexpr std::size_t key_bytes_max = 1024;
constexpr std::size_t value_bytes_max = 1024 * 1024;
constexpr std::size_t siblings_max = 100;
constexpr std::size_t vector_entries_max = 1000;
// Stock Thrift clients stop at 16,384,000 bytes.
constexpr std::size_t frame_bytes_max = 15 * 1024 * 1024;
constexpr std::size_t record_bytes_max = frame_bytes_max / 2 - 64 * 1024;

// A keyspace.
constexpr std::uint32_t replicas_max = 16;
constexpr std::uint32_t partitions_default = 256;
constexpr std::uint32_t partitions_max = 65536;
constexpr std::uint32_t shards_max = 256;

// A shard's tables and queues.
constexpr std::size_t operations_max = 16384;
constexpr std::size_t key_waiters_max = 4096;
constexpr std::size_t mailbox_messages_max = 65536;
constexpr std::size_t transfers_max = 64;
constexpr std::size_t transfer_bytes_max = 64 * 1024 * 1024;
constexpr Nanoseconds transfer_deadline = seconds(10);
constexpr std::size_t executor_queue_max = 4096;
constexpr std::size_t executor_threads = 2;

// Reads and merges.
constexpr std::size_t max_operands = 16;
constexpr std::size_t batch_keys_max = 1024;

// Delivery of fallback copies.
constexpr std::size_t handoff_rows_in_flight = 32;
constexpr Nanoseconds handoff_interval = milliseconds(250);
constexpr Nanoseconds handoff_deadline = seconds(2);

// Peers.
constexpr Nanoseconds ping_interval = milliseconds(100);
constexpr Nanoseconds suspect_after = milliseconds(500);
// An answer that takes longer is not timed.
constexpr Nanoseconds replica_answer_max = seconds(10);

// Clocks: a stamp this far ahead of the wall clock is refused and counted.
constexpr std::uint64_t clock_ahead_us_max = 5'000'000;
// The hybrid clock's upper bound is leased at most this far ahead and synced.
constexpr std::uint64_t clock_lease_us = 10'000'000;

// Requests.
constexpr Nanoseconds request_deadline_default = seconds(1);
constexpr Nanoseconds request_deadline_max = seconds(3600);
constexpr std::size_t client_contexts_max = 65536;
constexpr std::size_t request_window_count = 65536;

// Clients. A request waits this much past its deadline, for the node's own word on how far it came.
constexpr std::uint32_t client_retries_default = 2;
constexpr std::size_t client_concurrency = 64;
constexpr std::size_t async_calls_max = 65536;
constexpr Nanoseconds client_reply_grace = milliseconds(50);
// How often a node that could not be reached is asked whether it is back.
constexpr Nanoseconds client_probe_interval = milliseconds(50);

// Connections. A node reads nothing more from a client that has this many calls, or about this many
// bytes of requests and unread answers, under way; nor from any when the bytes of all of one shard
// reach their bound.
constexpr std::size_t connections_max = 10'000;  // of clients, for each shard; more are closed
constexpr std::size_t connection_calls_max = 1024;
constexpr std::size_t connection_bytes_max = 32 * 1024 * 1024;
constexpr std::size_t connections_bytes_max = 512 * 1024 * 1024;
// A client that takes less than this goes on when the bytes of all have reached their bound.
constexpr std::size_t connection_fair_bytes = 64 * 1024;
// Unread answers of one client above which a get is refused instead of answered.
constexpr std::size_t connection_answers_bytes_max = 2 * connection_bytes_max;
constexpr std::size_t accepts_at_once = 64;
constexpr Nanoseconds frame_deadline = seconds(30);   // from a frame's first byte to its last
constexpr Nanoseconds hello_deadline = seconds(5);    // of a peer, from its connecting
constexpr Nanoseconds idle_deadline = seconds(300);   // of a client without calls
constexpr Nanoseconds unread_deadline = seconds(30);  // of answers that nobody reads
constexpr Nanoseconds connect_deadline = seconds(1);
constexpr Nanoseconds reconnect_after = milliseconds(100);
constexpr Nanoseconds reconnect_after_refusal = seconds(1);
constexpr std::size_t peer_queue_bytes_max = 64 * 1024 * 1024;  // unsent, to one peer
constexpr std::size_t peer_batch_bytes = 1024 * 1024;           // messages that share a frame
// A batch that is not full yet, and one message more.
constexpr std::size_t peer_frame_bytes_max = peer_batch_bytes + frame_bytes_max + 4096;
constexpr std::size_t hello_bytes_max = 1024 * 1024;  // of a peer
constexpr std::size_t peer_connections_max = 4096;    // for each shard; more are closed

// The production driver.
constexpr Nanoseconds status_wait = milliseconds(250);         // then the last answer is shown
constexpr Nanoseconds drain_deadline = seconds(2);             // of a clean stop
constexpr Nanoseconds executor_retry_after = milliseconds(1);  // its queue was full
constexpr std::size_t lease_rounds_max = 64;                   // of work before a node may start
constexpr std::size_t delayed_messages_max = 65536;
constexpr std::size_t name_bytes_max = 64;
constexpr std::size_t manifest_bytes_max = 64 * 1024;
constexpr std::size_t local_nodes_max = 64;
constexpr std::uint32_t executor_threads_max = 64;
constexpr Nanoseconds idle_poll_max =
    milliseconds(10);  // longer is not looking, but never sleeping

// The memory engine's log: when it is rewritten as a snapshot (at open, in a blocking sync), how
// large one record may be, and how much of a snapshot goes into one record.
constexpr std::uint64_t memory_log_open_rewrite_bytes = 1024 * 1024;
constexpr std::uint64_t memory_log_sync_rewrite_bytes = 64 * 1024 * 1024;
constexpr std::size_t memory_log_record_bytes_max = 1024 * 1024 * 1024;
constexpr std::size_t memory_log_snapshot_record_bytes = 64 * 1024;
// Free space that engines keep ahead on a disk is looked at again after so much was written, at
// most, and after so long.
constexpr std::uint64_t free_space_look_bytes = 1024 * 1024;
constexpr Nanoseconds free_space_look_after = milliseconds(10);
// RocksDB. Free space that writes leave on a disk, above the memtables that are not flushed and a
// new log: a share of the memtable's size within these bounds. Of a small disk all of that is at
// most this part.
constexpr std::uint64_t rocksdb_free_bytes_min = 64 * 1024;
constexpr std::uint64_t rocksdb_free_bytes_max = 8 * 1024 * 1024;
constexpr std::uint64_t rocksdb_free_part_of_disk = 8;
// WiredTiger. Iterators and calls under way in one instance, each with a session of its own.
constexpr std::size_t wiredtiger_sessions_max = 1024;
// How long a write is tried again after a conflict, and how long a call may help a full cache to
// empty; then it is `busy`.
constexpr Nanoseconds wiredtiger_write_deadline = seconds(1);
constexpr Nanoseconds wiredtiger_cache_wait = seconds(1);
// How often the background looks whether a checkpoint is due, or a lost connection can be restored.
constexpr Nanoseconds wiredtiger_tick = milliseconds(100);
// Free space that writes leave on a disk, above what the cache still has to write: the library does
// not survive a full disk.
constexpr std::uint64_t wiredtiger_free_bytes_min = 8 * 1024 * 1024;
// Room that a file holds for what is under way when the disk is full all the same, and how long it
// waits for more when that is used up.
constexpr std::uint64_t wiredtiger_ballast_bytes = 8 * 1024 * 1024;
constexpr Nanoseconds wiredtiger_room_deadline = seconds(60);
// How long calls and a close are waited for in a connection that has given up.
constexpr Nanoseconds wiredtiger_close_deadline = seconds(5);
// How often a commit looks whether the one before it has ended, with a pause of the processor
// between two looks, before it sleeps: most take less long than falling asleep and waking up.
constexpr int wiredtiger_commit_spins_max = 200;
// What a checkpoint may write beside the rows.
constexpr std::uint64_t wiredtiger_checkpoint_bytes = 1024 * 1024;
// No writes for this long after it found no room for something.
constexpr Nanoseconds wiredtiger_space_pause = seconds(1);
// Its messages: LOG and LOG.old take at most twice this.
constexpr std::size_t wiredtiger_log_bytes_max = 1024 * 1024;
// Rows that an estimate counts one by one before it draws samples, and how many it draws.
constexpr std::size_t wiredtiger_estimate_rows = 1000;
constexpr std::size_t wiredtiger_estimate_samples = 100;
// Ranges of keys that an engine remembers as damaged; places that WiredTiger is not to touch again.
constexpr std::size_t damaged_ranges_max = 64;
constexpr std::size_t damaged_places_max = 256;
// Decorators around one engine.
constexpr std::size_t engine_stack_depth_max = 8;
// How long an engine that is slow or paused on purpose may hold one call.
constexpr Nanoseconds engine_hold_max = seconds(60);
constexpr Nanoseconds engine_hold_default = seconds(30);
// A slow engine's call that has less than this to wait for its bytes goes on; the next one waits.
constexpr Nanoseconds engine_transfer_grain = milliseconds(1);
// A write to an engine that takes longer is counted as a stall.
constexpr Nanoseconds engine_stall_after = milliseconds(10);

}  // namespace ringwright::limits
