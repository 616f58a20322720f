"""The client for asyncio."""

from __future__ import annotations

import asyncio
import itertools
import warnings
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from types import TracebackType
from typing import Any, Literal, cast

from . import _core, _life
from ._arguments import BytesLike, Quorum, level_of
from ._calls import (
    DEFAULT_ENDPOINT,
    Defaults,
    checked_concurrency,
    make_target,
)
from ._client import FIRST_PAUSE_S, BatchResult
from ._records import Context, Record
from ._resolvers import Resolver
from .errors import ClosedError, Error, InvalidRequestError

__all__ = ["AsyncClient"]

# Calls of one client under way; further ones wait for their turn.
IN_FLIGHT_MAX = 1024

Raw = Any  # what the core answers: a tuple for a get, a Context for a put


_task_numbers = itertools.count(1)
_tasks: weakref.WeakKeyDictionary[asyncio.Task[Any], int] = weakref.WeakKeyDictionary()


def this_task() -> int:
    """A number of the running asyncio task, which never comes back in a later one."""
    task = asyncio.current_task()
    if task is None:
        return next(_task_numbers)
    number = _tasks.get(task)
    if number is None:
        number = _tasks[task] = next(_task_numbers)
    return number


class _Batch:
    """The answers to many calls, at most `room` of them under way."""

    def __init__(self, count: int, room: int) -> None:
        self.answers: list[Raw | Error | None] = [None] * count
        self.left = count
        self.room = room
        self.news: asyncio.Future[None] | None = None

    def add(self, place: int, answer: Raw | Error) -> None:
        self.answers[place] = answer
        self.left -= 1
        self.room += 1
        if self.news is not None and not self.news.done():
            self.news.set_result(None)

    async def wait(self) -> None:
        """Until there is another answer."""
        self.news = asyncio.get_running_loop().create_future()
        await self.news


class _AsyncLink:
    """An open native client and what waits for its answers, in one event loop.

    The native thread makes a descriptor readable, which the loop watches: it never needs the
    interpreter, so neither a closed loop nor an interpreter that ends can meet it.
    """

    def __init__(self, core: _core.AsyncClient, loop: asyncio.AbstractEventLoop) -> None:
        self.core = core
        self.loop = loop
        self.slots = asyncio.Semaphore(IN_FLIGHT_MAX)
        self.waiting: dict[int, asyncio.Future[Raw] | tuple[_Batch, int]] = {}
        self._generation = _life.generation()
        self._descriptor = core.descriptor()
        loop.add_reader(self._descriptor, _collect, weakref.ref(self))
        _life.close_at_exit(self)

    def collect(self) -> None:
        for ticket, answer in self.core.collect():
            self.slots.release()
            waiting = self.waiting.pop(ticket, None)
            if isinstance(waiting, tuple):
                waiting[0].add(waiting[1], answer)
            elif waiting is None or waiting.done():
                continue
            elif isinstance(answer, Error):
                waiting.set_exception(answer)
            else:
                waiting.set_result(answer)

    def close(self) -> None:
        """Ends the native thread; from any thread. What waits learns of it when its loop runs."""
        if self._generation != _life.generation():
            return
        self.core.close()
        if self.loop.is_closed():
            return
        try:
            running = asyncio.get_running_loop()
        except RuntimeError:
            running = None
        if running is self.loop:
            _finish(self)
            return
        try:
            self.loop.call_soon_threadsafe(_finish, self)
        except RuntimeError:
            pass  # the loop was closed meanwhile


def _collect(link: weakref.ref[_AsyncLink]) -> None:
    """A reader of the loop, which must not keep a dropped client alive."""
    found = link()
    if found is not None:
        found.collect()


def _finish(link: _AsyncLink) -> None:
    link.loop.remove_reader(link._descriptor)
    link.collect()


class AsyncClient:
    """Reads and writes keys from asyncio coroutines, as `Client` does from threads.

        async with rw.AsyncClient("127.0.0.1:7480") as kv:
            await kv.put(b"cart", b"eggs")

    Making one is cheap: it connects at `connect`, `async with` or its first use. It belongs to the
    event loop that it is first used in, and may be used by any number of tasks there; from another
    loop it raises RuntimeError.

    At most 1024 calls are under way at a time, others wait for their turn. A task that is cancelled
    leaves its call behind: a put may still take effect.

    The client remembers the context of its own last put of each key and, for each task, of the last
    get, and a put or delete that is given no context sends those. `asyncio.wait_for` of Python 3.11
    and earlier starts a task of its own: give `timeout=` to the call instead.

    `close` is final: calls in progress and later ones raise ClosedError, and so do all calls in a
    forked child.
    """

    _open: Callable[[], _core.AsyncClient]
    _defaults: Defaults
    _where: str
    _parent: AsyncClient | None
    _link: _AsyncLink | None
    _loop: asyncio.AbstractEventLoop | None
    _connecting: asyncio.Future[_AsyncLink] | None
    _closed: bool
    _generation: int

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
        """The arguments are those of `Client`. The resolver runs in the event loop."""
        target = make_target(endpoints, keyspace, node, timeout, retries)
        defaults = Defaults(keyspace, level_of(r, "r"), level_of(w, "w"), 0.0, resolver)
        self._set(target.open_async, defaults, ", ".join(target.endpoints), None)

    @classmethod
    def _make(
        cls, open: Callable[[], _core.AsyncClient], defaults: Defaults, where: str
    ) -> AsyncClient:
        self = object.__new__(cls)
        self._set(open, defaults, where, None)
        return self

    def _set(
        self,
        open: Callable[[], _core.AsyncClient],
        defaults: Defaults,
        where: str,
        parent: AsyncClient | None,
    ) -> None:
        self._open = open
        self._defaults = defaults
        self._where = where
        self._parent = parent
        self._link = None
        self._loop = None
        self._connecting = None
        self._closed = False
        self._generation = _life.generation()

    # Reads.

    async def get(
        self, key: BytesLike, *, r: int | str | Quorum | None = None, timeout: float | None = None
    ) -> Record | None:
        """As `Client.get`."""
        record = await self.get_record(key, r=r, timeout=timeout)
        return record if record.exists else None

    async def get_record(
        self, key: BytesLike, *, r: int | str | Quorum | None = None, timeout: float | None = None
    ) -> Record:
        """As `Client.get_record`."""
        link = await self._ready()
        options = self._defaults.read_options(this_task(), r, timeout)
        raw = await self._call(link, partial(link.core.get, key, options))
        # Only now has the caller seen it.
        link.core.note_read(key, options, raw[1])
        return self._defaults.record_of(key, raw)

    async def get_many(
        self,
        keys: Iterable[BytesLike],
        *,
        concurrency: int = 64,
        r: int | str | Quorum | None = None,
        timeout: float | None = None,
    ) -> dict[bytes, Record]:
        """As `Client.get_many`."""
        link = await self._ready()
        options = self._defaults.read_options(this_task(), r, timeout)
        wanted = list(keys)
        answers = await self._call_all(
            link, [partial(link.core.get, key, options) for key in wanted], concurrency
        )
        found = {}
        for key, raw in zip(wanted, answers, strict=True):
            if isinstance(raw, Error):
                raise raw
            link.core.note_read(key, options, raw[1])
            record = self._defaults.record_of(key, raw)
            if record.exists:
                found[record.key] = record
        return found

    async def get_default(self, key: BytesLike, default: bytes = b"") -> bytes:
        """As `Client.get_default`."""
        record = await self.get(key)
        return default if record is None else record.value

    # Writes.

    async def put(
        self,
        key: BytesLike,
        value: BytesLike,
        *,
        context: Context | None = None,
        w: int | str | Quorum | None = None,
        ttl: float | None = None,
        timeout: float | None = None,
    ) -> Context:
        """As `Client.put`."""
        link = await self._ready()
        options = self._defaults.write_options(this_task(), w, timeout, context, ttl)
        return cast(Context, await self._call(link, partial(link.core.put, key, value, options)))

    async def delete(
        self,
        key: BytesLike,
        *,
        context: Context | None = None,
        blind: bool = False,
        w: int | str | Quorum | None = None,
        timeout: float | None = None,
    ) -> Context:
        """As `Client.delete`."""
        link = await self._ready()
        options = self._defaults.write_options(this_task(), w, timeout, context)
        options.blind = blind
        return cast(Context, await self._call(link, partial(link.core.remove, key, options)))

    async def update(
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
        """As `Client.update`; `fn` is a plain function."""
        for attempt in range(1, attempts):
            try:
                return await self._update_once(key, fn, r, w, ttl, timeout)
            except Error as error:
                if not error.retryable or error.outcome_unknown:
                    raise
                await asyncio.sleep(
                    getattr(error, "retry_after", None) or FIRST_PAUSE_S * 2**attempt
                )
        return await self._update_once(key, fn, r, w, ttl, timeout)

    async def _update_once(
        self,
        key: BytesLike,
        fn: Callable[[bytes | None], bytes],
        r: int | str | Quorum | None,
        w: int | str | Quorum | None,
        ttl: float | None,
        timeout: float | None,
    ) -> bytes:
        record = await self.get_record(key, r=r, timeout=timeout)
        value = fn(record.value if record.exists else None)
        await self.put(key, value, context=record.context, w=w, ttl=ttl, timeout=timeout)
        return value

    async def put_many(
        self,
        items: Mapping[bytes, bytes] | Iterable[tuple[BytesLike, BytesLike]],
        *,
        on_error: Literal["raise", "collect"] = "raise",
        concurrency: int = 64,
        w: int | str | Quorum | None = None,
        ttl: float | None = None,
        timeout: float | None = None,
    ) -> BatchResult:
        """As `Client.put_many`."""
        if on_error not in ("raise", "collect"):
            raise InvalidRequestError(f"on_error={on_error!r}: write 'raise' or 'collect'")
        link = await self._ready()
        options = self._defaults.write_options(this_task(), w, timeout, None, ttl)
        pairs: list[tuple[BytesLike, BytesLike]] = list(
            items.items() if isinstance(items, Mapping) else items
        )
        answers = await self._call_all(
            link,
            [partial(link.core.put, key, value, options) for key, value in pairs],
            concurrency,
        )
        result = BatchResult.of((key for key, _ in pairs), answers)
        if on_error == "raise":
            result.raise_first()
        return result

    # The rest.

    async def remembered_context(self, key: BytesLike) -> Context:
        """What a put of the key would send in this task if it named none."""
        link = await self._ready()
        return link.core.remembered_context(key, self.keyspace, this_task())

    def forget_contexts(self) -> None:
        """Drops all remembered contexts."""
        link = self._root()._link
        if link is not None:
            link.core.forget_contexts()

    def with_options(
        self,
        *,
        r: int | str | Quorum | None = None,
        w: int | str | Quorum | None = None,
        timeout: float | None = None,
        resolver: Resolver | None | Literal["same"] = "same",
    ) -> AsyncClient:
        """The same client with other defaults; it shares the connection and the contexts.

        Closing it leaves this one open; closing this one ends it as well.
        """
        self._check_open()
        made = object.__new__(AsyncClient)
        made._set(
            self._open, self._defaults.changed(None, r, w, timeout, resolver), self._where, self
        )
        return made

    @property
    def keyspace(self) -> str:
        """The keyspace whose keys this client reads and writes."""
        return self._defaults.keyspace

    @property
    def is_closed(self) -> bool:
        """Nothing can be asked of it any more."""
        if self._was_closed() or self._generation != _life.generation():
            return True
        link = self._root()._link
        return link is not None and link.core.is_closed()

    async def connect(self) -> AsyncClient:
        """Connects, if it has not yet; raises what `Client` raises when it is made."""
        await self._ready()
        return self

    async def close(self) -> None:
        """Final and idempotent: calls in progress and later ones raise ClosedError."""
        self._close()

    def _close(self) -> None:
        if self._generation != _life.generation():
            return
        self._closed = True
        if self._parent is None and self._link is not None:
            self._link.close()

    async def __aenter__(self) -> AsyncClient:
        return await self.connect()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    def __del__(self) -> None:
        if getattr(self, "_parent", self) is not None or self._link is None or self.is_closed:
            return
        self._close()
        warnings.warn(f"{self!r} was dropped without close()", ResourceWarning, source=self)

    def __repr__(self) -> str:
        state = "closed" if self.is_closed else "open" if self._root()._link else "not connected"
        where = f" at {self._where}" if self._where else ""
        return f"<AsyncClient of keyspace {self.keyspace!r}{where}, {state}>"

    # How calls go out and answers come back.

    def _root(self) -> AsyncClient:
        return self if self._parent is None else self._parent._root()

    def _was_closed(self) -> bool:
        return self._closed or (self._parent is not None and self._parent._was_closed())

    def _check_open(self) -> None:
        _life.check_generation(self._generation, "client")
        if self._was_closed():
            raise ClosedError("the client is closed: make another one")

    async def _ready(self) -> _AsyncLink:
        """The open native client, when this may be used here."""
        self._check_open()
        root = self._root()
        loop = asyncio.get_running_loop()
        if root._loop is None:
            root._loop = loop
        elif root._loop is not loop:
            raise RuntimeError(
                "this AsyncClient belongs to another event loop: make one for each loop"
            )
        if root._link is not None:
            return root._link
        if root._connecting is None:
            root._connecting = asyncio.ensure_future(root._connect(loop))
        # Several tasks may wait for it, and one that is cancelled leaves it to the others.
        return await asyncio.shield(root._connecting)

    async def _connect(self, loop: asyncio.AbstractEventLoop) -> _AsyncLink:
        try:
            # Looking names up and finding the members blocks.
            core = await loop.run_in_executor(None, self._open)
        finally:
            self._connecting = None
        if self._closed:
            core.close()
            raise ClosedError("the client was closed while it connected")
        self._link = _AsyncLink(core, loop)
        return self._link

    async def _call(self, link: _AsyncLink, start: Callable[[], int]) -> Raw:
        await link.slots.acquire()
        try:
            ticket = start()
        except BaseException:
            link.slots.release()
            raise
        answer = link.waiting[ticket] = link.loop.create_future()
        try:
            return await answer
        finally:
            link.waiting.pop(ticket, None)

    async def _call_all(
        self, link: _AsyncLink, starts: Sequence[Callable[[], int]], concurrency: int
    ) -> list[Raw | Error]:
        """One answer for each, in their order."""
        batch = _Batch(len(starts), checked_concurrency(concurrency))
        for place, start in enumerate(starts):
            while batch.room == 0:
                await batch.wait()
            await link.slots.acquire()
            try:
                ticket = start()
            except BaseException:
                link.slots.release()
                raise
            link.waiting[ticket] = (batch, place)
            batch.room -= 1
        while batch.left > 0:
            await batch.wait()
        return batch.answers
