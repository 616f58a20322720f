"""Arguments as users write them, checked and turned into what the core takes."""

from __future__ import annotations

import enum
import functools
import math
from collections.abc import Sequence

from . import _core
from .errors import InvalidRequestError

__all__ = ["Quorum"]

BytesLike = bytes | bytearray | memoryview

SECONDS_MAX = 100.0 * 365 * 86400


class Quorum(str, enum.Enum):
    """How many replicas must answer, by name; a number from 1 to n does as well.

    QUORUM is a majority of n. The plain strings ("quorum", in any case) are accepted too.
    """

    ONE = "ONE"
    TWO = "TWO"
    THREE = "THREE"
    QUORUM = "QUORUM"
    ALL = "ALL"


@functools.lru_cache(maxsize=64)
def _named_level(name: str) -> int:
    return _core.parse_level(name)


def level_of(level: int | str | Quorum | None, what: str) -> int:
    """The core's number of a level; None is 0, the default. `what` names it in errors."""
    if level is None:
        return 0
    if isinstance(level, Quorum):
        return _named_level(level.value)
    if isinstance(level, str):
        return _named_level(level)
    if isinstance(level, bool) or not isinstance(level, int):
        raise TypeError(f"{what} must be a number of replicas or a level, not {level!r}")
    if not 1 <= level <= 200:
        raise InvalidRequestError(f"{what}={level}: ask for 1 to n replicas, or name a level")
    return level


def seconds(value: float, what: str, least: float = 1e-6) -> float:
    """A span in seconds, at least `least`."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{what} must be a number of seconds, not {value!r}")
    if not math.isfinite(value) or not least <= value <= SECONDS_MAX:
        raise InvalidRequestError(f"{what}={value}: a number of seconds, at least {least:g}")
    return float(value)


def nearest(name: str, known: Sequence[str]) -> str:
    """For "did you mean"; empty when nothing is known."""
    return _core.nearest_name(name, list(known))
