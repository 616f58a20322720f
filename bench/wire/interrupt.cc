#include "bench/wire/interrupt.h"

#include <signal.h>

namespace ringwright::bench {
namespace {

volatile sig_atomic_t was_interrupted = 0;

void note(int) { was_interrupted = 1; }

}  // namespace

void catch_interrupts() {
  struct sigaction action {};
  action.sa_handler = note;  // without SA_RESTART: waits end early
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
}

bool interrupted() { return was_interrupted != 0; }

}  // namespace ringwright::bench
