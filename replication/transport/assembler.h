#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "engine/base/status.h"
#include "replication/transport/message.h"

namespace ringwright {

// Cuts an encoded message into pieces of at most `frame_bytes`.
std::vector<Fragment> cut_message(const Message& message, Timestamp stamp,
                                  std::uint64_t transfer_high, std::uint64_t transfer_low,
                                  std::size_t frame_bytes);

// Puts pieces together again. A transfer is acted on once and only whole: pieces may come late, in
// any order, twice or never. Bounded in number, bytes and time; a transfer that meets a bound is
// dropped as a whole, as if its message had been lost.
class Assembler {
 public:
  // The whole message when this was the last missing piece.
  std::optional<StampedMessage> add(const Fragment& piece, Instant now);
  void tick(Instant now);
  Instant next_deadline() const;
  std::size_t transfers() const { return transfers_.size(); }
  std::uint64_t dropped() const { return dropped_; }

 private:
  struct Transfer {
    std::vector<std::optional<Bytes>> pieces;
    std::size_t missing = 0;
    std::size_t bytes = 0;
    Instant deadline = 0;
  };
  using Name = std::pair<std::uint64_t, std::uint64_t>;

  void drop(std::map<Name, Transfer>::iterator transfer);

  std::map<Name, Transfer> transfers_;
  std::size_t bytes_ = 0;
  std::uint64_t dropped_ = 0;
};

}  // namespace ringwright
