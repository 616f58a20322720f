"""What clients of both kinds say in each call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from . import _core
from ._arguments import BytesLike, Quorum, level_of, seconds
from ._records import Context, Record, make_siblings
from ._resolvers import Resolver, resolve_record
from .errors import InvalidRequestError

Level = int | str | Quorum | None
Same = Literal["same"]

DEFAULT_ENDPOINT = "127.0.0.1:7480"


@dataclass(frozen=True)
class Defaults:
    """What a call says unless it is told otherwise. Zero: as the keyspace or the native client."""

    keyspace: str
    r: int = 0
    w: int = 0
    timeout: float = 0.0
    resolver: Resolver | None = None

    def read_options(self, session: int, r: Level, timeout: float | None) -> _core.CallOptions:
        options = _core.CallOptions()
        options.keyspace = self.keyspace
        options.session = session
        options.level = self.r if r is None else level_of(r, "r")
        options.timeout = self.timeout if timeout is None else seconds(timeout, "timeout")
        return options

    def write_options(
        self,
        session: int,
        w: Level,
        timeout: float | None,
        context: Context | None = None,
        ttl: float | None = None,
    ) -> _core.CallOptions:
        if context is not None and not isinstance(context, Context):
            raise TypeError(f"context must be a Context, not {type(context).__name__}")
        options = _core.CallOptions()
        options.keyspace = self.keyspace
        options.session = session
        options.level = self.w if w is None else level_of(w, "w")
        options.timeout = self.timeout if timeout is None else seconds(timeout, "timeout")
        options.context = context
        if ttl is not None:
            options.ttl = seconds(ttl, "ttl")
        return options

    def record_of(self, key: BytesLike, raw: tuple[Any, Context, str]) -> Record:
        siblings, context, coordinator = raw
        record = Record(bytes(key), make_siblings(siblings), context, coordinator)
        if self.resolver is None:
            return record
        return resolve_record(record, self.resolver)

    def changed(
        self,
        keyspace: str | None,
        r: Level,
        w: Level,
        timeout: float | None,
        resolver: Resolver | None | Same,
    ) -> Defaults:
        return Defaults(
            self.keyspace if keyspace is None else keyspace,
            self.r if r is None else level_of(r, "r"),
            self.w if w is None else level_of(w, "w"),
            self.timeout if timeout is None else seconds(timeout, "timeout"),
            self.resolver if isinstance(resolver, str) else resolver,
        )


@dataclass(frozen=True)
class Target:
    """Which cluster of other processes a client connects to, and as what. Picklable."""

    endpoints: tuple[str, ...]
    keyspace: str
    node: str
    timeout: float
    retries: int
    transport: str = "thrift"

    def choice(self) -> _core.ClientChoice:
        return _core.ClientChoice(self.keyspace, self.node, self.timeout, self.retries)

    def open(self) -> _core.Client:
        return _core.Client.connect(list(self.endpoints), self.choice(), self.transport)

    def open_async(self) -> _core.AsyncClient:
        return _core.AsyncClient.connect(list(self.endpoints), self.choice(), self.transport)

    def changed(self, keyspace: str) -> Target:
        return replace(self, keyspace=keyspace)


def make_target(
    endpoints: str | Sequence[str],
    keyspace: str,
    node: str | None,
    timeout: float,
    retries: int,
) -> Target:
    if isinstance(endpoints, str):
        endpoints = (endpoints,)
    for endpoint in endpoints:
        if not isinstance(endpoint, str):
            raise TypeError(f"an endpoint is a string 'host:port', not {endpoint!r}")
    if not endpoints:
        raise InvalidRequestError(f"name at least one endpoint, such as {DEFAULT_ENDPOINT!r}")
    return Target(
        tuple(endpoints),
        keyspace,
        "" if node is None else node,
        seconds(timeout, "timeout"),
        checked_retries(retries),
    )


def checked_retries(retries: int) -> int:
    if isinstance(retries, bool) or not isinstance(retries, int) or retries < 0:
        raise InvalidRequestError(f"retries={retries}: a whole number, not below zero")
    return retries


def checked_concurrency(concurrency: int) -> int:
    if isinstance(concurrency, bool) or not isinstance(concurrency, int) or concurrency < 1:
        raise InvalidRequestError(f"concurrency={concurrency}: a whole number above zero")
    return concurrency
