#include "plugins/rocksdb/options.h"

#include <rocksdb/cache.h>
#include <rocksdb/convenience.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "engine/base/nearest.h"

namespace ringwright {
namespace {

using NativeMap = std::unordered_map<std::string, std::string>;

constexpr std::string_view table_prefix = "table.";
constexpr std::string_view cache_size_name = "block_cache_size";
constexpr std::size_t cache_bytes_default = std::size_t{64} << 20;

struct ReservedOption {
  std::string_view name;
  std::string_view reason;
};

// Options that are the engine's own to set, because another value breaks what it promises.
constexpr std::array<ReservedOption, 25> reserved_options{{
    {"create_if_missing", "the engine creates its own directory"},
    {"error_if_exists", "the engine opens what is there"},
    {"comparator", "keys are in byte order"},
    {"merge_operator", "merges are the keyspace's record policy"},
    {"max_successive_merges", "it makes a write read"},
    {"inplace_update_support", "it excludes snapshots and merges"},
    {"unordered_write", "it gives up the order of writes"},
    {"two_write_queues", "it is for transactions, and a sync would wait for a write"},
    {"max_open_files",
     "a read that may not block takes a table that was closed for an empty value"},
    {"atomic_flush", "there is one family, and it makes errors of compactions those of flushes"},
    {"manual_wal_flush", "a write must survive the death of the process"},
    {"wal_recovery_mode", "what is found after a crash must be a prefix of the writes"},
    {"wal_filter", "what is found after a crash must be a prefix of the writes"},
    {"avoid_flush_during_recovery", "what a recovery has shown must rest before writes go on"},
    {"allow_mmap_writes", "the log could not be synced beside writers"},
    {"wal_dir", "all files stay in the engine's own directory"},
    {"db_log_dir", "all files stay in the engine's own directory"},
    {"keep_log_file_num", "the messages are LOG and LOG.old; see max_log_file_size"},
    {"log_file_time_to_roll", "the messages are LOG and LOG.old; see max_log_file_size"},
    {"recycle_log_file_num", "what is found after a crash must be a prefix of the writes"},
    {"db_paths", "all files stay in the engine's own directory"},
    {"cf_paths", "all files stay in the engine's own directory"},
    {"table_factory", "write table.<option>"},
    {"block_based_table_factory", "write table.<option>"},
    {"plain_table_factory", "only block-based tables are offered"},
}};

Status refuse(std::string_view name, std::string_view why) {
  std::string text = "option '" + std::string(name) + "' of engine rocksdb: ";
  return {Code::invalid, text.append(why)};
}

// "64MiB" as "67108864"; anything that is not a whole number with such a unit stays as it is.
std::string in_bytes(const std::string& text) {
  constexpr std::array<std::pair<std::string_view, int>, 5> units{
      {{"B", 0}, {"KiB", 10}, {"MiB", 20}, {"GiB", 30}, {"TiB", 40}}};
  std::uint64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, number);
  if (parsed.ec != std::errc()) return text;
  const std::string_view unit(parsed.ptr, static_cast<std::size_t>(end - parsed.ptr));
  for (const auto& [name, shift] : units) {
    if (unit != name) continue;
    if (number > std::numeric_limits<std::uint64_t>::max() >> shift) return text;
    return std::to_string(number << shift);
  }
  return text;
}

rocksdb::CompressionType default_compression() {
  const std::vector<rocksdb::CompressionType> supported = rocksdb::GetSupportedCompressions();
  const auto at = std::find(supported.begin(), supported.end(), rocksdb::kLZ4Compression);
  return at == supported.end() ? rocksdb::kNoCompression : rocksdb::kLZ4Compression;
}

void set_database_defaults(rocksdb::DBOptions& options) {
  options.create_if_missing = true;
  options.max_background_jobs = 2;
  // Writing back as it goes keeps a log sync from queueing behind a whole compaction's output.
  options.bytes_per_sync = 1 << 20;
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
  // A synced log that has vanished is then an error at open, not a shorter history.
  options.track_and_verify_wals_in_manifest = true;
  options.avoid_flush_during_shutdown = true;
  // Obsolete files are removed in the background, not by the reader that lets go of them last.
  options.avoid_unnecessary_blocking_io = true;
  options.max_log_file_size = 1 << 20;
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
}

void set_family_defaults(rocksdb::ColumnFamilyOptions& options) {
  options.write_buffer_size = std::size_t{64} << 20;
  // One that fills while another is flushed, and one to spare before writers must stop.
  options.max_write_buffer_number = 3;
  options.level_compaction_dynamic_level_bytes = true;
  options.compression = default_compression();
  // A read of a key that no memtable holds skips the skip lists.
  options.memtable_prefix_bloom_size_ratio = 0.02;
  options.memtable_whole_key_filtering = true;
}

rocksdb::BlockBasedTableOptions default_table() {
  rocksdb::BlockBasedTableOptions table;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  table.whole_key_filtering = true;
  table.checksum = rocksdb::kXXH3;
  // Index and filters stay in memory with their open tables, so an absent key needs no I/O.
  table.cache_index_and_filter_blocks = false;
  return table;
}

// The names that RocksDB itself prints for its options.
class KnownNames {
 public:
  KnownNames() {
    std::string text;
    if (rocksdb::GetStringFromDBOptions({}, rocksdb::DBOptions(), &text).ok()) add(text, database_);
    text.clear();
    if (rocksdb::GetStringFromColumnFamilyOptions({}, rocksdb::ColumnFamilyOptions(), &text).ok())
      add(text, family_);
    const std::unique_ptr<rocksdb::TableFactory> table(rocksdb::NewBlockBasedTableFactory());
    text.clear();
    if (table->GetOptionString({}, &text).ok()) add(text, table_);
  }

  bool database(const std::string& name) const { return database_.count(name) != 0; }
  bool family(const std::string& name) const { return family_.count(name) != 0; }

  std::string nearest(std::string_view name) const {
    std::vector<std::string> all{std::string(cache_size_name)};
    all.insert(all.end(), database_.begin(), database_.end());
    all.insert(all.end(), family_.begin(), family_.end());
    for (const std::string& option : table_) all.push_back(std::string(table_prefix) + option);
    std::erase_if(all, [](const std::string& known) {
      return std::any_of(reserved_options.begin(), reserved_options.end(),
                         [&](const ReservedOption& reserved) { return reserved.name == known; });
    });
    std::sort(all.begin(), all.end());
    return nearest_name(name, all);
  }

 private:
  static void add(const std::string& text, std::unordered_set<std::string>& names) {
    NativeMap parsed;
    if (!rocksdb::StringToMap(text, &parsed).ok()) return;
    for (const auto& [name, value] : parsed) names.insert(name);
  }

  std::unordered_set<std::string> database_;
  std::unordered_set<std::string> family_;
  std::unordered_set<std::string> table_;
};

class OptionsBuilder {
 public:
  OptionsBuilder() {
    set_database_defaults(database_);
    set_family_defaults(family_);
    config_.input_strings_escaped = false;
  }

  Status apply(const std::string& name, const std::string& value) {
    for (const ReservedOption& reserved : reserved_options)
      if (reserved.name == name)
        return refuse(name, "not to be set: " + std::string(reserved.reason));
    if (name == cache_size_name) return apply_cache_size(value);
    if (name.starts_with(table_prefix)) return apply_table(name, value);
    return apply_plain(name, value);
  }

  Result<rocksdb::Options> finish(std::shared_ptr<rocksdb::MergeOperator> merge_operator) {
    if (family_.compaction_style == rocksdb::kCompactionStyleFIFO)
      return refuse("compaction_style", "not to be set so: FIFO drops whole tables");
    if (!cache_given_ && !table_.no_block_cache)
      table_.block_cache = rocksdb::NewLRUCache(cache_bytes_);
    family_.merge_operator = std::move(merge_operator);
    family_.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table_));
    return rocksdb::Options(database_, family_);
  }

 private:
  Status unknown(const std::string& name) const {
    return refuse(name, "unknown; did you mean '" + known_.nearest(name) + "'?");
  }

  Status apply_cache_size(const std::string& value) {
    const char* const end = value.data() + value.size();
    const auto parsed = std::from_chars(value.data(), end, cache_bytes_);
    if (parsed.ec != std::errc() || parsed.ptr != end || value.empty())
      return refuse(cache_size_name, "'" + value + "' is not a size such as \"64MiB\"");
    return ok_status();
  }

  Status apply_table(const std::string& name, const std::string& value) {
    const std::string native_name = name.substr(table_prefix.size());
    rocksdb::BlockBasedTableOptions changed;
    const rocksdb::Status status = rocksdb::GetBlockBasedTableOptionsFromMap(
        config_, table_, NativeMap{{native_name, value}}, &changed);
    if (status.ok()) {
      table_ = changed;
      cache_given_ = cache_given_ || native_name == "block_cache";
      return ok_status();
    }
    return known_.nearest(name) == name ? refuse(name, status.ToString()) : unknown(name);
  }

  // RocksDB accepts some names that it does not print, so both parsers are asked before a name
  // counts as unknown.
  Status apply_plain(const std::string& name, const std::string& value) {
    const NativeMap one{{name, value}};
    rocksdb::DBOptions changed_database;
    const rocksdb::Status in_database =
        rocksdb::GetDBOptionsFromMap(config_, database_, one, &changed_database);
    if (in_database.ok()) {
      database_ = changed_database;
      return ok_status();
    }
    if (known_.database(name)) return refuse(name, in_database.ToString());
    rocksdb::ColumnFamilyOptions changed_family;
    const rocksdb::Status in_family =
        rocksdb::GetColumnFamilyOptionsFromMap(config_, family_, one, &changed_family);
    if (in_family.ok()) {
      family_ = changed_family;
      return ok_status();
    }
    return known_.family(name) ? refuse(name, in_family.ToString()) : unknown(name);
  }

  const KnownNames known_;
  rocksdb::ConfigOptions config_;
  rocksdb::DBOptions database_;
  rocksdb::ColumnFamilyOptions family_;
  rocksdb::BlockBasedTableOptions table_ = default_table();
  std::size_t cache_bytes_ = cache_bytes_default;
  // RocksDB's parser puts a small cache of its own into any table options that it has touched.
  bool cache_given_ = false;
};

}  // namespace

Result<rocksdb::Options> make_rocksdb_options(
    const EngineOptions& wanted, std::shared_ptr<rocksdb::MergeOperator> merge_operator) {
  OptionsBuilder builder;
  for (const auto& [name, value] : wanted) RW_TRY(builder.apply(name, in_bytes(value)));
  return builder.finish(std::move(merge_operator));
}

}  // namespace ringwright
