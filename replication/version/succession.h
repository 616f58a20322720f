#pragma once

#include <optional>

#include "engine/base/bytes.h"
#include "replication/version/actor.h"

namespace ringwright {

// What the bytes of two records of one key tell of each other.
struct Succession {
  // The merge of both is the newer record as it is. False also where that takes more to find out.
  bool is_told = false;
  // The newer one has seen more events of the marked actor.
  bool raises_marked = false;
};

// Of records of kind `siblings` in canonical form, in one walk over both and without decoding
// either: mostly a put has seen all that it meets, and then it stays as it is.
Succession find_succession(ByteView newer, ByteView older, const std::optional<Actor>& marked);

}  // namespace ringwright
