#include "replication/coordinator/get_operation.h"

#include <algorithm>

#include "engine/base/check.h"
#include "replication/version/merge.h"

namespace ringwright {

GetOperation::GetOperation(std::vector<PreferenceEntry> candidates, std::uint32_t primaries,
                           std::uint32_t r, std::uint32_t ask, RecordKind kind)
    : primaries_(primaries), count_(r, ask) {
  RW_CHECK(r <= ask && ask <= candidates.size());
  merged_.kind = kind;
  replicas_.reserve(candidates.size());
  asks_.reserve(ask);
  for (const PreferenceEntry& entry : candidates) {
    const bool now = replicas_.size() < ask;
    replicas_.push_back({entry, now ? Replica::Heard::asked : Replica::Heard::not_asked, {}});
    if (now) asks_.push_back(entry.member);
  }
}

std::vector<std::uint32_t> GetOperation::take_asks() {
  auto taken = std::move(asks_);
  asks_.clear();
  return taken;
}

GetOperation::Replica* GetOperation::waiting_for(std::uint32_t member) {
  const auto at = std::find_if(replicas_.begin(), replicas_.end(), [member](const Replica& each) {
    return each.entry.member == member && each.heard == Replica::Heard::asked;
  });
  return at == replicas_.end() ? nullptr : &*at;
}

const GetOperation::Replica* GetOperation::first_with_record() const {
  const auto at = std::find_if(replicas_.begin(), replicas_.end(), [](const Replica& each) {
    return each.heard == Replica::Heard::good && !each.record.empty();
  });
  return at == replicas_.end() ? nullptr : &*at;
}

void GetOperation::answered(std::uint32_t member, Bytes record, ByteView key) {
  Replica* replica = waiting_for(member);
  if (replica == nullptr) return;
  const bool known = std::any_of(replicas_.begin(), replicas_.end(), [&](const Replica& each) {
    return each.heard == Replica::Heard::good && each.record == record;
  });
  if (!record.empty() && !known) {
    auto decoded = decode_record(record, key, merged_.kind);
    if (!decoded) {
      failed(member, {Code::corrupt, "a replica sent a record that cannot be decoded"});
      return;
    }
    records_differ_ = first_with_record() != nullptr;
    merged_ = records_differ_ ? merge_records(std::move(merged_), std::move(*decoded))
                              : std::move(*decoded);
  }
  replica->heard = Replica::Heard::good;
  replica->record = std::move(record);
  count_.add_good();
  judge();
}

void GetOperation::failed(std::uint32_t member, const Status& status) {
  Replica* replica = waiting_for(member);
  if (replica == nullptr) return;
  const bool corrupt = status.code() == Code::corrupt;
  replica->heard = corrupt ? Replica::Heard::corrupt : Replica::Heard::bad;
  count_.add_bad();
  last_error_ = status;
  const auto next = std::find_if(replicas_.begin(), replicas_.end(), [](const Replica& each) {
    return each.heard == Replica::Heard::not_asked;
  });
  if (state_ == State::waiting && next != replicas_.end()) {
    next->heard = Replica::Heard::asked;
    asks_.push_back(next->entry.member);
    count_.ask_another();
  }
  judge();
}

void GetOperation::judge() {
  if (state_ == State::waiting && count_.reached()) {
    answer_ = Answer{Outcome::ok, {}, count_.required(), count_.good()};
    state_ = State::answered;
  } else if (state_ == State::waiting && count_.impossible()) {
    const bool corrupt = last_error_.code() == Code::corrupt;
    const Code code = corrupt ? Code::corrupt : Code::unavailable;
    answer_ = Answer{Outcome::failed,
                     {code, count_text(count_.good(), count_.required()) +
                                " replicas answered; last error: " + last_error_.to_string()},
                     count_.required(),
                     corrupt ? count_.good() : count_.possible()};
    state_ = State::answered;
  }
  if (state_ == State::answered && count_.all_in()) state_ = State::finished;
}

void GetOperation::deadline_passed() {
  if (state_ == State::waiting)
    answer_ = Answer{Outcome::failed,
                     {Code::timed_out,
                      count_text(count_.good(), count_.required()) + " replicas answered in time"},
                     count_.required(),
                     count_.good()};
  state_ = State::finished;
}

std::optional<Answer> GetOperation::take_answer() {
  auto taken = std::move(answer_);
  answer_.reset();
  return taken;
}

Bytes GetOperation::canonical(ByteView key) const {
  if (merged_.empty()) return {};
  // Bytes that could be decoded are canonical.
  return records_differ_ ? encode_record(merged_, key) : first_with_record()->record;
}

std::vector<GetOperation::Repair> GetOperation::repairs(ByteView canonical) const {
  const auto good_primary = [](const Replica& each) {
    return each.entry.role == Role::primary && each.heard == Replica::Heard::good;
  };
  const auto good = std::count_if(replicas_.begin(), replicas_.end(), good_primary);
  std::vector<Repair> repairs;
  for (const Replica& replica : replicas_) {
    if (replica.entry.role != Role::primary) continue;
    const bool stale = good_primary(replica) && replica.record != canonical;
    const bool damaged = replica.heard == Replica::Heard::corrupt;
    const bool heal = damaged && good > 0 && static_cast<std::uint32_t>(good) + 1 == primaries_;
    if (stale || heal) repairs.push_back({replica.entry.member, heal});
  }
  return repairs;
}

}  // namespace ringwright
