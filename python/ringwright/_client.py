"""The client."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, NoReturn

from . import _core, _life
from ._arguments import BytesLike, Quorum, level_of
from ._calls import DEFAULT_ENDPOINT, Defaults, Target, checked_concurrency, make_target
from ._records import Context, Record
from ._resolvers import Resolver
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

    @staticmethod
    def of(keys: Iterable[BytesLike], outcomes: Iterable[Context | Error]) -> BatchResult:
        """Of a key that is there twice the last outcome."""
        contexts: dict[bytes, Context] = {}
        errors: dict[bytes, Error] = {}
        for key, outcome in zip(keys, outcomes, strict=True):
            name = bytes(key)
            if isinstance(outcome, Error):
                errors[name] = outcome
                contexts.pop(name, None)
            else:
                contexts[name] = outcome
                errors.pop(name, None)
        return BatchResult(contexts, errors)

    def raise_first(self) -> None:
        """Raises the first error, if there is one, with this as its `batch`."""
        for error in self.errors.values():
            error.batch = self
            raise error

    @property
    def ok(self) -> bool:
        """Every item was written."""
        return not self.errors

    def __len__(self) -> int:
        return len(self.contexts) + len(self.errors)


class _Link:
    """A native client, shared by a client and the views of it.

    One to another process is opened again in a forked child; one into this process is closed there.
    """

    def __init__(self, core: _core.Client, target: Target | None) -> None:
        self.core = core
        self.target = target
        self.closed = False
        self._generation = _life.generation()
        _life.close_at_exit(self)

    def native(self) -> _core.Client:
        if self._generation != _life.generation() and not self.closed:
            if self.target is None:
                _life.check_generation(self._generation, "client")
            else:
                self._reopen(self.target)
        return self.core

    def _reopen(self, target: Target) -> None:
        with _life.reopening():
            if self._generation != _life.generation():
                self.core = target.open()
                self._generation = _life.generation()
                _life.close_at_exit(self)

    @property
    def is_inherited(self) -> bool:
        """It belongs to the process that this one was forked from."""
        return self._generation != _life.generation()

    @property
    def is_closed(self) -> bool:
        if self.closed or (self.is_inherited and self.target is None):
            return True
        return not self.is_inherited and self.core.is_closed()

    def close(self) -> None:
        self.closed = True
        if not self.is_inherited:
            self.core.close()


class Client:
    """Reads and writes keys. Thread-safe; a context manager.

        with rw.Client("127.0.0.1:7480") as kv:
            kv.put(b"cart", b"eggs")

    `Client(...)` connects to the nodes of other processes, and to the whole cluster as soon as one
    of the endpoints answers; `Cluster.client` makes one for a cluster of this process.

    Keys and values are bytes, bytearray or memoryview; bytes come back. Every call has a deadline,
    `timeout` seconds, and may name how many replicas must answer: a number from 1 to n or a
    `Quorum`.

    The client remembers the context of its own last put of each key and, for each thread, of the
    last get, and a put or delete that is given no context sends those. So a client does not
    conflict with itself, except after an unknown outcome. Give `context=NO_CONTEXT` to be
    concurrent with all that is there.

    `close` is final: later calls raise ClosedError. In a forked child, and when it is unpickled, a
    client of other processes connects anew, and remembers nothing; one of a cluster in this process
    is closed there, and cannot be pickled. A client that its cluster made lives no longer than that,
    and is closed when it is dropped; any other should be closed.
    """

    _link: _Link
    _defaults: Defaults
    _cluster: Cluster | None
    _parent: Client | None
    _closed: bool

    def __init__(
        self,
        endpoints: str | Sequence[str] = DEFAULT_ENDPOINT,
        *,
        keyspace: str = "default",
        timeout: float = 1.0,
        retries: int = 2,
        resolver: Resolver | None = None,
        r: int | str | Quorum | None = None,
        w: int | str | Quorum | None = None,
        node: str | None = None,
    ) -> None:
        """Connects, within `timeout` seconds.

        Args:
            endpoints: "host:port" of one or several nodes; any that answers names all others.
            keyspace: whose keys it reads and writes.
            timeout: seconds; of connecting, and the deadline of each request.
            retries: how many further nodes a request is sent to when one cannot be reached.
            resolver: reduces siblings; None: shows them.
            r: replicas that a get needs; by default the keyspace's.
            w: replicas that a put needs; by default the keyspace's.
            node: only this node is asked, by name; None: the key's replicas.

        Raises:
            ConnectionError: nobody answered in time.
            VersionMismatchError: the other side speaks another protocol.
            InvalidRequestError: there is no such keyspace or node.
        """
        target = make_target(endpoints, keyspace, node, timeout, retries)
        defaults = Defaults(keyspace, level_of(r, "r"), level_of(w, "w"), 0.0, resolver)
        self._set(_Link(target.open(), target), defaults, None, None)

    @classmethod
    def _make(
        cls, link: _Link, defaults: Defaults, cluster: Cluster | None, parent: Client | None = None
    ) -> Client:
        self = object.__new__(cls)
        self._set(link, defaults, cluster, parent)
        return self

    def _set(
        self, link: _Link, defaults: Defaults, cluster: Cluster | None, parent: Client | None
    ) -> None:
        self._link = link
        self._defaults = defaults
        self._cluster = cluster
        self._parent = parent
        self._closed = False

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
        raw = self._checked().get(key, self._defaults.read_options(_life.this_thread(), r, timeout))
        return self._defaults.record_of(key, raw)

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
        options = self._defaults.read_options(_life.this_thread(), r, timeout)
        wanted = list(keys)
        found = {}
        for start in range(0, len(wanted), ITEMS_AT_ONCE):
            some = wanted[start : start + ITEMS_AT_ONCE]
            answers = self._checked().get_many(some, options, checked_concurrency(concurrency))
            for key, raw in zip(some, answers, strict=True):
                if isinstance(raw, Error):
                    raise raw
                record = self._defaults.record_of(key, raw)
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
        options = self._defaults.write_options(_life.this_thread(), w, timeout, context, ttl)
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
        options = self._defaults.write_options(_life.this_thread(), w, timeout, context)
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
        options = self._defaults.write_options(_life.this_thread(), w, timeout, None, ttl)
        pairs: list[tuple[BytesLike, BytesLike]] = list(items.items() if isinstance(items, Mapping)
        else items)
        outcomes: list[Context | Error] = []
        for start in range(0, len(pairs), ITEMS_AT_ONCE):
            some = pairs[start : start + ITEMS_AT_ONCE]
            outcomes += self._checked().put_many(some, options, checked_concurrency(concurrency))
        result = BatchResult.of((key for key, _ in pairs), outcomes)
        if on_error == "raise":
            result.raise_first()
        return result

    # As a mapping.

    def __getitem__(self, key: BytesLike) -> bytes:
        record = self.get(key)
        if record is None:
            raise KeyError(key)
        return record.value

    def __setitem__(self, key: BytesLike, value: BytesLike) -> None:
        options = self._defaults.write_options(_life.this_thread(), None, None)
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
        """Where the key lives, and which of those nodes run.

        A client of other processes shows as not running those that it cannot reach.
        """
        native = self._checked()
        if self._cluster is not None and self._link.target is None:
            return self._cluster.where(key, keyspace=self.keyspace)
        return placement_of(key, native.place(self.keyspace, key, None))

    def remembered_context(self, key: BytesLike) -> Context:
        """What a put of the key would send in this thread if it named none."""
        return self._checked().remembered_context(key, self.keyspace, _life.this_thread())

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
        native = self._checked()
        if keyspace is not None:
            native.place(keyspace, b"", None)  # raises when there is none of that name
        defaults = self._defaults.changed(keyspace, r, w, timeout, resolver)
        return Client._make(self._link, defaults, self._cluster, parent=self)

    @property
    def keyspace(self) -> str:
        """The keyspace whose keys this client reads and writes."""
        return self._defaults.keyspace

    @property
    def is_closed(self) -> bool:
        """Nothing can be asked of it any more."""
        return self._was_closed() or self._link.is_closed

    def close(self) -> None:
        """Final and idempotent: calls in progress and later ones raise ClosedError."""
        if self._link.is_inherited and self._link.target is None:
            return
        self._closed = True
        if self._parent is None:
            self._link.close()

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
        # A view leaves its client open; what is not even set was never opened.
        if getattr(self, "_parent", self) is not None or self._link.is_inherited:
            return
        was_open = not self.is_closed
        self.close()
        if was_open and self._cluster is None:
            warnings.warn(f"{self!r} was dropped without close()", ResourceWarning, source=self)

    def __reduce__(self) -> tuple[Callable[..., Client], tuple[Target, Defaults]]:
        if self._link.target is None:
            raise TypeError("a client of a cluster in this process cannot be pickled")
        if self._was_closed():
            raise ClosedError("a closed client cannot be pickled")
        return _connect_again, (self._link.target.changed(self.keyspace), self._defaults)

    def __repr__(self) -> str:
        state = "closed" if self.is_closed else "open"
        target = self._link.target
        where = "" if target is None else f" at {', '.join(target.endpoints)}"
        return f"<Client of keyspace {self.keyspace!r}{where}, {state}>"

    def _was_closed(self) -> bool:
        return self._closed or (self._parent is not None and self._parent._was_closed())

    def _checked(self) -> _core.Client:
        """The core, when it may be used."""
        if self._was_closed():
            if self._link.is_inherited and self._link.target is None:
                self._link.native()
            raise ClosedError("the client is closed: make another one")
        return self._link.native()


def _connect_again(target: Target, defaults: Defaults) -> Client:
    return Client._make(_Link(target.open(), target), defaults, None)


def placement_of(key: BytesLike, raw: tuple[int, int, list[dict[str, Any]]]) -> Placement:
    token, partition, entries = raw
    return Placement(bytes(key), token, partition, tuple(PlacementEntry(**e) for e in entries))
