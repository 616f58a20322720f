"""The client."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, NoReturn

from . import _core, _life
from ._arguments import BytesLike, Quorum, level_of, seconds
from ._records import Context, Record, make_siblings
from ._resolvers import Resolver, resolve_record
from .errors import ClosedError, Error, InvalidRequestError

if TYPE_CHECKING:
    from ._cluster import Cluster

__all__ = ["BatchResult", "Client", "Placement", "PlacementEntry"]

# A batch goes to the core in pieces, so that an interrupt is heard in between.
ITEMS_AT_ONCE = 4096
FIRST_PAUSE_S = 0.02


@dataclass(frozen=True)
class PlacementEntry:
    """One node of a key's preference list.

    Attributes:
        node: its name.
        role: "primary" for an owner of the key, "fallback" for a stand-in.
        stands_in_for: of a fallback the primary that it stands in for; else empty.
        up: the node runs.
    """

    node: str
    role: Literal["primary", "fallback"]
    stands_in_for: str
    up: bool


@dataclass(frozen=True)
class Placement:
    """Where a key lives.

    Attributes:
        key: the key.
        token: its position on the ring, 0 to 2**64 - 1.
        partition: the part of the ring that the token lies in.
        nodes: the preference list, given which nodes run: n entries, fewer when too few run.
    """

    key: bytes
    token: int
    partition: int
    nodes: tuple[PlacementEntry, ...]


@dataclass(frozen=True)
class BatchResult:
    """What became of each item of `Client.put_many`.

    Attributes:
        contexts: of the items that were written, by key.
        errors: of those that were not, or perhaps not, by key.
    """

    contexts: Mapping[bytes, Context]
    errors: Mapping[bytes, Error]

    @property
    def ok(self) -> bool:
        """Every item was written."""
        return not self.errors

    def __len__(self) -> int:
        return len(self.contexts) + len(self.errors)


class Client:
    """Reads and writes keys. Made by `Cluster.client`; thread-safe; a context manager.

    Keys and values are bytes, bytearray or memoryview; bytes come back. Every call has a deadline,
    `timeout` seconds, and may name how many replicas must answer: a number from 1 to n or a
    `Quorum`.

    The client remembers the context of its own last put of each key and, for each thread, of the
    last get, and a put or delete that is given no context sends those. So a client does not
    conflict with itself, except after an unknown outcome. Give `context=NO_CONTEXT` to be
    concurrent with all that is there.

    `close` is final: later calls raise ClosedError, and so do all calls in a forked child. A client
    lives no longer than its cluster; one that is dropped is closed.
    """

    _native: _core.Client
    _cluster: Cluster
    _parent: Client | None
    _keyspace: str
    _r: int
    _w: int
    _timeout: float
    _resolver: Resolver | None
    _closed: bool
    _generation: int

    def __init__(self, *_: object, **__: object) -> None:
        raise TypeError("a client is made by cluster.client()")

    @classmethod
    def _make(
        cls,
        core: _core.Client,
        cluster: Cluster,
        keyspace: str,
        r: int,
        w: int,
        timeout: float,
        resolver: Resolver | None,
        parent: Client | None = None,
    ) -> Client:
        self = object.__new__(cls)
        self._native = core
        self._cluster = cluster
        self._parent = parent
        self._keyspace = keyspace
        self._r = r
        self._w = w
        self._timeout = timeout
        self._resolver = resolver
        self._closed = False
        self._generation = _life.generation()
        return self

    # Reads.

    def get(
        self, key: BytesLike, *, r: int | str | Quorum | None = None, timeout: float | None = None
    ) -> Record | None:
        """What `r` replicas agree on; None when the key is absent or deleted.

        Siblings are never hidden: look at `Record.in_conflict`, or let the client's resolver reduce
        them.

        Raises:
            UnavailableError: fewer than r replicas are reachable.
            TimeoutError: fewer than r answered in time.
        """
        record = self.get_record(key, r=r, timeout=timeout)
        return record if record.exists else None

    def get_record(
        self, key: BytesLike, *, r: int | str | Quorum | None = None, timeout: float | None = None
    ) -> Record:
        """As `get`, but of an absent or deleted key the record without siblings, for its
        context."""
        raw = self._checked().get(key, self._read_options(r, timeout))
        return self._record_of(key, raw)

    def get_many(
        self,
        keys: Iterable[BytesLike],
        *,
        concurrency: int = 64,
        r: int | str | Quorum | None = None,
        timeout: float | None = None,
    ) -> dict[bytes, Record]:
        """The records of those keys that are there; `concurrency` of them are asked for at a time.

        Raises the first error, if any.
        """
        options = self._read_options(r, timeout)
        wanted = list(keys)
        found = {}
        for start in range(0, len(wanted), ITEMS_AT_ONCE):
            some = wanted[start : start + ITEMS_AT_ONCE]
            answers = self._checked().get_many(some, options, _concurrency(concurrency))
            for key, raw in zip(some, answers, strict=True):
                if isinstance(raw, Error):
                    raise raw
                record = self._record_of(key, raw)
                if record.exists:
                    found[record.key] = record
        return found

    def get_default(self, key: BytesLike, default: bytes = b"") -> bytes:
        """The value, or `default` when the key is absent; ConflictError when it has siblings."""
        record = self.get(key)
        return default if record is None else record.value

    # Writes.

    def put(
        self,
        key: BytesLike,
        value: BytesLike,
        *,
        context: Context | None = None,
        w: int | str | Quorum | None = None,
        ttl: float | None = None,
        timeout: float | None = None,
    ) -> Context:
        """Stores the value on `w` replicas, in place of what the context has seen.

        Args:
            context: of a get or put of this key; by default what this client remembers.
            ttl: seconds after which the value is gone by itself; by default the keyspace's.

        Returns:
            the context that covers this put, for the next one.

        Raises:
            UnavailableError: certainly nothing was stored.
            TimeoutError: see its `outcome_unknown`.
        """
        options = self._write_options(w, timeout, context)
        if ttl is not None:
            options.ttl = seconds(ttl, "ttl")
        return self._checked().put(key, value, options)

    def delete(
        self,
        key: BytesLike,
        *,
        context: Context | None = None,
        blind: bool = False,
        w: int | str | Quorum | None = None,
        timeout: float | None = None,
    ) -> Context:
        """Removes what the context has seen; values that it has not seen stay.

        Without a context the key is read first, and that read's context is sent; `blind` sends what
        the client remembers instead. Deleting an absent key is no error.

        Returns:
            the context that covers the deletion.
        """
        options = self._write_options(w, timeout, context)
        options.blind = blind
        return self._checked().remove(key, options)

    def update(
        self,
        key: BytesLike,
        fn: Callable[[bytes | None], bytes],
        *,
        r: int | str | Quorum | None = None,
        w: int | str | Quorum | None = None,
        ttl: float | None = None,
        timeout: float | None = None,
        attempts: int = 3,
    ) -> bytes:
        """Reads, resolves, applies `fn` to the value (None when absent), writes with that context.

        A failure that certainly had no effect and may pass is tried again from the read, `attempts`
        times in all; an unknown outcome is not, since `fn` could then take effect twice. Updates by
        several clients at once become siblings: none is lost, and none is exclusive.

        Returns:
            the value written.

        Raises:
            ConflictError: the key has siblings, and the client no resolver.
        """
        for attempt in range(1, attempts):
            try:
                return self._update_once(key, fn, r, w, ttl, timeout)
            except Error as error:
                if not error.retryable or error.outcome_unknown:
                    raise
                time.sleep(getattr(error, "retry_after", None) or FIRST_PAUSE_S * 2**attempt)
        return self._update_once(key, fn, r, w, ttl, timeout)

    def _update_once(
        self,
        key: BytesLike,
        fn: Callable[[bytes | None], bytes],
        r: int | str | Quorum | None,
        w: int | str | Quorum | None,
        ttl: float | None,
        timeout: float | None,
    ) -> bytes:
        record = self.get_record(key, r=r, timeout=timeout)
        value = fn(record.value if record.exists else None)
        self.put(key, value, context=record.context, w=w, ttl=ttl, timeout=timeout)
        return value

    def put_many(
        self,
        items: Mapping[bytes, bytes] | Iterable[tuple[BytesLike, BytesLike]],
        *,
        on_error: Literal["raise", "collect"] = "raise",
        concurrency: int = 64,
        w: int | str | Quorum | None = None,
        ttl: float | None = None,
        timeout: float | None = None,
    ) -> BatchResult:
        """Puts every item, `concurrency` at a time, each for itself: there is no transaction.

        With ``on_error="raise"`` all items are tried, then the first error is raised, with the
        whole result as its `batch`; with "collect" the errors are in the result. Of a key that is
        given twice the result tells what became of the last.
        """
        if on_error not in ("raise", "collect"):
            raise InvalidRequestError(f"on_error={on_error!r}: write 'raise' or 'collect'")
        options = self._write_options(w, timeout, None)
        if ttl is not None:
            options.ttl = seconds(ttl, "ttl")
        pairs: list[tuple[BytesLike, BytesLike]] = list(items.items() if isinstance(items, Mapping)
        else items)
        contexts: dict[bytes, Context] = {}
        errors: dict[bytes, Error] = {}
        for start in range(0, len(pairs), ITEMS_AT_ONCE):
            some = pairs[start : start + ITEMS_AT_ONCE]
            made = self._checked().put_many(some, options, _concurrency(concurrency))
            for (key, _), outcome in zip(some, made, strict=True):
                if isinstance(outcome, Error):
                    errors[bytes(key)] = outcome
                    contexts.pop(bytes(key), None)
                else:
                    contexts[bytes(key)] = outcome
                    errors.pop(bytes(key), None)
        result = BatchResult(contexts, errors)
        if errors and on_error == "raise":
            first = next(iter(errors.values()))
            first.batch = result
            raise first
        return result

    # As a mapping.

    def __getitem__(self, key: BytesLike) -> bytes:
        record = self.get(key)
        if record is None:
            raise KeyError(key)
        return record.value

    def __setitem__(self, key: BytesLike, value: BytesLike) -> None:
        options = self._write_options(None, None, None)
        options.read_first = True
        self._checked().put(key, value, options)

    def __delitem__(self, key: BytesLike) -> None:
        record = self.get_record(key)
        if not record.exists:
            raise KeyError(key)
        self.delete(key, context=record.context)

    def __contains__(self, key: object) -> NoReturn:
        raise TypeError("write `client.get(key) is not None`: it is a remote read")

    def __iter__(self) -> Iterator[bytes]:
        raise TypeError("a client does not list keys")

    # The rest.

    def where(self, key: BytesLike) -> Placement:
        """Where the key lives, and which of those nodes run."""
        self._checked()
        return self._cluster.where(key, keyspace=self._keyspace)

    def remembered_context(self, key: BytesLike) -> Context:
        """What a put of the key would send in this thread if it named none."""
        return self._checked().remembered_context(key, self._keyspace, _life.this_thread())

    def forget_contexts(self) -> None:
        """Drops all remembered contexts."""
        self._checked().forget_contexts()

    def with_options(
        self,
        *,
        keyspace: str | None = None,
        r: int | str | Quorum | None = None,
        w: int | str | Quorum | None = None,
        timeout: float | None = None,
        resolver: Resolver | None | Literal["same"] = "same",
    ) -> Client:
        """The same client with other defaults; it shares the connection and the contexts.

        Closing it leaves this one open; closing this one ends it as well.
        """
        self._checked()
        if keyspace is not None:
            self._cluster._check_keyspace(keyspace)
        return Client._make(
            self._native,
            self._cluster,
            self._keyspace if keyspace is None else keyspace,
            self._r if r is None else level_of(r, "r"),
            self._w if w is None else level_of(w, "w"),
            self._timeout if timeout is None else seconds(timeout, "timeout"),
            self._resolver if isinstance(resolver, str) else resolver,
            parent=self,
        )

    @property
    def keyspace(self) -> str:
        """The keyspace whose keys this client reads and writes."""
        return self._keyspace

    @property
    def is_closed(self) -> bool:
        """Nothing can be asked of it any more."""
        return (
            self._closed
            or self._generation != _life.generation()
            or (self._parent is not None and self._parent.is_closed)
            or self._native.is_closed()
        )

    def close(self) -> None:
        """Final and idempotent: calls in progress and later ones raise ClosedError."""
        if self._generation != _life.generation():
            return
        self._closed = True
        if self._parent is None:
            self._native.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __del__(self) -> None:
        if getattr(self, "_parent", self) is None:
            self.close()

    def __reduce__(self) -> NoReturn:
        raise TypeError("a client of a cluster in this process cannot be pickled")

    def __repr__(self) -> str:
        state = "closed" if self.is_closed else "open"
        return f"<Client of keyspace {self._keyspace!r}, {state}>"

    def _checked(self) -> _core.Client:
        """The core, when it may be used."""
        _life.check_generation(self._generation, "client")
        if self._closed or (self._parent is not None and self._parent._closed):
            raise ClosedError("the client is closed: make another one with cluster.client()")
        return self._native

    def _read_options(
        self, r: int | str | Quorum | None, timeout: float | None
    ) -> _core.CallOptions:
        options = _core.CallOptions()
        options.keyspace = self._keyspace
        options.session = _life.this_thread()
        options.level = self._r if r is None else level_of(r, "r")
        options.timeout = self._timeout if timeout is None else seconds(timeout, "timeout")
        return options

    def _write_options(
        self, w: int | str | Quorum | None, timeout: float | None, context: Context | None
    ) -> _core.CallOptions:
        if context is not None and not isinstance(context, Context):
            raise TypeError(f"context must be a Context, not {type(context).__name__}")
        options = _core.CallOptions()
        options.keyspace = self._keyspace
        options.session = _life.this_thread()
        options.level = self._w if w is None else level_of(w, "w")
        options.timeout = self._timeout if timeout is None else seconds(timeout, "timeout")
        options.context = context
        return options

    def _record_of(self, key: BytesLike, raw: tuple[Any, Context, str]) -> Record:
        siblings, context, coordinator = raw
        record = Record(bytes(key), make_siblings(siblings), context, coordinator)
        if self._resolver is None:
            return record
        return resolve_record(record, self._resolver)


def _concurrency(concurrency: int) -> int:
    if isinstance(concurrency, bool) or not isinstance(concurrency, int) or concurrency < 1:
        raise InvalidRequestError(f"concurrency={concurrency}: a whole number above zero")
    return concurrency

