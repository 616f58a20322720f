#include "replication/coordinator/put_operation.h"

#include <algorithm>

#include "engine/base/check.h"

namespace ringwright {

PutOperation::PutOperation(std::vector<PreferenceEntry> replicas, std::uint32_t own,
                           std::uint32_t w)
    : replicas_(std::move(replicas)), count_(w, static_cast<std::uint32_t>(replicas_.size())) {
  RW_CHECK(replicas_.size() <= heard_.size());
  RW_CHECK(std::any_of(replicas_.begin(), replicas_.end(),
                       [own](const PreferenceEntry& entry) { return entry.member == own; }));
}

void PutOperation::own_applied() {
  if (state_ == State::applying) state_ = State::waiting;
}

void PutOperation::own_refused(Status status) {
  if (state_ == State::applying) answer(Outcome::failed, std::move(status));
}

void PutOperation::own_in_doubt(Status status) {
  if (state_ == State::applying) answer(Outcome::unknown, std::move(status));
}

void PutOperation::acknowledged(std::uint32_t member, const Status& status) {
  for (std::size_t i = 0; i < replicas_.size(); ++i) {
    if (replicas_[i].member != member || heard_[i]) continue;
    heard_[i] = true;
    if (status.is_ok())
      count_.add_good();
    else
      count_.add_bad();
    if (!status.is_ok()) last_refusal_ = status.to_string();
  }
  judge();
}

void PutOperation::judge() {
  if (state_ != State::waiting) return;
  if (count_.reached()) {
    answer(Outcome::ok, {});
  } else if (count_.impossible()) {
    answer(Outcome::unknown,
           {Code::unavailable, count_text(count_.good(), count_.required()) +
                                   " replicas stored it, the others cannot (" + last_refusal_ +
                                   "); it may still take effect"});
  }
}

void PutOperation::deadline_passed(bool handed_over) {
  if (state_ == State::answered) return;
  if (state_ == State::applying && !handed_over) {
    answer(Outcome::failed, {Code::timed_out, "the deadline passed before the own copy's turn"});
    return;
  }
  answer(Outcome::unknown, {Code::timed_out, count_text(count_.good(), count_.required()) +
                                                 " replicas acknowledged in time; it may still "
                                                 "take effect"});
}

void PutOperation::answer(Outcome outcome, Status status) {
  state_ = State::answered;
  answer_ = Answer{outcome, std::move(status), count_.required(), count_.good()};
}

std::optional<Answer> PutOperation::take_answer() {
  auto taken = std::move(answer_);
  answer_.reset();
  return taken;
}

}  // namespace ringwright
