#pragma once

#include <wiredtiger.h>

#include <string_view>

#include "engine/base/bytes.h"
#include "engine/base/status.h"
#include "plugins/wiredtiger/events.h"

namespace ringwright {

inline WT_ITEM to_item(ByteView bytes) {
  WT_ITEM item{};
  item.data = bytes.data();
  item.size = bytes.size();
  return item;
}
inline ByteView to_view(const WT_ITEM& item) {
  return {static_cast<const char*>(item.data), item.size};
}

// WiredTiger's error in the words of the contract; `what` says what was being done, and to what,
// `trouble` what a panic came from. Absence is the caller's to handle, for here it would be an
// error. Takes this thread's last message.
Status to_status(int error, std::string_view what, Trouble trouble = Trouble::failed);

}  // namespace ringwright
