"""What a get returns."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ._core import Context
from .errors import ConflictError

if TYPE_CHECKING:
    from ._resolvers import Resolver

__all__ = ["NO_CONTEXT", "Context", "Record", "Sibling"]

#: Given as the context of a put: "I have seen nothing", so concurrent with all that is there.
NO_CONTEXT = Context.from_bytes(b"")


@dataclass(frozen=True)
class Sibling:
    """One of several concurrent values of a key.

    Attributes:
        value: the bytes that were put.
        context: covers this value, and what the same actor wrote of the key before it. It never
            covers more than the record's context does. Siblings are concurrent however their
            contexts compare.
        timestamp: when it was put, in seconds since the epoch by its coordinator's clock.
        origin: the node that coordinated the put; ``"resolver"`` for a value that a resolver made.
        tombstone: always False; deletions are not shown as siblings.
    """

    value: bytes
    context: Context
    timestamp: float
    origin: str
    tombstone: bool = False


@dataclass(frozen=True)
class Record:
    """What a quorum of replicas holds of a key.

    Attributes:
        key: the key asked for.
        siblings: the live values: none when the key is absent or deleted, several in conflict.
        context: what this answer has seen; a put that is given it replaces exactly this. An absent
            or deleted key has one too.
        coordinator: the node that answered.
        resolved: a resolver made `siblings` out of several.
    """

    key: bytes
    siblings: tuple[Sibling, ...]
    context: Context
    coordinator: str = ""
    resolved: bool = False

    @property
    def exists(self) -> bool:
        """False when the key is absent or deleted."""
        return bool(self.siblings)

    @property
    def in_conflict(self) -> bool:
        """There is more than one sibling."""
        return len(self.siblings) > 1

    @property
    def value(self) -> bytes:
        """The only value.

        Raises:
            ConflictError: there are several; it carries this record.
            KeyError: there is none.
        """
        if len(self.siblings) == 1:
            return self.siblings[0].value
        if self.siblings:
            raise ConflictError(self)
        raise KeyError(self.key)

    def resolve(self, by: Resolver | Callable[[Sequence[Sibling]], bytes]) -> Record:
        """This record with its siblings reduced; itself when it is not in conflict.

        `by` is a `Resolver`, or a function from the siblings to one value. Nothing is stored: put
        the outcome with ``context=record.context``.
        """
        from ._resolvers import resolve_record

        return resolve_record(self, by)

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td><code>{html.escape(repr(s.value[:200]))}</code></td>"
            f"<td>{html.escape(s.origin)}</td><td>{s.timestamp:.6f}</td></tr>"
            for s in self.siblings
        )
        state = "in conflict" if self.in_conflict else "" if self.exists else "absent"
        return (
            f"<table><caption><code>{html.escape(repr(self.key))}</code> {state}</caption>"
            f"<tr><th>value</th><th>origin</th><th>timestamp</th></tr>{rows}</table>"
        )


def make_siblings(raw: Sequence[tuple[bytes, Context, float, str]]) -> tuple[Sibling, ...]:
    return tuple(Sibling(*sibling) for sibling in raw)
