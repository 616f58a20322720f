#include "replication/ring/placement.h"

#include <algorithm>
#include <cstddef>
#include <map>
#include <numeric>
#include <optional>
#include <set>
#include <tuple>
#include <utility>

#include "engine/base/check.h"
#include "engine/base/limits.h"
#include "engine/base/random.h"
#include "replication/ring/spread.h"

// How a first deal is made. Let k be the most that one member owns. The circle is cut into k rows
// of Q/k partitions, rounded down or up, the longer rows first, and filled column by column: all
// partitions of one member, then all of the next, those who own k first. A member of k fills one
// column, so its partitions are a row apart; any other ends at least two rows before it began, in
// the next column, so its partitions are at least a row apart too. Q/k rounded down is the best
// that any deal can reach. Exchanges of two partitions then stir the deal without spoiling it.
//
// How a deal is changed. Orphans and gaps are filled where they crowd least, which costs the forced
// moves and no more; exchanges of two partitions then relieve crowded places, first without further
// moves, at last within a budget of them.

namespace ringwright {
namespace {

constexpr std::uint32_t nobody = UINT32_MAX;

// The price of two partitions closer than target_n, per step that they are too close; that of a
// repetition is multiplied where the counts leave room for none. One price outweighs all of the
// next that a single exchange can touch, up to limits::replicas_max.
constexpr std::int64_t avoidable_factor = 1 << 10;
constexpr std::int64_t price_same_member = 1 << 16;
constexpr std::int64_t price_move = 1 << 12;
constexpr std::int64_t price_same_rack = 4;
constexpr std::int64_t price_same_data_centre = 1;

constexpr std::uint32_t stirs_per_partition = 8;
constexpr std::uint32_t relief_rounds_max = 8;
// How far from a crowded partition an exchange for it is sought, both ways.
constexpr std::uint32_t relief_reach = 128;

std::vector<std::uint32_t> counted(const std::vector<std::uint32_t>& owners, std::size_t members) {
  std::vector<std::uint32_t> counts(members);
  for (const std::uint32_t owner : owners) {
    if (owner != nobody) ++counts[owner];
  }
  return counts;
}

// All members, spread over racks and data centres.
std::vector<std::uint32_t> spread_sequence(const Spread& spread, std::size_t members) {
  std::vector<std::uint32_t> sequence(members);
  std::iota(sequence.begin(), sequence.end(), 0);
  spread.arrange(sequence, members);
  return sequence;
}

// How many partitions each member is due. Of those whose due is no whole number, the ones who hold
// more than it rounded down are rounded up first, for that saves a move; then the largest
// remainders; then the first in `sequence`.
std::vector<std::uint32_t> quotas(const std::vector<Member>& members, std::uint32_t partitions,
                                  const std::vector<std::uint32_t>& held,
                                  const std::vector<std::uint32_t>& sequence) {
  std::uint64_t weights = 0;
  for (const Member& member : members) weights += member.weight;
  RW_CHECK(weights > 0);
  std::vector<std::uint32_t> due;
  std::vector<std::uint64_t> remainder;
  std::uint32_t seats = partitions;
  for (const Member& member : members) {
    const std::uint64_t share = std::uint64_t{partitions} * member.weight;
    due.push_back(static_cast<std::uint32_t>(share / weights));
    remainder.push_back(share % weights);
    seats -= due.back();
  }
  std::vector<std::uint32_t> claimants = sequence;
  std::erase_if(claimants, [&](auto member) { return remainder[member] == 0; });
  std::stable_sort(claimants.begin(), claimants.end(), [&](auto left, auto right) {
    return std::tuple(held[left] > due[left], remainder[left]) >
           std::tuple(held[right] > due[right], remainder[right]);
  });
  RW_CHECK(seats <= claimants.size());
  for (std::uint32_t seat = 0; seat < seats; ++seat) ++due[claimants[seat]];
  return due;
}

// Owners around the circle, and what is wrong with them.
class Circle {
 public:
  // No member will own more than `most`. `home`, if not empty, says who owned each partition
  // before; to leave home is a move.
  Circle(const Spread& spread, std::vector<std::uint32_t> owners, std::uint32_t most,
         std::uint32_t target_n, std::vector<std::uint32_t> home)
      : spread_(spread),
        owners_(std::move(owners)),
        home_(std::move(home)),
        size_(static_cast<std::uint32_t>(owners_.size())),
        reach_(std::min(target_n, size_) - 1),
        possible_distance_(size_ / most) {}

  std::uint32_t size() const { return size_; }
  std::uint32_t owner(std::uint32_t partition) const { return owners_[partition]; }
  void set_owner(std::uint32_t partition, std::uint32_t member) { owners_[partition] = member; }
  std::vector<std::uint32_t> take_owners() { return std::move(owners_); }

  std::uint32_t at(std::int64_t position) const {
    const std::int64_t rest = position % size_;
    return static_cast<std::uint32_t>(rest < 0 ? rest + size_ : rest);
  }

  // The price of `member` at this place, its other places unchanged.
  std::int64_t price(std::uint32_t partition, std::uint32_t member) const {
    std::int64_t sum = 0;
    for (std::uint32_t distance = 1; distance <= reach_; ++distance) {
      const std::int64_t closeness = reach_ + 1 - distance;
      sum += closeness * (price_of_pair(member, ahead(partition, distance), distance) +
                          price_of_pair(member, behind(partition, distance), distance));
    }
    return home_.empty() || home_[partition] == member ? sum : sum + price_move;
  }

  bool crowded(std::uint32_t partition) const {
    for (std::uint32_t distance = 1; distance <= reach_; ++distance) {
      if (ahead(partition, distance) == owners_[partition]) return true;
      if (behind(partition, distance) == owners_[partition]) return true;
    }
    return false;
  }

  // By how much the price falls when two partitions exchange their owners.
  std::int64_t gain(std::uint32_t left, std::uint32_t right) {
    const std::int64_t before = price(left, owners_[left]) + price(right, owners_[right]);
    exchange(left, right);
    const std::int64_t after = price(left, owners_[left]) + price(right, owners_[right]);
    exchange(left, right);
    return before - after;
  }

  void exchange(std::uint32_t left, std::uint32_t right) {
    std::swap(owners_[left], owners_[right]);
  }

  // How many more partitions are away from home after an exchange.
  std::int64_t moves_of_exchange(std::uint32_t left, std::uint32_t right) const {
    if (home_.empty()) return 0;
    return (home_[left] != owners_[right]) + (home_[right] != owners_[left]) -
           (home_[left] != owners_[left]) - (home_[right] != owners_[right]);
  }

 private:
  std::uint32_t ahead(std::uint32_t partition, std::uint32_t distance) const {
    const std::uint32_t to_end = size_ - partition;
    return owners_[distance < to_end ? partition + distance : distance - to_end];
  }
  std::uint32_t behind(std::uint32_t partition, std::uint32_t distance) const {
    return owners_[distance <= partition ? partition - distance : partition + size_ - distance];
  }

  std::int64_t price_of_pair(std::uint32_t left, std::uint32_t right,
                             std::uint32_t distance) const {
    if (right == nobody || left == nobody) return 0;
    if (left == right)
      return distance < possible_distance_ ? price_same_member * avoidable_factor
                                           : price_same_member;
    if (spread_.flat()) return 0;
    return (spread_.same_rack(left, right) ? price_same_rack : 0) +
           (spread_.same_data_centre(left, right) ? price_same_data_centre : 0);
  }

  const Spread& spread_;
  std::vector<std::uint32_t> owners_;
  const std::vector<std::uint32_t> home_;
  const std::uint32_t size_;
  const std::uint32_t reach_;
  const std::uint32_t possible_distance_;
};

std::vector<std::uint32_t> deal_by_columns(const std::vector<std::uint32_t>& due,
                                           std::vector<std::uint32_t> sequence,
                                           std::uint32_t partitions) {
  const std::uint32_t rows = *std::max_element(due.begin(), due.end());
  std::stable_partition(sequence.begin(), sequence.end(),
                        [&](auto member) { return due[member] == rows; });
  const std::uint32_t shortest = partitions / rows;
  const std::uint32_t longer_rows = partitions % rows;
  std::vector<std::uint32_t> owners(partitions, nobody);
  std::uint32_t row = 0;
  std::uint32_t column = 0;
  for (const std::uint32_t member : sequence) {
    for (std::uint32_t dealt = 0; dealt < due[member]; ++dealt) {
      owners[row * shortest + std::min(row, longer_rows) + column] = member;
      if (++row == rows || (column == shortest && row == longer_rows)) {
        row = 0;
        ++column;
      }
    }
  }
  return owners;
}

// Exchanges partitions at random as long as nothing gets worse and no further one moves, half of
// them near each other: where there is hardly any room, only neighbours can change places.
void stir(Circle& circle, std::uint32_t target_n) {
  SeededRandom random(circle.size(), "ring/claim");
  const std::int64_t near = std::int64_t{2} * target_n;
  for (std::uint64_t turn = 0; turn < std::uint64_t{stirs_per_partition} * circle.size(); ++turn) {
    const auto left = static_cast<std::uint32_t>(random.below(circle.size()));
    const std::uint32_t right = turn % 2 == 0
                                    ? static_cast<std::uint32_t>(random.below(circle.size()))
                                    : circle.at(left + random.between(1, near));
    if (circle.owner(left) == circle.owner(right)) continue;
    if (circle.moves_of_exchange(left, right) <= 0 && circle.gain(left, right) >= 0)
      circle.exchange(left, right);
  }
}

// Exchanges owners of crowded partitions with others as long as that helps, at the cost of at most
// `budget` further moves.
void relieve(Circle& circle, std::int64_t budget) {
  const std::int64_t reach = std::min(relief_reach, circle.size() / 2);
  bool relieved = true;
  for (std::uint32_t round = 0; relieved && round < relief_rounds_max; ++round) {
    relieved = false;
    for (std::uint32_t partition = 0; partition < circle.size(); ++partition) {
      if (!circle.crowded(partition)) continue;
      std::int64_t best_gain = 0;
      std::uint32_t best = partition;
      for (std::int64_t step = -reach; step <= reach; ++step) {
        const std::uint32_t other = circle.at(partition + step);
        if (circle.moves_of_exchange(partition, other) > budget) continue;
        const std::int64_t gain = circle.gain(partition, other);
        if (gain > best_gain) std::tie(best_gain, best) = std::tuple(gain, other);
      }
      if (best == partition) continue;
      budget -= circle.moves_of_exchange(partition, best);
      circle.exchange(partition, best);
      relieved = true;
    }
  }
}

// One change of a deal in the making: who is over and who is under its due.
class Redeal {
 public:
  Redeal(Circle& circle, const std::vector<std::uint32_t>& held,
         const std::vector<std::uint32_t>& due)
      : circle_(circle) {
    for (std::size_t member = 0; member < due.size(); ++member) {
      surplus_.push_back(held[member] > due[member] ? held[member] - due[member] : 0);
      need_.push_back(due[member] > held[member] ? due[member] - held[member] : 0);
    }
  }

  // Gives each partition without an owner to the member in need that crowds it least.
  void place_orphans() {
    for (std::uint32_t partition = 0; partition < circle_.size(); ++partition) {
      if (circle_.owner(partition) != nobody) continue;
      std::optional<std::tuple<std::int64_t, std::int64_t, std::uint32_t>> best;
      for (std::uint32_t member = 0; member < need_.size(); ++member) {
        if (need_[member] == 0) continue;
        const std::tuple offer(circle_.price(partition, member), -std::int64_t{need_[member]},
                               member);
        if (!best || offer < *best) best = offer;
      }
      RW_CHECK(best.has_value());
      const std::uint32_t member = std::get<2>(*best);
      circle_.set_owner(partition, member);
      --need_[member];
    }
  }

  // Takes for each member still in need what others have too much of, in even steps.
  void fill_needs() {
    for (std::uint32_t member = 0; member < need_.size(); ++member) {
      const std::uint32_t need = std::exchange(need_[member], 0);
      for (std::uint32_t taken = 0; taken < need; ++taken) {
        const std::int64_t ideal = std::int64_t{taken} * circle_.size() / need;
        const std::int64_t step = circle_.size() / need;
        std::optional<std::uint32_t> place = best_place(member, ideal, step);
        if (!place) place = best_place(member, ideal, circle_.size() / 2);
        RW_CHECK(place.has_value());
        --surplus_[circle_.owner(*place)];
        circle_.set_owner(*place, member);
      }
    }
  }

 private:
  // Within `reach` of `ideal`: the partition that `member` takes over at the least price, of equal
  // ones from who has most to give, of these the nearest.
  std::optional<std::uint32_t> best_place(std::uint32_t member, std::int64_t ideal,
                                          std::int64_t reach) const {
    std::optional<std::tuple<std::int64_t, std::int64_t, std::int64_t, std::uint32_t>> best;
    for (std::int64_t step = -reach; step <= reach; ++step) {
      const std::uint32_t partition = circle_.at(ideal + step);
      const std::uint32_t owner = circle_.owner(partition);
      if (surplus_[owner] == 0 || owner == member) continue;
      const std::tuple offer(circle_.price(partition, member) - circle_.price(partition, owner),
                             -std::int64_t{surplus_[owner]}, std::max(step, -step), partition);
      if (!best || offer < *best) best = offer;
    }
    if (!best) return std::nullopt;
    return std::get<3>(*best);
  }

  Circle& circle_;
  std::vector<std::uint32_t> surplus_;
  std::vector<std::uint32_t> need_;
};

// The owners before a change as indices of the new members; `nobody` for those that have gone.
std::vector<std::uint32_t> carried_over(const std::vector<std::uint32_t>& previous,
                                        const std::vector<Member>& old_members,
                                        const std::vector<Member>& new_members) {
  std::map<NodeId, std::uint32_t> index_of;
  for (std::uint32_t member = 0; member < new_members.size(); ++member)
    index_of.emplace(new_members[member].id, member);
  std::vector<std::uint32_t> owners;
  owners.reserve(previous.size());
  for (const std::uint32_t owner : previous) {
    RW_CHECK(owner < old_members.size());
    const auto at = index_of.find(old_members[owner].id);
    owners.push_back(at == index_of.end() ? nobody : at->second);
  }
  return owners;
}

std::uint32_t shortfall(const std::vector<std::uint32_t>& held,
                        const std::vector<std::uint32_t>& due) {
  std::uint32_t sum = 0;
  for (std::size_t member = 0; member < due.size(); ++member)
    sum += due[member] - std::min(due[member], held[member]);
  return sum;
}

}  // namespace

std::uint32_t default_target_n(std::size_t members) {
  return static_cast<std::uint32_t>(std::min<std::size_t>(members, target_n_default));
}

std::vector<std::uint32_t> claim(const std::vector<Member>& members, std::uint32_t partitions,
                                 std::uint32_t target_n) {
  RW_CHECK(!members.empty() && partitions > 0);
  RW_CHECK(target_n > 0 && target_n <= limits::replicas_max);
  const Spread spread(members);
  const std::vector<std::uint32_t> sequence = spread_sequence(spread, members.size());
  const std::vector<std::uint32_t> nothing_held(members.size());
  const std::vector<std::uint32_t> due = quotas(members, partitions, nothing_held, sequence);
  const std::uint32_t most = *std::max_element(due.begin(), due.end());
  Circle circle(spread, deal_by_columns(due, sequence, partitions), most, target_n, {});
  stir(circle, target_n);
  relieve(circle, 0);
  return circle.take_owners();
}

std::vector<std::uint32_t> reclaim(const std::vector<std::uint32_t>& previous,
                                   const std::vector<Member>& old_members,
                                   const std::vector<Member>& new_members, std::uint32_t target_n) {
  RW_CHECK(!new_members.empty() && !previous.empty());
  RW_CHECK(target_n > 0 && target_n <= limits::replicas_max);
  const Spread spread(new_members);
  const std::vector<std::uint32_t> home = carried_over(previous, old_members, new_members);
  const std::vector<std::uint32_t> held = counted(home, new_members.size());
  const std::vector<std::uint32_t> due =
      quotas(new_members, static_cast<std::uint32_t>(home.size()), held,
             spread_sequence(spread, new_members.size()));
  const std::uint32_t most = *std::max_element(due.begin(), due.end());
  Circle circle(spread, home, most, target_n, home);
  Redeal redeal(circle, held, due);
  redeal.place_orphans();
  redeal.fill_needs();
  relieve(circle, 0);
  stir(circle, target_n);
  relieve(circle, shortfall(held, due) / 8 + 4);
  return circle.take_owners();
}

std::uint32_t forced_moves(const std::vector<std::uint32_t>& previous,
                           const std::vector<Member>& old_members,
                           const std::vector<Member>& new_members) {
  const std::vector<std::uint32_t> home = carried_over(previous, old_members, new_members);
  const std::vector<std::uint32_t> held = counted(home, new_members.size());
  std::vector<std::uint32_t> sequence(new_members.size());
  std::iota(sequence.begin(), sequence.end(), 0);
  const auto partitions = static_cast<std::uint32_t>(home.size());
  return shortfall(held, quotas(new_members, partitions, held, sequence));
}

std::uint32_t moved_partitions(const std::vector<std::uint32_t>& previous,
                               const std::vector<Member>& old_members,
                               const std::vector<std::uint32_t>& owners,
                               const std::vector<Member>& new_members) {
  RW_CHECK(previous.size() == owners.size());
  const std::vector<std::uint32_t> home = carried_over(previous, old_members, new_members);
  std::uint32_t moved = 0;
  for (std::size_t partition = 0; partition < home.size(); ++partition)
    moved += home[partition] != owners[partition];
  return moved;
}

std::uint32_t crowded_windows(const std::vector<std::uint32_t>& owners, std::uint32_t n) {
  std::uint32_t crowded = 0;
  for (std::size_t start = 0; start < owners.size(); ++start) {
    std::set<std::uint32_t> window;
    bool repeated = false;
    for (std::size_t step = 0; step < n && !repeated; ++step)
      repeated = !window.insert(owners[(start + step) % owners.size()]).second;
    crowded += repeated;
  }
  return crowded;
}

}  // namespace ringwright
