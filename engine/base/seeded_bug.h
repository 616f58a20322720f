#pragma once

#include <cstdint>

namespace ringwright {

// Bugs that are put in on purpose, to prove that the checkers find them. A build without
// RINGWRIGHT_SEEDED_BUGS has none: every `seeded_bug` is the constant false.
enum class SeededBug : std::uint8_t {
  none = 0,
  dot_reuse_after_amnesia,      // births and the start survive in the row: a lost copy reuses dots
  send_before_own_apply,        // a put goes to the others before the own copy has it
  error_taken_for_absence,      // an I/O error of the own copy reads as "no record"
  merge_drops_sibling,          // the merge keeps one sibling too few
  delete_forgets_context,       // a delete goes out without the context of what it removes
  own_write_overtakes,          // an own put does not wait for a replica write of its key
  stand_in_row_removed_unread,  // a delivered fallback row is removed without a second look
  mark_kept_from_peer,          // a row that a peer brought back goes on under its own old actor
};

#ifdef RINGWRIGHT_SEEDED_BUGS
// The one bug that is switched on in this process; set before any machine runs.
inline SeededBug active_seeded_bug = SeededBug::none;
inline bool seeded_bug(SeededBug bug) { return active_seeded_bug == bug; }
#else
constexpr bool seeded_bug(SeededBug) { return false; }
#endif

}  // namespace ringwright
