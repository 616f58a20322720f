"""Clusters of real processes, for the tests."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import pytest
import ringwright as rw
from ringwright import _core, _processes

DEADLINE = 30.0


def why_not() -> str:
    """Why no cluster of processes can be made here; empty: one can."""
    try:
        _processes.find_program()
        _core.load_plugin("thrift")
    except rw.Error as error:
        return str(error)
    return ""


needs_processes = pytest.mark.skipif(bool(why_not()), reason=why_not() or "they are there")


def comes_true(condition: Callable[[], bool]) -> bool:
    give_up = time.monotonic() + DEADLINE
    while not condition():
        if time.monotonic() > give_up:
            return False
        time.sleep(0.01)
    return True


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # A zombie of another parent is gone for our purpose.
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
