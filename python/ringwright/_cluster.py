"""A cluster of nodes in this process."""

from __future__ import annotations

import html
import importlib
import os
import threading
import time
import uuid
import warnings
import weakref
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Any, Literal, Protocol

from . import _core, _life
from ._arguments import BytesLike, Quorum, level_of, seconds
from ._calls import Defaults, checked_retries
from ._client import Client, Placement, PlacementEntry, _Link, placement_of
from ._configuration import Config, Engine, make_node_settings, make_settings, value_of
from ._parts import EngineSpec
from ._processes import ProcessCluster
from ._resolvers import Resolver
from .errors import ClosedError, InvalidRequestError, TimeoutError

if TYPE_CHECKING:
    from ._async_client import AsyncClient

__all__ = ["Cluster", "EngineStatus", "Member", "Node", "NodeStatus", "Partition", "Ring"]

POLL_S = 0.01

# The open clusters of this process, by name: what a cell of a notebook made when it ran before.
_by_name: weakref.WeakValueDictionary[str, Cluster] = weakref.WeakValueDictionary()
_by_name_lock = threading.Lock()


class Backend(Protocol):
    """What runs the nodes: threads of this process (`_core.Cluster`), or processes."""

    def client(self, choice: _core.ClientChoice) -> _core.Client: ...
    def async_client(self, choice: _core.ClientChoice) -> _core.AsyncClient: ...
    def status(self) -> list[dict[str, Any]]: ...
    def node_status(self, node: str) -> dict[str, Any]: ...
    def node_metrics(self, node: str) -> dict[str, float]: ...
    def ring(self) -> dict[str, Any]: ...
    def place(self, keyspace: str, key: BytesLike) -> tuple[int, int, list[dict[str, Any]]]: ...
    def keyspaces(self) -> list[dict[str, Any]]: ...
    def directory(self) -> str: ...
    def stop(self, node: str) -> None: ...
    def kill(self, node: str) -> None: ...
    def restart(self, node: str) -> None: ...
    def pause(self, node: str) -> None: ...
    def resume(self, node: str) -> None: ...
    def change_engine(
        self, node: str, keyspace: str, paused: bool | None, faults: Mapping[str, str]
    ) -> None: ...
    def partition(self, groups: Sequence[Sequence[str]]) -> None: ...
    def cut(self, source: str, target: str) -> None: ...
    def delay(self, source: str, target: str, delay: float) -> None: ...
    def heal(self) -> None: ...
    def close(self) -> None: ...
    def is_closed(self) -> bool: ...


@dataclass(frozen=True)
class EngineStatus:
    """One storage engine of a node.

    Attributes:
        keyspace: whose rows it holds; "system" for the node's own.
        engine: its name with the decorators around it.
        durability: "none", "os" or "disk".
        approximate_keys: about how many rows it holds.
        disk_bytes: what it occupies on disk.
        memory_bytes: what it occupies in memory.
        pressure: 0 at ease, 1: the next write may stall.
        damaged: ranges of keys, from the first key up to but without the second, where it found
            damage since it was opened. Keys are the engine's own: a byte for what kind of row it
            is, eight for the token, and the user's key.
    """

    keyspace: str
    engine: str
    durability: str
    approximate_keys: int
    disk_bytes: int
    memory_bytes: int
    pressure: float
    damaged: tuple[tuple[bytes, bytes], ...] = ()


@dataclass(frozen=True)
class NodeStatus:
    """What a node says of itself.

    Attributes:
        name: "node1" and so on.
        id: who it is, for ever.
        condition: "up", "paused", "stopped", "killed", or "failed" to start.
        failure: why it is "failed".
        shards: its data-path threads.
        directory: where its data lie.
        members: "alive" or "suspect" for each node, as this one sees it; empty unless it runs.
        counters: what it counted since its start, by metric name.
        engines: empty unless it runs.
        may_hold_fallback_rows: it may still have copies to deliver to other nodes.
    """

    name: str
    id: uuid.UUID
    condition: str
    failure: str
    shards: int
    directory: Path
    members: Mapping[str, str]
    counters: Mapping[str, int]
    engines: tuple[EngineStatus, ...]
    may_hold_fallback_rows: bool


@dataclass(frozen=True)
class Member:
    """One node as the ring knows it."""

    name: str
    id: uuid.UUID
    rack: str
    data_centre: str
    weight: int


@dataclass(frozen=True)
class Ring:
    """Who owns which part of the ring; a value.

    Attributes:
        epoch: grows with every change of the ring.
        hash: 16 hex digits; rings of equal hash place alike.
        members: the nodes.
        owners: the first owner of each partition, by name.
    """

    epoch: int
    hash: str
    members: tuple[Member, ...]
    owners: tuple[str, ...]
    _where: Callable[[BytesLike, str], Placement] = field(repr=False, compare=False)

    @property
    def partitions(self) -> int:
        """How many equal parts the ring has."""
        return len(self.owners)

    def ownership(self) -> dict[str, int]:
        """How many partitions each member owns first."""
        owned = Counter(self.owners)
        return {member.name: owned[member.name] for member in self.members}

    def preference_list(
        self, key: BytesLike, keyspace: str = "default"
    ) -> tuple[PlacementEntry, ...]:
        """The nodes that keep the key now: owners, and stand-ins for those that do not run."""
        return self._where(key, keyspace).nodes

    def rows(self) -> list[dict[str, Any]]:
        """One plain row for each partition: {"partition", "first_token", "owner"}."""
        width = 2**64 / self.partitions
        return [
            {"partition": number, "first_token": -int(-number * width // 1), "owner": owner}
            for number, owner in enumerate(self.owners)
        ]

    def to_pandas(self) -> Any:
        """`rows` as a DataFrame; needs pandas."""
        return importlib.import_module("pandas").DataFrame(self.rows())

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{html.escape(name)}</td><td>{count}</td></tr>"
            for name, count in self.ownership().items()
        )
        return (
            f"<table><caption>ring, epoch {self.epoch}, {self.partitions} partitions</caption>"
            f"<tr><th>node</th><th>partitions owned first</th></tr>{rows}</table>"
        )


class Node:
    """One node: of a cluster, which starts and stops it, or one that `Node.open` opened.

    Attributes:
        name: "node1" and so on.
        id: who it is, for ever.
        address: where its network finds it.
    """

    _cluster: weakref.ref[Cluster] | None
    _native: _core.Node | None
    _admin: str
    _generation: int
    name: str
    id: uuid.UUID
    address: str

    def __init__(self, *_: object, **__: object) -> None:
        raise TypeError("a node is opened by Node.open(...), or found in cluster.nodes")

    @classmethod
    def open(
        cls,
        path: str | Path,
        *,
        config: Config | None = None,
        engine: str | EngineSpec | None = None,
    ) -> Node:
        """Opens a node in this process, as the program ringwrightd would: with ports of its own.

        It serves when this returns, until `close`. A context manager.

        Args:
            path: where its data lie.
            config: who it and its cluster are, as the file of ringwrightd says it: TOML text, a
                Path to a TOML file, or a mapping, nested or with dotted names. By default it is a
                cluster of itself alone on ports 7480 to 7482 of this machine.
            engine: of the keyspace "default".

        Raises:
            InvalidRequestError: the settings do not fit together, or name something unknown.
            UnavailableError: another process has one of the ports.
            EngineLockedError: somebody else has the directory.
            VersionMismatchError: the directory was written by another engine, node or cluster.
        """
        settings = make_node_settings(config, engine, {"node.data_dir": Path(path).absolute()})
        return cls._opened(_core.Node.open(settings, False))

    @classmethod
    def _opened(cls, native: _core.Node) -> Node:
        self = object.__new__(cls)
        self._cluster = None
        self._native = native
        addresses = native.addresses()
        self._admin = addresses["admin"]
        self.name = native.name()
        self.id = uuid.UUID(native.id())
        self.address = addresses["client"]
        self._generation = _life.generation()
        _life.close_at_exit(self)
        return self

    @classmethod
    def _of(cls, cluster: Cluster, status: Mapping[str, Any]) -> Node:
        self = object.__new__(cls)
        self._cluster = weakref.ref(cluster)
        self._native = None
        self._admin = ""
        self.name = status["name"]
        self.id = uuid.UUID(status["id"])
        self.address = status["address"]
        return self

    @property
    def pid(self) -> int | None:
        """The process that it runs in; None when that has ended."""
        processes = None if self._native is not None else self._owner()._processes
        return os.getpid() if processes is None else processes.pid(self.name)

    @property
    def admin_address(self) -> str:
        """Where metrics and health are shown over HTTP; empty: nowhere."""
        processes = None if self._native is not None else self._owner()._processes
        return self._admin if processes is None else processes.admin_address(self.name)

    @property
    def is_up(self) -> bool:
        """It runs and is not paused."""
        return self.status().condition == "up"

    def status(self) -> NodeStatus:
        """What it says of itself now; of a paused node the last it said."""
        if self._native is not None:
            _life.check_generation(self._generation, "node")
            return _status_of(self._native.status())
        return _status_of(self._owner()._checked().node_status(self.name))

    def metrics(self) -> dict[str, float]:
        """What it counts and measures, by Prometheus name and labels; see docs/configuration.md."""
        if self._native is not None:
            _life.check_generation(self._generation, "node")
            return self._native.metrics()
        return self._owner()._checked().node_metrics(self.name)

    def drain(self) -> None:
        """Finishes or refuses what is in flight and flushes; the admin port goes on answering."""
        self._own("drain").drain()

    def close(self) -> None:
        """Drains, and gives the ports and the directory back. Final and idempotent."""
        native = self._own("close")
        if self._generation == _life.generation():
            native.stop()

    def __enter__(self) -> Node:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __del__(self) -> None:
        native = getattr(self, "_native", None)
        if native is None or self._generation != _life.generation():
            return
        if native.state() != "stopped":
            native.stop()
            warnings.warn(f"{self!r} was dropped without close()", ResourceWarning, source=self)

    def __repr__(self) -> str:
        return f"<Node {self.name} {self.id}>"

    def _own(self, what: str) -> _core.Node:
        if self._native is None:
            raise TypeError(f"a node of a cluster has no {what}(): use the cluster's stop() or kill()")
        return self._native

    def _owner(self) -> Cluster:
        cluster = None if self._cluster is None else self._cluster()
        if cluster is None:
            raise ClosedError("the cluster is gone")
        return cluster


class Partition:
    """A cut network; leaving its `with` block mends it and waits until the nodes notice."""

    def __init__(self, cluster: Cluster, groups: list[list[str]]) -> None:
        self._cluster = cluster
        self.groups = groups

    def end(self, timeout: float = 5.0) -> None:
        """Mends it and waits, at most `timeout` seconds, until all running nodes see each other."""
        self._cluster._end_partition(self)
        self._cluster.wait_connected(timeout)

    def separates(self, one: str, other: str) -> bool:
        """The two nodes are on different sides."""
        sides = [[name in group for group in self.groups] for name in (one, other)]
        return any(sides[0]) and any(sides[1]) and sides[0] != sides[1]

    def __enter__(self) -> Partition:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._cluster.is_closed:
            return
        if kind is None:
            self.end()
        else:
            self._cluster._end_partition(self)


class Cluster:
    """A cluster of nodes node1 to nodeN. A context manager; thread-safe.

    Made by `Cluster.local`. `close` is final and idempotent: it closes the clients, stops the nodes
    and removes a temporary directory.
    """

    _native: Backend
    _processes: ProcessCluster | None
    _name: str
    _data_dir: str
    _resolver: Resolver | None

    def __init__(self, *_: object, **__: object) -> None:
        raise TypeError("a cluster is made by Cluster.local(...)")

    @classmethod
    def local(
        cls,
        nodes: int | None = None,
        *,
        engine: Engine | None = None,
        n: int | None = None,
        r: int | None = None,
        w: int | None = None,
        resolver: str | Resolver | None = None,
        name: str = "default",
        dir: str | Path | None = None,
        transport: str | None = None,
        processes: bool = False,
        durability: str | None = None,
        shards: int | None = None,
        fan_out: str | None = None,
        sloppy: bool | None = None,
        ttl: float | None = None,
        value_bytes_max: int | None = None,
        record_bytes_max: int | None = None,
        siblings_max: int | None = None,
        timeout: float | None = None,
        config: Config | None = None,
    ) -> Cluster:
        """Starts a cluster in this process: threads, engines, and an in-process network.

        With `processes` each node is a process ringwrightd of its own, on ports of this machine that
        the system chooses. `kill`, `pause` and `resume` are then signals. They end with this process
        in whatever way it ends.

        What is None here comes from variables RINGWRIGHT_SECTION__KEY, else from `config`, else it
        is built in; the built-in values are given below. The arguments from `engine` on, as far as
        they concern keys, are of the keyspace "default"; `config` may name others.

        Args:
            nodes: how many (3).
            engine: a storage engine by name ("memory"), see `engines`; or one with options; or one
                for each node: {"node1": "rocksdb", "node2": "memory"}, where a node that is not
                named has what `config` says.
            n: copies of each key (3, or as many as there are nodes).
            r: replicas that a get needs (a majority of n).
            w: replicas that a put needs (a majority of n).
            resolver: "vector_clock" keeps concurrent values as siblings, "lww" only the last; a
                `Resolver` keeps siblings and reduces them in the clients ("vector_clock").
            name: of the cluster; kept in its directories.
            dir: where data lie, one folder for each node; None: a temporary directory, removed at
                close.
            transport: how messages travel: "loopback", within this process, or "thrift", over
                sockets ("loopback", and "thrift" between processes).
            processes: each node is a process of its own; its log is in its folder.
            durability: what an acknowledged write survives: "none"; "os": the death of the process;
                "disk": a loss of power ("os").
            shards: data-path threads of each node (1).
            fan_out: replicas that a get asks: "quorum" or "all" ("all").
            sloppy: stand-ins count while owners cannot be reached (True).
            ttl: seconds that a value lives (for ever).
            value_bytes_max: the largest value of a put (1 MiB).
            record_bytes_max: the largest record after a put (7616 KiB).
            siblings_max: the most siblings after a put (100).
            timeout: seconds; the deadline of the clients' requests (1.0).
            config: TOML text, a Path to a TOML file, or a mapping, nested or with dotted names.

        An open cluster of this process with the same name, and the same directory or a temporary
        one like this, is closed first, with a ResourceWarning: running a notebook's cell again
        works.

        Raises:
            InvalidRequestError: the settings do not fit together, or name something unknown.
            EngineLockedError: somebody else has the directory.
            VersionMismatchError: the directory was written by another engine or cluster.
        """
        keyspace = {
            "n": n,
            "r": r,
            "w": w,
            "resolver": "vector_clock" if isinstance(resolver, Resolver) else resolver,
            "durability": durability,
            "fan_out": fan_out,
            "sloppy": sloppy,
            "ttl": None if ttl is None else _duration(ttl, "ttl"),
            "value_bytes_max": value_bytes_max,
            "record_bytes_max": record_bytes_max,
            "siblings_max": siblings_max,
        }
        others = {
            "cluster.nodes": nodes,
            "node.data_dir": None if dir is None else Path(dir).absolute(),
            "node.shards": shards,
            "transport.kind": transport,
            "client.timeout": None if timeout is None else _duration(timeout, "timeout"),
        }
        if processes and transport == "loopback":
            raise InvalidRequestError(
                "transport='loopback' stays within one process: leave it out, or write 'thrift'"
            )
        settings = make_settings(config, name, engine, keyspace, others)
        name = value_of(settings, "cluster.name")
        data_dir = value_of(settings, "node.data_dir")
        with _by_name_lock:
            _close_old(name, data_dir)
            self = object.__new__(cls)
            self._name = name
            self._data_dir = data_dir
            self._resolver = resolver if isinstance(resolver, Resolver) else None
            self._start(settings, processes)
            _by_name[name] = self
        return self

    def _start(self, settings: _core.Settings, processes: bool) -> None:
        self._generation = _life.generation()
        self._links_lock = threading.Lock()  # guards the two below
        self._partitions: list[Partition] = []
        self._cuts: set[tuple[str, str]] = set()
        self._processes = ProcessCluster(settings, self._name) if processes else None
        self._native: Backend = self._processes or _core.Cluster.local(settings)
        _life.close_at_exit(self)
        self._nodes = MappingProxyType(
            {status["name"]: Node._of(self, status) for status in self._native.status()}
        )

    # Parts.

    def client(
        self,
        *,
        keyspace: str = "default",
        node: str | Node | None = None,
        r: int | str | Quorum | None = None,
        w: int | str | Quorum | None = None,
        timeout: float | None = None,
        retries: int | None = None,
        resolver: Resolver | None | Literal["cluster"] = "cluster",
    ) -> Client:
        """A client of its own, with its own remembered contexts.

        Args:
            keyspace: whose keys it reads and writes.
            node: only this one is asked; None: the replicas of each key.
            r, w: replicas that its gets and puts need (the keyspace's).
            timeout: seconds; the deadline of its requests (the cluster's).
            retries: further replicas that it tries (2).
            resolver: reduces siblings; None: shows them; by default the cluster's.
        """
        choice, defaults = self._choice(keyspace, node, r, w, timeout, retries, resolver)
        core = self._checked().client(choice)
        target = None if self._processes is None else self._processes.target(choice)
        return Client._make(_Link(core, target), defaults, self)

    def async_client(
        self,
        keyspace: str = "default",
        *,
        node: str | Node | None = None,
        r: int | str | Quorum | None = None,
        w: int | str | Quorum | None = None,
        timeout: float | None = None,
        retries: int | None = None,
        resolver: Resolver | None | Literal["cluster"] = "cluster",
    ) -> AsyncClient:
        """As `client`, for asyncio; it connects at its first use, within an event loop."""
        choice, defaults = self._choice(keyspace, node, r, w, timeout, retries, resolver)
        self._check_keyspace(keyspace)
        from ._async_client import AsyncClient  # asyncio is no light import

        return AsyncClient._make(lambda: self._checked().async_client(choice), defaults, "")

    def _choice(
        self,
        keyspace: str,
        node: str | Node | None,
        r: int | str | Quorum | None,
        w: int | str | Quorum | None,
        timeout: float | None,
        retries: int | None,
        resolver: Resolver | None | Literal["cluster"],
    ) -> tuple[_core.ClientChoice, Defaults]:
        choice = _core.ClientChoice(
            keyspace,
            "" if node is None else _name_of(node),
            None if timeout is None else seconds(timeout, "timeout"),
            None if retries is None else checked_retries(retries),
        )
        reducer = self._resolver if isinstance(resolver, str) else resolver
        return choice, Defaults(keyspace, level_of(r, "r"), level_of(w, "w"), 0.0, reducer)

    @property
    def name(self) -> str:
        """The cluster's name."""
        return self._name

    @property
    def nodes(self) -> Mapping[str, Node]:
        """All nodes by name, running or not."""
        return self._nodes

    @property
    def directory(self) -> Path:
        """Where the nodes' folders are."""
        return Path(self._native.directory())

    def ring(self) -> Ring:
        """Who owns what."""
        raw = self._checked().ring()
        members = tuple(
            Member(m["name"], uuid.UUID(m["id"]), m["rack"], m["data_centre"], m["weight"])
            for m in raw["members"]
        )
        where = weakref.WeakMethod(self.where)

        def find(key: BytesLike, keyspace: str) -> Placement:
            method = where()
            if method is None:
                raise ClosedError("the cluster is gone")
            return method(key, keyspace=keyspace)

        return Ring(raw["epoch"], f"{raw['hash']:016x}", members, tuple(raw["owners"]), find)

    def where(self, key: BytesLike, *, keyspace: str = "default") -> Placement:
        """Where a key lives, and which of those nodes run."""
        return placement_of(key, self._checked().place(keyspace, key))

    def keyspaces(self) -> list[dict[str, Any]]:
        """The keyspaces with their settings, as plain rows; `ttl` in seconds, 0 for ever."""
        return self._checked().keyspaces()

    def status(self) -> list[NodeStatus]:
        """What every node says of itself."""
        return [_status_of(status) for status in self._checked().status()]

    # Lives of nodes. Each takes a name or a Node; an unknown name raises InvalidRequestError.

    def stop(self, node: str | Node) -> None:
        """Ends a node cleanly: what is in flight is finished, its engines are flushed."""
        self._checked().stop(_name_of(node))

    def kill(self, node: str | Node) -> None:
        """Ends a node as a process dies; what its durability promised survives."""
        self._checked().kill(_name_of(node))

    def restart(self, node: str | Node, *, timeout: float = 5.0) -> None:
        """Starts a stopped or killed node on what its directory holds.

        Waits, at most `timeout` seconds, until all running nodes see each other; 0: does not wait.
        """
        self._checked().restart(_name_of(node))
        self.wait_connected(timeout)

    def pause(self, node: str | Node) -> None:
        """The node stands still, and messages for it pile up."""
        self._checked().pause(_name_of(node))

    def resume(self, node: str | Node, *, timeout: float = 5.0) -> None:
        """The node goes on; waits as `restart` does."""
        self._checked().resume(_name_of(node))
        self.wait_connected(timeout)

    # Engines of nodes, until the node is restarted. Each needs a decorator in the engine's name.

    def pause_engine(self, node: str | Node, *, keyspace: str = "default") -> None:
        """A node's engine stands still: its calls wait, at most for `pausable.deadline` each.

        The node itself goes on. The engine is one with the decorator `pausable`, as in
        engine="pausable(memory)".

        Raises:
            InvalidRequestError: it is not, or the node does not run.
        """
        self._checked().change_engine(_name_of(node), keyspace, True, {})

    def resume_engine(self, node: str | Node, *, keyspace: str = "default") -> None:
        """The engine goes on, and so do the calls that wait."""
        self._checked().change_engine(_name_of(node), keyspace, False, {})

    def set_engine_faults(
        self,
        node: str | Node,
        faults: Mapping[str, float | str],
        *,
        keyspace: str = "default",
    ) -> None:
        """Makes a node's engine fail, one with the decorator `faulty`: engine="faulty(memory)".

        Args:
            node: whose engine.
            faults: by kind, as the options of `faulty`: {"read_fails": 0.01} is a probability, 0
                ends it, {"sync_fails": "next:2"} are the next two; {"space": "1MiB"} is how much
                may still be written, "unlimited" ends that. What is not named stays as it is.
            keyspace: whose rows it holds.

        Raises:
            InvalidRequestError: it is not such an engine, the node does not run, or there is no
                such fault; then nothing has changed.
        """
        named = {kind: str(value) for kind, value in faults.items()}
        self._checked().change_engine(_name_of(node), keyspace, None, named)

    # Links between nodes. Clients always reach every node.

    def partition(self, *groups: Iterable[str | Node]) -> Partition:
        """Cuts all links between nodes of different groups, both ways, at once.

        Nodes in no group keep all their links. The partition replaces an earlier one while it
        lasts: until its `with` block ends, or `heal`.
        """
        named = [_names_of(group) for group in groups]
        made = Partition(self, named)
        with self._links_lock:
            self._checked().partition(named)
            self._partitions.append(made)
        return made

    def cut(self, source: str | Node, target: str | Node) -> None:
        """What `source` sends to `target` is lost, in silence, until `heal`."""
        with self._links_lock:
            self._checked().cut(_name_of(source), _name_of(target))
            self._cuts.add((_name_of(source), _name_of(target)))

    def delay(self, source: str | Node, target: str | Node, seconds: float) -> None:
        """What `source` sends to `target` comes `seconds` later, until `heal`."""
        self._checked().delay(_name_of(source), _name_of(target), float(seconds))

    def heal(self, *, timeout: float = 5.0) -> None:
        """Mends every cut, delay and partition; waits as `restart` does."""
        with self._links_lock:
            self._checked().heal()
            self._partitions.clear()
            self._cuts.clear()
        self.wait_connected(timeout)

    def _end_partition(self, partition: Partition) -> None:
        with self._links_lock:
            if partition not in self._partitions:
                return
            self._partitions.remove(partition)
            self._checked().partition(self._partitions[-1].groups if self._partitions else [])

    def wait_connected(self, timeout: float = 5.0) -> None:
        """Waits until every running node sees alive every other whose messages can reach it.

        Args:
            timeout: seconds; 0: does not wait at all.

        Raises:
            TimeoutError: it did not come to that; the message says who does not see whom.
        """
        until = time.monotonic() + timeout
        while timeout > 0:
            blind = self._unseen()
            if not blind:
                return
            if time.monotonic() >= until:
                shown = ", ".join(f"{one} does not see {other}" for one, other in blind)
                raise TimeoutError(f"after {timeout:g} s {shown}")
            time.sleep(POLL_S)

    def _unseen(self) -> list[tuple[str, str]]:
        """(a, b) for each running node a that does not see the running node b alive but could."""
        up = {
            status["name"]: status["members"]
            for status in self._checked().status()
            if status["condition"] == "up"
        }
        with self._links_lock:
            cuts = set(self._cuts)
            partition = self._partitions[-1] if self._partitions else None
        return [
            (one, other)
            for one, members in up.items()
            for other in up
            if one != other
            and members.get(other) != "alive"
            and (other, one) not in cuts
            and not (partition and partition.separates(one, other))
        ]

    # The end.

    @property
    def is_closed(self) -> bool:
        """Nothing can be asked of it any more."""
        return self._generation != _life.generation() or self._native.is_closed()

    def close(self) -> None:
        """Final and idempotent; its clients are closed with it. In a forked child: nothing."""
        if self._generation == _life.generation():
            self._native.close()

    def __enter__(self) -> Cluster:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __del__(self) -> None:
        if not hasattr(self, "_nodes") or self.is_closed:
            return
        self.close()
        warnings.warn(f"{self!r} was dropped without close()", ResourceWarning, source=self)

    def __repr__(self) -> str:
        state = "closed" if self.is_closed else f"{len(self._nodes)} nodes"
        return f"<Cluster {self._name!r}, {state}>"

    def _repr_html_(self) -> str:
        if self.is_closed:
            return f"<p>{html.escape(repr(self))}</p>"
        rows = "".join(
            f"<tr><td>{status.name}</td><td>{status.condition}</td>"
            f"<td>{html.escape(', '.join(e.engine for e in status.engines[:1]))}</td>"
            f"<td>{html.escape(str(status.directory))}</td></tr>"
            for status in self.status()
        )
        return (
            f"<table><caption>cluster {html.escape(self._name)}</caption>"
            f"<tr><th>node</th><th>condition</th><th>engine</th><th>directory</th></tr>{rows}"
            "</table>"
        )

    def _checked(self) -> Backend:
        """The core, when it may be used."""
        _life.check_generation(self._generation, "cluster")
        if self._native.is_closed():
            raise ClosedError("the cluster is closed: make another one with Cluster.local()")
        return self._native

    def _check_keyspace(self, keyspace: str) -> None:
        self._checked().place(keyspace, b"")


def _close_old(name: str, data_dir: str) -> None:
    """Closes the open cluster that one of this name and directory replaces, if there is one."""
    old = _by_name.get(name)
    if old is None or old.is_closed or old._data_dir != data_dir:
        return
    old.close()
    warnings.warn(
        f"the open cluster {name!r} was closed, to make another of that name",
        ResourceWarning,
        stacklevel=3,
    )


def _engine_status_of(raw: Mapping[str, Any]) -> EngineStatus:
    own = {known.name: raw[known.name] for known in fields(EngineStatus)}
    return EngineStatus(**{**own, "damaged": tuple(map(tuple, raw["damaged"]))})


def _status_of(raw: Mapping[str, Any]) -> NodeStatus:
    return NodeStatus(
        name=raw["name"],
        id=uuid.UUID(raw["id"]),
        condition=raw["condition"],
        failure=raw["failure"],
        shards=raw["shards"],
        directory=Path(raw["directory"]),
        members=raw["members"],
        counters=raw["counters"],
        engines=tuple(_engine_status_of(engine) for engine in raw["engines"]),
        may_hold_fallback_rows=raw["may_hold_fallback_rows"],
    )


def _name_of(node: str | Node) -> str:
    return node.name if isinstance(node, Node) else node


def _names_of(group: Iterable[str | Node]) -> list[str]:
    if isinstance(group, str):
        raise TypeError(f"a group is a list of nodes: write [{group!r}]")
    return [_name_of(node) for node in group]


def _duration(value: float, what: str) -> str:
    return f"{round(seconds(value, what) * 1e6)}us"

