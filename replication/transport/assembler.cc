#include "replication/transport/assembler.h"

#include <algorithm>

#include "engine/base/check.h"
#include "engine/base/limits.h"

namespace ringwright {
namespace {

// A piece's own encoding around its bytes: everything fixed and every varint at its longest.
constexpr std::size_t piece_overhead_bytes = 1 + 1 + 8 + 8 + 8 + 5 + 5 + 1 + 8 + 10 + 4;
// So that the table of a transfer's pieces stays small next to the bytes it may hold.
constexpr std::size_t pieces_max = limits::transfer_bytes_max / 1024;

// What a transfer's table takes before any piece is in it: counted, because its size is the
// sender's word.
constexpr std::size_t table_bytes(std::size_t pieces) {
  return pieces * sizeof(std::optional<Bytes>);
}

bool is_sound(const Fragment& piece) {
  return piece.count > 0 && piece.count <= pieces_max && piece.index < piece.count &&
         !piece.bytes.empty();
}

// A transfer that was acted on stays under its name, without pieces, so that those that come twice
// are known; it makes room for any other.
template <typename Transfer>
bool is_closed(const Transfer& transfer) {
  return transfer.pieces.empty();
}

template <typename Transfers>
auto oldest(Transfers& transfers, bool closed) {
  auto found = transfers.end();
  for (auto at = transfers.begin(); at != transfers.end(); ++at)
    if (is_closed(at->second) == closed &&
        (found == transfers.end() || at->second.deadline < found->second.deadline))
      found = at;
  return found;
}

template <typename Transfers>
auto least_needed(Transfers& transfers) {
  const auto closed = oldest(transfers, true);
  return closed != transfers.end() ? closed : oldest(transfers, false);
}

// The whole must go the way that its pieces came: a shard that acted on another's key would break
// the order of that key's writes.
bool came_its_way(const Message& whole, const Fragment& piece) {
  if (std::holds_alternative<Fragment>(whole)) return false;
  const Route route = route_of(whole);
  return route.is_reply == piece.is_reply && route.value == piece.route;
}

Bytes join(const std::vector<std::optional<Bytes>>& pieces) {
  std::size_t size = 0;
  for (const auto& piece : pieces) size += piece->size();
  Bytes whole;
  whole.reserve(size);
  for (const auto& piece : pieces) whole += *piece;
  return whole;
}

}  // namespace

std::vector<Fragment> cut_message(const Message& message, Timestamp stamp,
                                  std::uint64_t transfer_high, std::uint64_t transfer_low,
                                  std::size_t frame_bytes) {
  // A piece fits its frame together with what its own encoding adds.
  const std::size_t piece_bytes =
      frame_bytes > piece_overhead_bytes ? frame_bytes - piece_overhead_bytes : 1;
  const Bytes whole = encode_message(stamp, message);
  const Route route = route_of(message);
  const std::size_t count = (whole.size() + piece_bytes - 1) / piece_bytes;
  RW_CHECK(count <= UINT32_MAX);
  std::vector<Fragment> pieces(count);
  for (std::size_t i = 0; i < count; ++i) {
    Fragment& piece = pieces[i];
    piece.transfer_high = transfer_high;
    piece.transfer_low = transfer_low;
    piece.index = static_cast<std::uint32_t>(i);
    piece.count = static_cast<std::uint32_t>(count);
    piece.is_reply = route.is_reply;
    piece.route = route.value;
    piece.bytes = whole.substr(i * piece_bytes, piece_bytes);
  }
  return pieces;
}

std::optional<StampedMessage> Assembler::add(const Fragment& piece, Instant now) {
  if (!is_sound(piece)) {
    ++dropped_;
    return std::nullopt;
  }
  const Name name{piece.transfer_high, piece.transfer_low};
  auto at = transfers_.find(name);
  if (at != transfers_.end() && now >= at->second.deadline) {
    drop(at);
    at = transfers_.end();
  }
  if (at == transfers_.end()) {
    while (transfers_.size() >= limits::transfers_max) drop(least_needed(transfers_));
    at = transfers_.try_emplace(name).first;
    at->second.pieces.resize(piece.count);
    at->second.missing = piece.count;
    at->second.bytes = table_bytes(piece.count);
    at->second.deadline = now + limits::transfer_deadline;
    bytes_ += at->second.bytes;
  }
  Transfer& transfer = at->second;
  if (is_closed(transfer)) return std::nullopt;
  if (piece.count != transfer.pieces.size()) {
    ++dropped_;
    return std::nullopt;
  }
  std::optional<Bytes>& place = transfer.pieces[piece.index];
  if (place) {
    if (*place != piece.bytes) ++dropped_;
    return std::nullopt;
  }
  if (transfer.bytes + piece.bytes.size() > limits::transfer_bytes_max) {
    drop(at);  // it alone is too large: the others stay
    return std::nullopt;
  }
  while (bytes_ + piece.bytes.size() > limits::transfer_bytes_max) {
    const auto victim = oldest(transfers_, false);
    const bool is_own = victim == at;
    drop(victim);
    if (is_own) return std::nullopt;
  }
  place = piece.bytes;
  transfer.bytes += piece.bytes.size();
  bytes_ += piece.bytes.size();
  if (--transfer.missing > 0) return std::nullopt;

  const Bytes whole = join(transfer.pieces);
  bytes_ -= transfer.bytes;
  transfer = Transfer{};
  transfer.deadline = now + limits::transfer_deadline;
  Result<StampedMessage> decoded = decode_message(whole);
  if (!decoded || !came_its_way(decoded->message, piece)) {
    ++dropped_;
    return std::nullopt;
  }
  return std::move(*decoded);
}

void Assembler::tick(Instant now) {
  for (auto at = transfers_.begin(); at != transfers_.end();) {
    const auto next = std::next(at);
    if (now >= at->second.deadline) drop(at);
    at = next;
  }
}

Instant Assembler::next_deadline() const {
  const auto first = oldest(transfers_, false);
  return first == transfers_.end() ? never : first->second.deadline;
}

void Assembler::drop(std::map<Name, Transfer>::iterator transfer) {
  if (!is_closed(transfer->second)) ++dropped_;
  bytes_ -= transfer->second.bytes;
  transfers_.erase(transfer);
}

}  // namespace ringwright
