#pragma once

#include <cstddef>

// The conformance suite of engines as a library, for who learns at run time what to test: the
// command `ringwright engine check` and ringwright.testing. One test process, one registry: load it
// beside the libringwright whose engines are to be tested.
extern "C" {

enum RingwrightCheckOutcome : int {
  ringwright_check_passed = 0,
  ringwright_check_failed = 1,
  ringwright_check_skipped = 2,
  ringwright_check_started = 3,
};

// Told of each test, in the calling thread: its name, what became of it, and why.
using RingwrightCheckListener = void (*)(const char* test, int outcome, const char* message,
                                         double seconds);

// Tests the engine stack `engine`, such as "faulty(memory)". `durability`: the class to demand;
// empty: the strongest that the engine has. `options`: names and values in turn, then null.
// `an_option`: any option's name, or empty. `tests`: which, as GoogleTest's filters are written.
// Returns how many tests failed, and in `text` the class that was demanded; -1 when none could be
// run, and in `text` why. One call runs at a time, the others wait.
[[gnu::visibility("default")]] int ringwright_check_engine(
    const char* engine, const char* durability, const char* const* options, const char* an_option,
    const char* tests, RingwrightCheckListener listener, char* text, std::size_t text_size);
}
