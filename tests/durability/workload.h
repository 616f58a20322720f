#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "engine/record_policy.h"
#include "engine/storage_engine.h"
#include "engine/write_batch.h"

namespace ringwright::durability {

using Number = std::uint64_t;
using Rows = std::map<Bytes, Bytes>;

// What a number in a round does to the engine. `drop` comes first and is a write of its own.
struct Request {
  enum class Extra : std::uint8_t { none, flush, checkpoint };
  std::optional<KeyRange> drop;
  WriteBatch batch;  // ends with the row that names the number
  Extra extra = Extra::none;

  bool stands_alone() const { return drop.has_value() || extra == Extra::checkpoint; }
};

// Puts, overwrites, removes, merges, dropped ranges, small and large values: all a function of
// seed, number and round, so that whoever verifies computes them anew. The round counts, so that a
// write that was lost and comes back later is not mistaken for the one that took its number.
class Workload {
 public:
  Workload(std::uint64_t seed, bool merges) : seed_(seed), merges_(merges) {}
  Request request(Number number, std::uint64_t round) const;

 private:
  std::uint64_t seed_;
  bool merges_;
};

// Which round wrote a number: a later round takes over the numbers above what it recovered.
class Timeline {
 public:
  void take_over(Number first, std::uint64_t round);
  std::uint64_t round_of(Number number) const;

 private:
  std::vector<std::pair<Number, std::uint64_t>> starts_;
};

// The rows that an engine holds after all requests up to a number.
class Model {
 public:
  explicit Model(Workload workload);

  // Goes on, or begins again when the number lies behind.
  void move_to(Number number, const Timeline& timeline);
  void apply(const Request& request);
  void drop(const KeyRange& range);
  Number number() const { return number_; }
  const Rows& rows() const { return rows_; }

 private:
  Workload workload_;
  Rows rows_;
  Number number_ = 0;
};

const std::shared_ptr<const RecordPolicy>& workload_policy();

// The number that rows carry; 0 when there is none.
Result<Number> number_in(const Rows& rows);
Result<Rows> read_rows(StorageEngine& engine);
// What differs first, for a person to read; empty when nothing does.
std::string difference(const Rows& expected, const Rows& found);

}  // namespace ringwright::durability
