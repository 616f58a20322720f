"""What can go wrong, as one hierarchy under `Error`.

    Error
    ├ ConflictError            one value was asked, there are siblings
    ├ UnavailableError         too few replicas alive; certainly no effect
    ├ TimeoutError             the deadline passed; also the built-in TimeoutError
    ├ InvalidRequestError      wrong as written; also a ValueError
    ├ OverloadedError          a bound was met; certainly no effect
    ├ EngineError              the storage engine refused or failed
    │ ├ EngineBusyError        it refuses for now; certainly no effect
    │ ├ EngineLockedError      somebody else has the directory
    │ ├ CorruptionError        stored bytes fail their checksum
    │ └ NoSpaceError           the disk is full
    ├ ClosedError              the object was closed, or belongs to the parent of this process
    ├ ConnectionError          a node cannot be connected to; also the built-in ConnectionError
    ├ VersionMismatchError     written by another engine, format, node or cluster
    └ AuthError                not allowed

An argument of a wrong type, such as a str where bytes belong, is a plain `TypeError`; an exception
of a resolver or of an `update` function reaches the caller as it is.
"""

from __future__ import annotations

import builtins
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._client import BatchResult
    from ._records import Record

__all__ = [
    "AuthError",
    "ClosedError",
    "ConflictError",
    "ConnectionError",
    "CorruptionError",
    "EngineBusyError",
    "EngineError",
    "EngineLockedError",
    "Error",
    "InvalidRequestError",
    "NoSpaceError",
    "OverloadedError",
    "TimeoutError",
    "UnavailableError",
    "VersionMismatchError",
]


class Error(Exception):
    """The root of all errors of this package.

    Attributes:
        code: a stable lower-case name, such as ``"unavailable"``.
        retryable: the same call may succeed later, unchanged.
        outcome_unknown: the write may or may not take effect; False: it certainly has none.
        node: the node that said so; None: the client itself, or nobody in particular.
        batch: what became of every item, when `Client.put_many` raised this; else None.
    """

    code: str = "error"
    retryable: bool = False
    outcome_unknown: bool = False
    node: str | None = None
    batch: BatchResult | None = None

    @classmethod
    def _from_core(
        cls,
        message: str,
        code: str,
        retryable: bool,
        outcome_unknown: bool,
        node: str | None,
        required: int,
        received: int,
    ) -> Error:
        error = cls(message)
        error.code = code
        error.retryable = retryable
        error.outcome_unknown = outcome_unknown
        error.node = node
        error._set_counts(required, received)
        return error

    def _set_counts(self, required: int, received: int) -> None:
        """How many replicas had to answer, and how many did or were alive."""


class ConflictError(Error):
    """One value was asked of a record that has several siblings.

    Attributes:
        record: the record, with all its siblings and the context that replaces them.
    """

    code = "conflict"

    def __init__(self, record: Record) -> None:
        super().__init__(record)
        self.record = record

    def __str__(self) -> str:
        return (
            f"{self.record.key!r} has {len(self.record.siblings)} siblings: look at .siblings, "
            "decide, and put the outcome with context=record.context"
        )


class UnavailableError(Error):
    """Too few replicas are reachable; certainly no effect.

    Attributes:
        required: how many the request needs.
        alive: how many there were.
    """

    code = "unavailable"
    retryable = True
    required: int = 0
    alive: int = 0

    def _set_counts(self, required: int, received: int) -> None:
        self.required = required
        self.alive = received


class TimeoutError(Error, builtins.TimeoutError):
    """The deadline passed.

    Attributes:
        required: how many replicas had to answer.
        received: how many did.
        outcome_unknown: of a write: it may still take effect.
    """

    code = "timed_out"
    required: int = 0
    received: int = 0

    def _set_counts(self, required: int, received: int) -> None:
        self.required = required
        self.received = received


class InvalidRequestError(Error, ValueError):
    """The request is wrong as written: change it, repeating it cannot help."""

    code = "invalid"


class OverloadedError(Error):
    """A bound of a node was met; certainly no effect.

    Attributes:
        retry_after: seconds after which to try again; None: the node named no time.
    """

    code = "overloaded"
    retryable = True
    retry_after: float | None = None


class EngineError(Error):
    """The storage engine refused or failed; `code` says how."""

    code = "io_error"


class EngineBusyError(EngineError):
    """The storage engine refuses for now; certainly no effect."""

    code = "busy"
    retryable = True


class EngineLockedError(EngineError):
    """Another holder has the directory: close it there, or choose another directory.

    Attributes:
        pid: the process that holds it, where it is known.
    """

    code = "locked"

    @property
    def pid(self) -> int | None:
        named = re.search(r"\bprocess (\d+)", str(self))
        return int(named.group(1)) if named else None


class CorruptionError(EngineError):
    """Stored bytes fail their checksum; other replicas can repair them."""

    code = "corrupt"


class NoSpaceError(EngineError):
    """The disk is full; certainly no effect."""

    code = "no_space"


class ClosedError(Error):
    """The object was closed, or was made before this process was forked: open a new one."""

    code = "closed"


class ConnectionError(Error, builtins.ConnectionError):
    """A node cannot be connected to."""

    code = "connection"
    retryable = True


class VersionMismatchError(Error):
    """Written by another engine, format, node or cluster: leave it alone, or open it there.

    Attributes:
        server: what the other side or the directory is, where both are known.
        client: what this side is.
    """

    code = "mismatch"
    server: str | None = None
    client: str | None = None


class AuthError(Error):
    """Not allowed."""

    code = "not_allowed"
