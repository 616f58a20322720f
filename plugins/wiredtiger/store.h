#pragma once

#include <atomic>
#include <memory>
#include <optional>

#include "engine/base/ballast.h"
#include "engine/base/clock.h"
#include "engine/base/limits.h"
#include "engine/base/space_reserve.h"
#include "engine/storage_engine.h"
#include "plugins/wiredtiger/damaged_places.h"
#include "plugins/wiredtiger/directory.h"
#include "plugins/wiredtiger/options.h"

namespace ringwright {

// What an open engine has, whichever connection serves it. Set before calls are let in.
struct Store {
  Directory directory;
  Durability durability = Durability::none;
  WiredtigerOptions options;
  std::shared_ptr<Ballast> ballast;
  std::optional<SpaceReserve> space;
  // How long it waits for calls, and for a close, once WiredTiger has given up.
  Nanoseconds patience = limits::wiredtiger_close_deadline;
  const std::shared_ptr<Clock> clock = make_system_clock();
  const std::shared_ptr<DamagedPlaces> damage = std::make_shared<DamagedPlaces>();
  // Set by `close`: nothing waits for room any more.
  const std::shared_ptr<std::atomic<bool>> ends = std::make_shared<std::atomic<bool>>(false);
};

}  // namespace ringwright
