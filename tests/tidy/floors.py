#!/usr/bin/env python3
"""Checks that no source file reaches above its floor, nor for what its floor may not touch.

Every folder of the C++ tree stands on a floor and may include only what the table below allows.
The decisions of a store are machines without threads, clocks, files or random sources, so headers
and calls that bring these in are refused where the machines live. Prints one line for each
violation and exits with 1 if there is any.

Usage: floors.py [root of the tree]
"""

import re
import sys
from dataclasses import dataclass
from pathlib import Path

TOP_FOLDERS = ("engine", "replication", "plugins", "bindings", "tests", "bench")
MAX_COLUMNS = 100

# Names directly below replication/: a folder, or the stem of a file that stands there alone.
FLOOR_4 = {"shard", "node"}
FLOOR_3 = {"ring", "version", "resolver", "coordinator", "membership", "transport"}
FLOOR_5 = {"client", "config", "history", "workload", "runtime", "simulation", "daemon"}
DRIVERS = {"runtime", "simulation"}

# What floor 3 may use of floor 1: finding parts by name, and the merge that an engine is given.
FLOOR_3_FROM_ENGINE = {"engine/registry.h", "engine/record_policy.h"}

CXX_HEADERS = set(
    """
    algorithm any array atomic barrier bit bitset charconv chrono codecvt compare complex concepts
    condition_variable coroutine deque exception execution filesystem format forward_list fstream
    functional future initializer_list iomanip ios iosfwd iostream istream iterator latch limits
    list locale map memory memory_resource mutex new numbers numeric optional ostream queue random
    ranges ratio regex scoped_allocator semaphore set shared_mutex source_location span sstream
    stack stdexcept stop_token streambuf string string_view strstream syncstream system_error thread
    tuple type_traits typeindex typeinfo unordered_map unordered_set utility valarray variant vector
    version cassert cctype cerrno cfenv cfloat cinttypes climits clocale cmath csetjmp csignal
    cstdarg cstddef cstdint cstdio cstdlib cstring ctime cuchar cwchar cwctype assert.h ctype.h
    errno.h fenv.h float.h inttypes.h limits.h locale.h math.h setjmp.h signal.h stdarg.h stddef.h
    stdint.h stdio.h stdlib.h string.h time.h uchar.h wchar.h wctype.h
    """.split()
)
MACHINE_REFUSES = set(
    """
    thread mutex shared_mutex condition_variable future semaphore latch barrier stop_token chrono
    random fstream filesystem iostream
    """.split()
)
SMALL_LIBRARIES = re.compile(r"(xxhash|xxh3)\.h|toml\+\+/.*|toml\.hpp|nlohmann/.*|spdlog/.*")
SYSTEM_HEADERS = re.compile(
    r"(sys|net|netinet|arpa|linux|bits)/.*"
    r"|(aio|cpuid|cxxabi|dirent|dlfcn|execinfo|fcntl|ifaddrs|libgen|netdb|poll|pthread|pwd|sched"
    r"|spawn|sysexits|syslog|termios|ucontext|unistd|x86intrin|[a-z]mmintrin|immintrin)\.h"
)

TOKEN = re.compile(
    r'(?P<comment>//[^\n]*|/\*.*?\*/)'
    r'|(?P<text>R"(?P<mark>[^()\\\s]*)\(.*?\)(?P=mark)"|"(?:\\.|[^"\\\n])*"'
    r"|(?<![0-9A-Fa-f])'(?:\\.|[^'\\\n])*')",
    re.DOTALL,
)
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"\n]+)[>"]', re.MULTILINE)
PRAGMA_ONCE = re.compile(r"^[ \t]*#[ \t]*pragma once\b", re.MULTILINE)

ALWAYS_BANNED = [
    (re.compile(r"\b(system|steady|high_resolution|utc|file|tai)_clock::now\b"), "reads a clock"),
    (re.compile(r"\brandom_device\b"), "draws from the machine's random source"),
    (re.compile(r"\bstd::(jthread|thread|async)\b"), "starts a thread"),
    (re.compile(r"\bsleep_(for|until)\s*\("), "sleeps"),
]
BANNED_CALL = re.compile(
    r"\b(time|clock_gettime|gettimeofday|s?rand|u?sleep|nanosleep|getpid)\s*\("
)
BANNED_CALL_DOES = {
    "time": "reads a clock",
    "clock_gettime": "reads a clock",
    "gettimeofday": "reads a clock",
    "rand": "draws from a hidden random source",
    "srand": "seeds a hidden random source",
    "sleep": "sleeps",
    "usleep": "sleeps",
    "nanosleep": "sleeps",
    "getpid": "asks for the process",
}


@dataclass(frozen=True, order=True)
class Violation:
    file: str
    line: int
    sentence: str

    def __str__(self):
        return f"{self.file}:{self.line}: {self.sentence}"


@dataclass(frozen=True)
class Place:
    """Where a file stands: its floor (None where the table knows no floor), top folder and room.

    The room is the part that files of the same floor may be kept apart by: a folder of floor 2, a
    driver of floor 5, a plugin, or the tests of one plugin.
    """

    floor: int | None
    top: str
    room: str = ""


def place_of(path):
    parts = path.split("/")
    top = parts[0]
    inner = parts[1] if len(parts) > 1 else ""
    stem = inner.rsplit(".", 1)[0] if len(parts) == 2 else inner
    if top == "engine":
        if len(parts) == 2 or inner == "plugin":
            return Place(1, top)
        return Place(0, top) if inner == "base" else Place(2, top, inner)
    if top == "replication":
        if stem in FLOOR_4:
            return Place(4, top, stem)
        if stem in FLOOR_5:
            return Place(5, top, stem)
        if stem in FLOOR_3 or len(parts) == 2:
            return Place(3, top, stem)
        return Place(None, top, stem)
    if top == "plugins":
        return Place(6, top, inner)
    if top == "tests" and inner in ("plugins", "fuzz") and len(parts) > 3:
        return Place(7, top, parts[2])
    return Place(7, top)


def refusal(path, place, target):
    """Why the file at `path` may not include the project's file `target`, or None."""
    other = place_of(target)
    if other.floor is None:
        return f"includes {target}, whose folder has no floor."
    if other.top == "plugins":
        if place.floor == 6 and place.room == other.room:
            return None
        if place.top == "tests" and place.room == other.room:
            return None
        if place.top == "bench":
            return None
        if place.floor == 6:
            return f"is of another plugin than {target}, which it includes."
        return f"includes {target}; plugins are used by name only."
    if place.floor == 7:
        if other.floor == 7 and other.top != place.top:
            return f"includes {target}; {place.top}/ and {other.top}/ know nothing of each other."
        return None
    if other.floor > place.floor:
        return f"stands on floor {place.floor} and includes {target} of floor {other.floor}."
    if place.floor == 2 and other.floor == 2 and other.room != place.room:
        return f"includes {target}; engines and wrappers of floor 2 do not include each other."
    if place.floor == 3 and 1 <= other.floor <= 2 and target not in FLOOR_3_FROM_ENGINE:
        return f"stands on floor 3 and includes {target}; of engine/ it may use base and registry."
    if place.floor == 4 and other.floor == 2:
        return f"stands on floor 4 and includes {target}; an engine is used through its contract."
    if place.floor == 5 and {place.room, other.room} == DRIVERS:
        return f"includes {target}; the two drivers do not include each other."
    if place.floor == 6 and other.floor not in (0, 1, 3, 6):
        return f"is a plugin and includes {target} of floor {other.floor}."
    return None


def outside_refusal(path, place, header):
    """Why the file at `path` may not include the header of the language or of others, or None."""
    if place.floor in (3, 4) and header in MACHINE_REFUSES:
        return f"includes <{header}>; the machines of floors 3 and 4 know only values and ticks."
    if place.floor >= 6 or header in CXX_HEADERS:
        return None
    if path.endswith(".h"):
        return f"includes <{header}>; a header below floor 6 includes the standard library only."
    small = SMALL_LIBRARIES.fullmatch(header) or SYSTEM_HEADERS.fullmatch(header)
    if place.floor in (0, 5) and small:
        return None
    if place.floor == 1 and "/plugin" in path and header in ("dlfcn.h", "elf.h"):
        return None
    return f"includes <{header}>; floor {place.floor} includes the standard library only."


def touches_the_world(path):
    """Whether the file is one of those that turn a seam into the real thing."""
    # The production driver, and the node that is a process of its own around it.
    if path.startswith(("replication/runtime/", "replication/runtime.", "replication/daemon/")):
        return True
    stem = path.rsplit(".", 1)[0]
    return path.startswith("engine/base/") and stem.endswith(("_posix", "_system"))


def blank(text, keep_strings):
    """The text with comments (and strings) emptied, every line where it was."""

    def empty(match):
        if match.lastgroup != "comment" and keep_strings and match.group("comment") is None:
            return match.group(0)
        return " " + "\n" * match.group(0).count("\n")

    return TOKEN.sub(empty, text)


def is_free_call(before):
    """Whether a name preceded by `before` is called as a free function, not as a member of a type
    or a namespace of the project, nor declared."""
    before = before.rstrip()
    if before.endswith((".", "->", "~")):
        return False
    if before.endswith("::"):
        qualifier = re.search(r"(\w*)\s*::$", before).group(1)
        return qualifier in ("", "std", "return")
    word = re.search(r"(\w+)$", before)
    return word is None or word.group(1) in ("return", "else", "do", "case", "co_return")


def banned_calls(code):
    for pattern, does in ALWAYS_BANNED:
        for match in pattern.finditer(code):
            yield match.start(), f"`{match.group(0).rstrip('( ')}` {does}"
    for match in BANNED_CALL.finditer(code):
        if is_free_call(code[max(0, match.start() - 200) : match.start()]):
            yield match.start(), f"`{match.group(1)}` {BANNED_CALL_DOES[match.group(1)]}"


def check_file(root, path):
    text = (root / path).read_text(encoding="utf-8")
    place = place_of(path)
    found = []

    def add(line, sentence):
        found.append(Violation(path, line, sentence))

    if place.floor is None:
        add(1, f"stands in replication/{place.room}, which has no floor.")
        return found

    for number, line in enumerate(text.splitlines(), start=1):
        if len(line) > MAX_COLUMNS:
            add(number, f"is {len(line)} columns wide; the limit is {MAX_COLUMNS}.")
        if "\t" in line:
            add(number, "holds a tab; indent with spaces.")

    with_strings = blank(text, keep_strings=True)
    if path.endswith(".h") and not PRAGMA_ONCE.search(with_strings):
        add(1, "lacks `#pragma once`.")

    for match in INCLUDE.finditer(with_strings):
        line = with_strings.count("\n", 0, match.start(1)) + 1
        quote, header = match.groups()
        if header.split("/")[0] in TOP_FOLDERS and "/" in header:
            why = refusal(path, place, header)
        elif ".." in header.split("/") or (
            quote == '"' and (root / path).parent.joinpath(header).is_file()
        ):
            why = f'includes "{header}"; name it from the root of the tree.'
        else:
            why = outside_refusal(path, place, header)
        if why:
            add(line, why)

    if place.top in ("engine", "replication") and not touches_the_world(path):
        code = blank(text, keep_strings=False)
        for position, what in banned_calls(code):
            line = code.count("\n", 0, position) + 1
            add(line, f"{what}, which stands behind a seam; take it from there.")
    return found


def check_tree(root):
    """All violations of the tree at `root`, in order of file and line."""
    found = []
    for top in TOP_FOLDERS:
        for file in (root / top).rglob("*"):
            if file.suffix in (".h", ".cc") and file.is_file():
                found += check_file(root, file.relative_to(root).as_posix())
    return sorted(found)


def main(arguments):
    root = Path(arguments[0]) if arguments else Path(__file__).resolve().parents[2]
    found = check_tree(root)
    for violation in found:
        print(violation)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
