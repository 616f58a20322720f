#pragma once

#include <functional>
#include <string>

#include "tests/durability/crash_child.h"

namespace ringwright::durability {

// Runs `program` in a process of its own, which it must end. Empty when it ended as
// `child_verified`; otherwise the signal, or the status and what it left on the page.
std::string child_verdict(const ProgressPage& page, const std::function<void()>& program);

}  // namespace ringwright::durability
