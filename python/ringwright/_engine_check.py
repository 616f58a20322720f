"""The command `ringwright engine check`."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .errors import Error, InvalidRequestError
from .testing import EngineCheck, check_engine

TEST_DEADLINE_S = 120.0
POLL_S = 0.1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("target", metavar="NAME|PLUGIN.so", help="an engine, or a plugin's file")
    parser.add_argument(
        "--durability",
        metavar="CLASS",
        help="none, os or disk; by default the strongest that the engine has",
    )
    parser.add_argument(
        "--option", action="append", default=[], metavar="NAME=VALUE", help="of the engine"
    )
    parser.add_argument(
        "--deadline",
        type=float,
        default=TEST_DEADLINE_S,
        metavar="SECONDS",
        help=f"of one test, after which the check is given up ({TEST_DEADLINE_S:g})",
    )
    parser.add_argument(
        "--test",
        dest="tests",
        action="append",
        metavar="NAME",
        help="run these tests only; * stands for anything",
    )


def run(chosen: argparse.Namespace, give_up: Callable[[Error], int]) -> EngineCheck:
    """Checks the engine; where a test hangs the process ends, with what `give_up` says of it."""
    watch = _Watch(chosen.deadline, give_up)
    target = chosen.target
    is_file = target.endswith(".so") or "/" in target
    # The suite is one native call: an interrupt would be heard behind it.
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        return check_engine(
            Path(target) if is_file else target,
            durability=chosen.durability,
            options=dict(map(_option, chosen.option)),
            tests=chosen.tests or "*",
            on_start=watch.begin,
        )
    finally:
        watch.end()
        signal.signal(signal.SIGINT, before)


def document(check: EngineCheck) -> dict[str, Any]:
    """As JSON shows it."""
    shown: dict[str, Any] = {
        "ok": check.ok,
        "engine": check.engine,
        "durability": check.durability,
        "tests": [
            {
                "name": each.test,
                "verdict": each.verdict,
                "message": each.message,
                "seconds": each.seconds,
            }
            for each in check.outcomes
        ],
    }
    if not check:
        names = ", ".join(each.test for each in check.failed)
        shown["error"] = {"code": "check_failed", "message": f"failed: {names}"}
    return shown


def _option(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise InvalidRequestError(f"--option takes NAME=VALUE, not {text!r}")
    return name, value


class _Watch:
    """Ends the process when a test lasts too long: a native call cannot be broken off."""

    def __init__(self, deadline: float, give_up: Callable[[Error], int]) -> None:
        self._deadline = deadline
        self._give_up = give_up
        self._running = ("", time.monotonic())  # the test, and when it began
        self._ended = threading.Event()
        threading.Thread(target=self._watch, daemon=True).start()

    def begin(self, test: str) -> None:
        self._running = (test, time.monotonic())
        if sys.stderr.isatty():
            print(f"{test} ...", file=sys.stderr, flush=True)

    def end(self) -> None:
        self._ended.set()

    def _watch(self) -> None:
        while not self._ended.wait(POLL_S):
            test, begun = self._running
            if time.monotonic() - begun < self._deadline:
                continue
            error = Error(
                f"{test or 'the open'} did not end within {self._deadline:g} s; Python stands at "
                + ", ".join(_places())
            )
            error.code = "check_failed"
            code = self._give_up(error)
            sys.stdout.flush()
            os._exit(code)


def _places() -> list[str]:
    """Where each other thread is."""
    here = threading.get_ident()
    return [
        f"{frame.f_code.co_name} ({Path(frame.f_code.co_filename).name}:{frame.f_lineno})"
        for thread, frame in sys._current_frames().items()
        if thread != here
    ]
