"""Ringwright: Dynamo-style replicated key-value stores out of exchangeable parts.

    import ringwright as rw

    with rw.Cluster.local(nodes=3) as cluster:
        kv = cluster.client()
        kv.put(b"cart", b"eggs")
        print(kv.get(b"cart").value)

Keys and values are bytes. Times are seconds, as floats, everywhere. Every error is a
`ringwright.Error`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from ._arguments import Quorum
from ._client import BatchResult, Client, Placement, PlacementEntry
from ._cluster import Cluster, EngineStatus, Member, Node, NodeStatus, Partition, Ring
from ._core import __version__
from ._engines import Engine, EngineStats, Op, register_engine
from ._parts import EngineSpec, engines
from ._records import NO_CONTEXT, Context, Record, Sibling
from ._resolvers import Report, Resolver, resolver_laws
from ._simulation import History, Operation, Replica, Simulation, StoredSibling, SwarmResult
from .errors import (
    AuthError,
    ClosedError,
    ConflictError,
    ConnectionError,
    CorruptionError,
    EngineBusyError,
    EngineError,
    EngineLockedError,
    Error,
    InvalidRequestError,
    NoSpaceError,
    OverloadedError,
    TimeoutError,
    UnavailableError,
    VersionMismatchError,
)

if TYPE_CHECKING:
    from ._async_client import AsyncClient

__all__ = [
    "NO_CONTEXT",
    "AsyncClient",
    "AuthError",
    "BatchResult",
    "Client",
    "ClosedError",
    "Cluster",
    "ConflictError",
    "ConnectionError",
    "Context",
    "CorruptionError",
    "Engine",
    "EngineBusyError",
    "EngineError",
    "EngineLockedError",
    "EngineSpec",
    "EngineStats",
    "EngineStatus",
    "Error",
    "History",
    "InvalidRequestError",
    "Member",
    "NoSpaceError",
    "Node",
    "NodeStatus",
    "Op",
    "Operation",
    "OverloadedError",
    "Partition",
    "Placement",
    "PlacementEntry",
    "Quorum",
    "Record",
    "Replica",
    "Report",
    "Resolver",
    "Ring",
    "Sibling",
    "Simulation",
    "StoredSibling",
    "SwarmResult",
    "TimeoutError",
    "UnavailableError",
    "VersionMismatchError",
    "__version__",
    "engines",
    "register_engine",
    "resolver_laws",
]


def __getattr__(name: str) -> Any:
    """`AsyncClient` is imported when it is asked for, as asyncio is no light import."""
    if name == "AsyncClient":
        return importlib.import_module("._async_client", __name__).AsyncClient
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
