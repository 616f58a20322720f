"""Engines in Python that child processes can import too."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

EXAMPLES = str(Path(__file__).resolve().parents[2] / "examples")
if EXAMPLES not in sys.path:
    sys.path.append(EXAMPLES)

from python_engine import SortedLog  # noqa: E402

__all__ = ["Scripted", "SortedLog"]


class Scripted(SortedLog):
    """Does what it is told in place of one of its methods."""

    instead: ClassVar[dict[str, Callable[..., Any]]] = {}

    def __getattribute__(self, name: str) -> Any:
        other = Scripted.instead.get(name)
        return super().__getattribute__(name) if other is None else other
