"""For authors of storage engines: the suite that every engine here passes.

    from ringwright.testing import check_engine

    def test_my_engine():
        check = check_engine(MyEngine)
        assert check, str(check)
"""

from __future__ import annotations

import ctypes
import inspect
import itertools
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from . import _core
from ._engines import Engine, innermost_name, register_engine, registered
from .errors import Error, InvalidRequestError

__all__ = ["EngineCheck", "Outcome", "check_engine"]

LIBRARY = "ringwright_conformance.so"
TEXT_BYTES = 4096
STARTED = 3
VERDICTS: dict[int, Literal["passed", "failed", "skipped"]] = {
    0: "passed",
    1: "failed",
    2: "skipped",
}


@dataclass(frozen=True)
class Outcome:
    """What became of one test.

    Attributes:
        test: its name, a sentence.
        verdict: "passed", "failed", or "skipped", as what the engine does not claim to have.
        message: why it was not passed.
        seconds: how long it took.
    """

    test: str
    verdict: Literal["passed", "failed", "skipped"]
    message: str
    seconds: float


@dataclass(frozen=True)
class EngineCheck:
    """What the suite found. True in a condition when no test failed.

    Attributes:
        engine: its name, with decorators around it.
        durability: the class that was demanded of it.
        outcomes: of every test, in their order.
    """

    engine: str
    durability: str
    outcomes: tuple[Outcome, ...]

    @property
    def failed(self) -> tuple[Outcome, ...]:
        """The tests that failed."""
        return tuple(outcome for outcome in self.outcomes if outcome.verdict == "failed")

    @property
    def ok(self) -> bool:
        """No test failed."""
        return not self.failed

    def __bool__(self) -> bool:
        return self.ok

    def __str__(self) -> str:
        counts = {
            verdict: sum(outcome.verdict == verdict for outcome in self.outcomes)
            for verdict in VERDICTS.values()
        }
        counted = ", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count)
        lines = [f"{self.engine}, durability {self.durability}: {counted}"]
        for outcome in self.failed:
            lines.append(f"{outcome.test} failed:")
            lines += [f"    {line}" for line in outcome.message.splitlines()]
        return "\n".join(lines)


def check_engine(
    engine: str | type[Engine] | Path,
    *,
    durability: str | None = None,
    options: Mapping[str, str | int | bool] | None = None,
    tests: str | Iterable[str] = "*",
    on_start: Callable[[str], object] | None = None,
) -> EngineCheck:
    """Runs the conformance suite of storage engines on temporary directories of this process.

    Args:
        engine: an engine by name ("rocksdb"), or a stack of decorators around one; a subclass of
            `Engine`, which gets a name like its own unless it is registered already; or the Path
            of a plugin that brings one engine.
        durability: the class to demand; None: the strongest that the engine has.
        options: of the engine.
        tests: names of tests, in which * stands for anything.
        on_start: called with the name of each test that begins.

    Raises:
        InvalidRequestError: there is no such engine, option, class or test.
        Error: this installation has no suite.
    """
    name = _name_of(engine)
    library = _load()
    kind = registered(innermost_name(name))
    outcomes: list[Outcome] = []

    def listen(test: bytes, number: int, message: bytes, seconds: float) -> None:
        if number != STARTED:
            outcomes.append(Outcome(test.decode(), VERDICTS[number], _text(message), seconds))
        elif on_start is not None:
            on_start(test.decode())

    words = [word for option in (options or {}).items() for word in map(_option_text, option)]
    text = ctypes.create_string_buffer(TEXT_BYTES)
    failed = library.ringwright_check_engine(
        name.encode(),
        (durability or "").encode(),
        (ctypes.c_char_p * (len(words) + 1))(*words, None),
        (kind.options[0] if kind is not None and kind.options else "").encode(),
        _filter([tests] if isinstance(tests, str) else list(tests)).encode(),
        _Listener(listen),
        text,
        TEXT_BYTES,
    )
    if failed < 0:
        raise InvalidRequestError(f"{name} cannot be checked: {_text(text.value)}")
    return EngineCheck(name, text.value.decode(), tuple(outcomes))


_Listener = ctypes.CFUNCTYPE(None, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_double)


def _load() -> ctypes.CDLL:
    path = Path(__file__).parent / LIBRARY
    if not path.exists():
        raise Error(
            f"this installation has no {LIBRARY}, the conformance suite: GoogleTest was not found "
            "when it was built; install it (on Debian the package libgtest-dev) and build again"
        )
    library = ctypes.CDLL(str(path))
    library.ringwright_check_engine.restype = ctypes.c_int
    library.ringwright_check_engine.argtypes = [
        ctypes.c_char_p,
        ctypes.c_char_p,
        ctypes.POINTER(ctypes.c_char_p),
        ctypes.c_char_p,
        ctypes.c_char_p,
        _Listener,
        ctypes.c_char_p,
        ctypes.c_size_t,
    ]
    return library


def _name_of(engine: str | type[Engine] | Path) -> str:
    if isinstance(engine, str):
        return engine
    if isinstance(engine, Path):
        return _only_engine_of(engine)
    if not inspect.isclass(engine) or not issubclass(engine, Engine):
        raise InvalidRequestError(
            f"an engine is a name, a subclass of Engine, or the Path of a plugin, not {engine!r}"
        )
    for known, _ in _origins():
        if registered(known) is engine:
            return known
    name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", engine.__name__).lower().lstrip("_")
    taken = [listed for listed, _ in _origins()] + _core.plugin_names()
    for number in itertools.count(1):
        chosen = name if number == 1 else f"{name}_{number}"
        if chosen not in taken:
            register_engine(chosen, engine)
            return chosen
    raise AssertionError("there is always another number")


def _only_engine_of(path: Path) -> str:
    if not path.is_file():
        raise InvalidRequestError(f"there is no plugin {str(path)!r}")
    real = os.path.realpath(path)
    _core.load_plugin_at(real)
    brought = [name for name, origin in _origins() if origin == real]
    if len(brought) != 1:
        told = ", ".join(brought) or "none"
        raise InvalidRequestError(
            f"the plugin {real} brings not one engine but these: {told}; make one known by "
            "register_engine or RINGWRIGHT_PLUGIN_PATH, and name it"
        )
    return brought[0]


def _origins() -> list[tuple[str, str]]:
    return [(part[1], part[2]) for part in _core.parts() if part[0] == "engine"]


def _option_text(value: object) -> bytes:
    return (str(value).lower() if isinstance(value, bool) else str(value)).encode()


def _filter(tests: list[str]) -> str:
    """As GoogleTest writes it: the suite before each name, the engine behind it."""
    for test in tests:
        if not re.fullmatch(r"[A-Za-z0-9_*]+", test):
            raise InvalidRequestError(f"{test!r} is not the name of a test, nor one with *")
    return ":".join(f"Checked/EngineConformance.{test}/*" for test in tests)


def _text(raw: bytes) -> str:
    return raw.decode(errors="replace")
