#include "toy_engine.h"

#include <engine/base/coding.h>
#include <engine/base/hash.h>
#include <engine/base/nearest.h>
#include <engine/engine_directory.h>
#include <engine/iterators.h>

#include <algorithm>
#include <charconv>
#include <utility>

namespace toy_engine {
namespace {

using rw::Code;
using rw::Status;

constexpr std::uint32_t format_version = 1;
constexpr const char* rows_file = "/rows";

// The file: a checksum of the rest, the last sequence, the number of rows, and key and row of each.
rw::Bytes encode(const std::map<rw::Bytes, rw::Bytes>& rows, std::uint64_t sequence) {
  rw::Bytes body;
  rw::put_varint(body, sequence);
  rw::put_varint(body, rows.size());
  for (const auto& [key, row] : rows) {
    rw::put_bytes(body, key);
    rw::put_bytes(body, row);
  }
  rw::Bytes file;
  rw::put_u32(file, rw::checksum32(body));
  return file + body;
}

// False when the bytes are damaged. No length in them is trusted.
bool decode(rw::ByteView file, std::map<rw::Bytes, rw::Bytes>& rows, std::uint64_t& sequence) {
  rw::Decoder decoder(file);
  const std::uint32_t checksum = decoder.u32();
  if (decoder.failed() || checksum != rw::checksum32(file.substr(sizeof checksum))) return false;
  sequence = decoder.varint();
  for (std::size_t left = decoder.count(2); left > 0; --left) {
    const rw::ByteView key = decoder.bytes();
    rows.insert_or_assign(rw::Bytes(key), rw::Bytes(decoder.bytes()));
  }
  return decoder.complete();
}

}  // namespace

ToyEngine::~ToyEngine() { close().ignore("a destructor has nobody to tell"); }

rw::Capabilities ToyEngine::capabilities() const {
  return {.merge = false, .non_blocking = true, .durability = rw::Durability::none};
}

Status ToyEngine::read_options(const rw::EngineOptions& options) {
  const std::vector<std::string> known = {"rows_max"};
  for (const auto& [option, value] : options) {
    if (option != known.front())
      return {Code::invalid, "the engine 'toy' has no option '" + option + "'; did you mean '" +
                                 rw::nearest_name(option, known) + "'?"};
    const char* const end = value.data() + value.size();
    const auto read = std::from_chars(value.data(), end, rows_max_);
    if (value.empty() || read.ec != std::errc{} || read.ptr != end)
      return {Code::invalid,
              "option rows_max of the engine 'toy' is a whole number, not '" + value + "'"};
  }
  return rw::ok_status();
}

Status ToyEngine::open(const rw::EngineContext& context) {
  const std::lock_guard lock(mutex_);
  if (state_ == State::closed) return usable();
  if (state_ == State::open) return {Code::invalid, "the engine 'toy' is open already"};
  RW_TRY(read_options(context.options));
  if (context.durability != rw::Durability::none)
    return {Code::invalid, "the engine 'toy' has the durability none, not " +
                               std::string(rw::durability_name(context.durability))};
  if (!context.disk) return {Code::invalid, "the engine 'toy' needs a disk"};
  RW_TRY(context.disk->make_directories(context.path));
  auto directory = context.disk->lock(context.path);
  if (!directory) return directory.error();
  RW_TRY(rw::claim_engine_directory(*context.disk, context.path, name(), format_version));

  const std::string path = context.path + rows_file;
  const auto exists = context.disk->exists(path);
  if (!exists) return exists.error();
  Rows rows;
  std::uint64_t sequence = 0;
  if (*exists) {
    const auto file = context.disk->read(path);
    if (!file) return file.error();
    if (!decode(*file, rows, sequence)) return {Code::corrupt, "the file " + path + " is damaged"};
  }
  rows_ = std::move(rows);
  sequence_ = sequence;
  context_ = context;
  directory_ = std::move(*directory);
  state_ = State::open;
  return rw::ok_status();
}

Status ToyEngine::usable() const {
  if (state_ == State::open) return rw::ok_status();
  return {Code::closed, "the engine 'toy' is not open"};
}

std::vector<rw::Result<std::optional<rw::Bytes>>> ToyEngine::multi_get(
    std::span<const rw::Bytes> keys, rw::MayBlock) {
  std::vector<rw::Result<std::optional<rw::Bytes>>> found;
  found.reserve(keys.size());
  const std::lock_guard lock(mutex_);
  for (const rw::Bytes& key : keys) {
    const auto row = rows_.find(key);
    if (const Status status = usable(); !status.is_ok())
      found.emplace_back(status);
    else if (row == rows_.end())
      found.emplace_back(std::optional<rw::Bytes>());
    else
      found.emplace_back(std::optional<rw::Bytes>(row->second));
  }
  return found;
}

// A batch is atomic: what could refuse it is asked before anything changes.
Status ToyEngine::check(const rw::WriteBatch& batch) const {
  for (const auto& operation : batch.operations())
    if (operation.kind == rw::WriteBatch::Kind::merge)
      return {Code::invalid, "the engine 'toy' has not the capability merge"};
  if (rows_max_ > 0 && rows_.size() + batch.size() > rows_max_)
    return {Code::no_space,
            "the engine 'toy' holds at most rows_max = " + std::to_string(rows_max_) + " rows"};
  return rw::ok_status();
}

rw::Result<std::uint64_t> ToyEngine::write(const rw::WriteBatch& batch, rw::MayBlock) {
  const std::lock_guard lock(mutex_);
  RW_TRY(usable());
  RW_TRY(check(batch));
  for (const auto& operation : batch.operations()) {
    if (operation.kind == rw::WriteBatch::Kind::put)
      rows_.insert_or_assign(operation.key, operation.value);
    else
      rows_.erase(operation.key);
  }
  return ++sequence_;
}

Status ToyEngine::sync(std::uint64_t, rw::MayBlock) {
  const std::lock_guard lock(mutex_);
  return usable();
}

std::pair<ToyEngine::Rows::const_iterator, ToyEngine::Rows::const_iterator> ToyEngine::find(
    const rw::KeyRange& range) const {
  if (range.is_nothing()) return {rows_.end(), rows_.end()};
  return {rows_.lower_bound(range.start),
          range.stop.empty() ? rows_.end() : rows_.lower_bound(range.stop)};
}

// The snapshot is a copy of the range.
std::unique_ptr<rw::Iterator> ToyEngine::iterate(const rw::KeyRange& range,
                                                 rw::Direction direction) {
  std::vector<std::pair<rw::Bytes, rw::Bytes>> copy;
  {
    const std::lock_guard lock(mutex_);
    if (const Status status = usable(); !status.is_ok()) return rw::make_empty_iterator(status);
    const auto [first, last] = find(range);
    copy.assign(first, last);
  }
  if (direction == rw::Direction::reverse) std::reverse(copy.begin(), copy.end());
  return rw::make_rows_iterator(std::move(copy));
}

Status ToyEngine::drop_range(const rw::KeyRange& range) {
  const std::lock_guard lock(mutex_);
  RW_TRY(usable());
  const auto [first, last] = find(range);
  rows_.erase(first, last);
  ++sequence_;
  return rw::ok_status();
}

Status ToyEngine::write_file(const std::string& path) {
  rw::Bytes file;
  std::shared_ptr<rw::Disk> disk;
  {
    const std::lock_guard lock(mutex_);
    RW_TRY(usable());
    file = encode(rows_, sequence_);
    disk = context_.disk;
  }
  return disk->replace(path, file);
}

Status ToyEngine::flush() { return write_file(context_.path + rows_file); }

Status ToyEngine::checkpoint(const std::string& path) {
  {
    const std::lock_guard lock(mutex_);
    RW_TRY(usable());
    const auto present = context_.disk->list(path);
    if (!present) return present.error();
    if (!present->empty())
      return {Code::invalid, "checkpoint into '" + path + "': the directory is not empty"};
    RW_TRY(rw::claim_engine_directory(*context_.disk, path, name(), format_version));
  }
  return write_file(path + rows_file);
}

std::uint64_t ToyEngine::approximate_bytes(const rw::KeyRange& range) {
  const std::lock_guard lock(mutex_);
  std::uint64_t bytes = 0;
  const auto [first, last] = find(range);
  for (auto row = first; row != last; ++row) bytes += row->first.size() + row->second.size();
  return bytes;
}

rw::EngineStats ToyEngine::stats() {
  rw::EngineStats stats;
  stats.memory_bytes = approximate_bytes({});
  const std::lock_guard lock(mutex_);
  stats.approximate_keys = rows_.size();
  return stats;
}

Status ToyEngine::close() {
  const std::lock_guard lock(mutex_);
  if (state_ != State::open) return rw::ok_status();
  state_ = State::closed;
  rows_.clear();
  directory_.reset();
  return rw::ok_status();
}

}  // namespace toy_engine
