#include "tests/durability/workload.h"

#include <algorithm>
#include <charconv>

#include "engine/base/check.h"
#include "engine/base/random.h"
#include "tests/support/words_policy.h"

namespace ringwright::durability {
namespace {

constexpr std::string_view number_key = "number";
constexpr std::uint64_t keys = 150;
constexpr std::uint64_t merged_keys = 20;
constexpr std::uint64_t words = 12;
constexpr std::int64_t operations_max = 5;

Bytes key_of(std::uint64_t index) {
  const std::string digits = std::to_string(index);
  return "row/" + std::string(4 - digits.size(), '0') + digits;
}

std::size_t draw_value_bytes(Random& random) {
  const std::uint64_t kind = random.below(100);
  if (kind < 90) return static_cast<std::size_t>(random.between(0, 150));
  if (kind < 98) return static_cast<std::size_t>(random.between(500, 5000));
  return static_cast<std::size_t>(random.between(10'000, 40'000));
}

Bytes draw_value(Random& random) {
  Bytes value(draw_value_bytes(random), '\0');
  std::uint64_t bits = 0;
  for (std::size_t i = 0; i < value.size(); ++i) {
    if (i % 8 == 0) bits = random.next();
    value[i] = static_cast<char>(bits >> (8 * (i % 8)));
  }
  return value;
}

Bytes draw_word(Random& random) { return "word" + std::to_string(random.below(words)) + "\n"; }

void add_operation(Random& random, bool merges, WriteBatch& batch) {
  const std::uint64_t kind = random.below(100);
  if (kind < 60) {
    batch.put(key_of(random.below(keys)), draw_value(random));
  } else if (kind < 75) {
    batch.remove(key_of(random.below(keys)));
  } else {
    Bytes key = "merged/" + std::to_string(random.below(merged_keys));
    if (kind < 80)
      batch.remove(std::move(key));
    else if (kind < 85 || !merges)
      batch.put(std::move(key), draw_word(random));
    else
      batch.merge(std::move(key), draw_word(random));
  }
}

}  // namespace

const std::shared_ptr<const RecordPolicy>& workload_policy() {
  static const std::shared_ptr<const RecordPolicy> policy = std::make_shared<WordsPolicy>();
  return policy;
}

Request Workload::request(Number number, std::uint64_t round) const {
  SeededRandom random(seed_ ^ (number * 0x9e3779b97f4a7c15U) ^ (round << 40), "request");
  Request request;
  if (random.chance(0.01)) {
    const std::uint64_t first = random.below(keys);
    request.drop = KeyRange{key_of(first), key_of(first + random.below(keys / 4) + 1)};
  } else if (random.chance(0.01)) {
    request.extra = Request::Extra::flush;
  } else if (random.chance(0.001)) {
    request.extra = Request::Extra::checkpoint;
  }
  const std::int64_t count = random.between(1, operations_max);
  for (std::int64_t i = 0; i < count; ++i) add_operation(random, merges_, request.batch);
  request.batch.put(Bytes(number_key), std::to_string(number) + " " + std::to_string(round));
  return request;
}

void Timeline::take_over(Number first, std::uint64_t round) {
  while (!starts_.empty() && starts_.back().first >= first) starts_.pop_back();
  starts_.emplace_back(first, round);
}

std::uint64_t Timeline::round_of(Number number) const {
  const auto after = std::upper_bound(starts_.begin(), starts_.end(), number,
                                      [](Number n, const auto& start) { return n < start.first; });
  RW_CHECK(after != starts_.begin());
  return std::prev(after)->second;
}

Model::Model(Workload workload) : workload_(std::move(workload)) {}

void Model::move_to(Number number, const Timeline& timeline) {
  if (number < number_) {
    rows_.clear();
    number_ = 0;
  }
  while (number_ < number) {
    ++number_;
    apply(workload_.request(number_, timeline.round_of(number_)));
  }
}

void Model::apply(const Request& request) {
  if (request.drop) drop(*request.drop);
  for (const WriteBatch::Operation& operation : request.batch.operations()) {
    if (operation.kind == WriteBatch::Kind::put) rows_[operation.key] = operation.value;
    if (operation.kind == WriteBatch::Kind::remove) rows_.erase(operation.key);
    if (operation.kind != WriteBatch::Kind::merge) continue;
    const auto at = rows_.find(operation.key);
    std::optional<ByteView> base;
    if (at != rows_.end()) base = at->second;
    const ByteView operand = operation.value;
    rows_[operation.key] = workload_policy()->merge(operation.key, base, {&operand, 1});
  }
}

void Model::drop(const KeyRange& range) {
  rows_.erase(rows_.lower_bound(range.start), rows_.lower_bound(range.stop));
}

Result<Number> number_in(const Rows& rows) {
  const auto at = rows.find(Bytes(number_key));
  if (at == rows.end()) return Number{0};
  Number number = 0;
  const Bytes& text = at->second;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  if (parsed.ec != std::errc{}) return Status{Code::corrupt, "the row 'number' holds no number"};
  return number;
}

Result<Rows> read_rows(StorageEngine& engine) {
  Rows rows;
  const auto at = engine.iterate({}, Direction::forward);
  for (; at->valid(); at->next()) rows.emplace_hint(rows.end(), at->key(), at->value());
  if (!at->status().is_ok()) return at->status();
  return rows;
}

std::string difference(const Rows& expected, const Rows& found) {
  auto ours = expected.begin();
  auto theirs = found.begin();
  for (; ours != expected.end() || theirs != found.end(); ++ours, ++theirs) {
    const bool is_missing =
        ours != expected.end() && (theirs == found.end() || ours->first < theirs->first);
    if (is_missing) return "row " + printable(ours->first) + " is missing";
    if (ours == expected.end() || theirs->first < ours->first)
      return "row " + printable(theirs->first) + " should not be there";
    if (ours->second != theirs->second)
      return "row " + printable(ours->first) + " has another value (" +
             std::to_string(theirs->second.size()) + " bytes, not " +
             std::to_string(ours->second.size()) + ")";
  }
  return {};
}

}  // namespace ringwright::durability
