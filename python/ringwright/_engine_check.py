"""The command `ringwright engine check`."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path
from typing import Any

from .errors import InvalidRequestError
from .testing import EngineCheck, check_engine


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
        "--test",
        dest="tests",
        action="append",
        metavar="NAME",
        help="run these tests only; * stands for anything",
    )


def run(chosen: argparse.Namespace) -> EngineCheck:
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
            on_start=_show if sys.stderr.isatty() else None,
        )
    finally:
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


def _show(test: str) -> None:
    print(f"{test} ...", file=sys.stderr, flush=True)
