#pragma once

namespace ringwright::bench {

// From here on SIGINT and SIGTERM end nothing by themselves; loops ask `interrupted()`.
void catch_interrupts();
bool interrupted();

}  // namespace ringwright::bench
