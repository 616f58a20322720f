"""What ends when the process ends or forks."""

from __future__ import annotations

import atexit
import itertools
import os
import threading
import weakref
from typing import Protocol

from . import _core
from .errors import ClosedError


class Closable(Protocol):
    def close(self) -> None: ...


class Forgettable(Protocol):
    def forget(self) -> None: ...


_generation = 0
_numbers = itertools.count(1)
_thread = threading.local()
_open: weakref.WeakSet[Closable] = weakref.WeakSet()
_told: weakref.WeakSet[Forgettable] = weakref.WeakSet()
_reopening = threading.Lock()


def this_thread() -> int:
    """A number of the calling thread; unlike the system's, it never comes back in a later thread.

    A new thread must not go on with what a dead one has read.
    """
    number: int | None = getattr(_thread, "number", None)
    if number is None:
        number = _thread.number = next(_numbers)
    return number


def generation() -> int:
    """Changes when this process is a forked child: what was made before has no threads here."""
    return _generation


def check_generation(made_in: int, what: str) -> None:
    """Raises ClosedError for what was made before a fork."""
    if made_in != _generation:
        raise ClosedError(
            f"this {what} belongs to the process that was forked: open a new one in the child"
        )


def reopening() -> threading.Lock:
    """Held while something is opened again in a forked child; nobody holds it when one begins."""
    return _reopening


def close_at_exit(thing: Closable) -> None:
    """Native threads stop before the interpreter does."""
    _open.add(thing)


def tell_of_fork(thing: Forgettable) -> None:
    """`forget` is called in every forked child: descriptors that the parent must have alone."""
    _told.add(thing)


def _close_all() -> None:
    try:
        for thing in list(_open):
            thing.close()
    finally:
        # From here on a native thread that is still there finds no way into the interpreter.
        _core.shut_engines()


def _note_fork() -> None:
    global _generation, _reopening
    _generation += 1
    _reopening = threading.Lock()
    _open.clear()
    for thing in list(_told):
        thing.forget()
    _told.clear()


atexit.register(_close_all)
os.register_at_fork(after_in_child=_note_fork)
