"""A whole cluster in one thread and in virtual time."""

from __future__ import annotations

import importlib
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Literal, overload

from . import _core
from ._arguments import BytesLike, Quorum, level_of, nearest, seconds
from ._records import Context, Record, make_siblings
from ._resolvers import Resolver, resolve_record
from .errors import Error, InvalidRequestError

__all__ = [
    "History",
    "Operation",
    "Replica",
    "SimulatedPartition",
    "Simulation",
    "StoredSibling",
    "SwarmResult",
]


class History(Sequence[dict[str, Any]]):
    """Operations as their clients saw them, one plain row each, in the order they began.

    Keys of a row: id, client, session, key (bytes), kind ("get", "put", "del"), value (bytes),
    ctx_in and ctx_out (Context or None), dots (names of the events acknowledged), read (the values
    read), r, w (as asked; 0: the default), n, invoke_t and return_t (seconds of virtual time;
    return_t is None while it runs), type ("ok", "fail": certainly no effect, "info": perhaps one),
    code, coord (the node that the last try went to).
    """

    def __init__(self, core: _core.History) -> None:
        self._native = core
        self._rows: list[dict[str, Any]] | None = None

    @classmethod
    def from_json_lines(cls, text: str) -> History:
        """The history that `to_json_lines` wrote; InvalidRequestError names a line that is
        wrong."""
        return cls(_core.History.from_json_lines(text))

    def to_json_lines(self) -> str:
        """One JSON object a line; instants in nanoseconds, bytes that are no text in hex."""
        return self._native.to_json_lines()

    def to_pandas(self) -> Any:
        """The rows as a DataFrame; needs pandas."""
        return importlib.import_module("pandas").DataFrame(list(self))

    def _all(self) -> list[dict[str, Any]]:
        if self._rows is None:
            self._rows = self._native.operations()
        return self._rows

    def __len__(self) -> int:
        return len(self._native)

    @overload
    def __getitem__(self, index: int) -> dict[str, Any]: ...
    @overload
    def __getitem__(self, index: slice) -> list[dict[str, Any]]: ...
    def __getitem__(self, index: int | slice) -> dict[str, Any] | list[dict[str, Any]]:
        return self._all()[index]

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self._all())

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, History):
            return NotImplemented
        return self.to_json_lines() == other.to_json_lines()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<History of {len(self)} operations>"


@dataclass(frozen=True)
class StoredSibling:
    """One sibling as a replica stores it, deletions included.

    Attributes:
        value: empty for a tombstone.
        dot: the name of the event that made it.
        timestamp: of its put, in seconds.
        origin: the UUID of the node that coordinated it.
        tombstone: it says "removed".
        expires: the second from which on it is a tombstone; None: never.
    """

    value: bytes
    dot: str
    timestamp: float
    origin: str
    tombstone: bool
    expires: float | None


@dataclass(frozen=True)
class Replica:
    """What one node has stored of a key.

    Attributes:
        mark: the actor under which this node may go on for this key; None: it takes a new one.
        damaged: how many pieces of the row could not be decoded.
        vector: the highest counter seen of each actor.
        siblings: all that is stored, deletions included.
        encoded: the row's bytes.
    """

    mark: str | None
    damaged: int
    vector: Mapping[str, int]
    siblings: tuple[StoredSibling, ...]
    encoded: bytes


@dataclass(frozen=True)
class SwarmResult:
    """What came of one random run.

    Attributes:
        seed: that decided it.
        digest: of the whole run, 16 hex digits; equal for equal seeds and limits.
        parameters: what was drawn before it began, in the order drawn.
        history: what its clients saw.
        violations: one sentence for each broken promise; empty when all is well.
        counters: what happened how often.
    """

    seed: int
    digest: str
    parameters: dict[str, str]
    history: History
    violations: list[str]
    counters: dict[str, int]

    @property
    def ok(self) -> bool:
        """No promise was broken."""
        return not self.violations


class Operation:
    """One operation of a simulated client; it goes on while time passes.

    Attributes:
        id: its id in the history.
        kind: "get", "put" or "del".
        key: the key.
    """

    def __init__(self, simulation: Simulation, number: int, kind: str, key: BytesLike) -> None:
        self._simulation = simulation
        self.id = number
        self.kind = kind
        self.key = bytes(key)

    @property
    def done(self) -> bool:
        """Its client knows what became of it, or has given up."""
        return bool(self._raw()["done"])

    @property
    def outcome(self) -> str:
        """ "ok", "failed" (certainly no effect) or "unknown", which it is until it is done."""
        return str(self._raw()["outcome"])

    @property
    def tries(self) -> int:
        """How many nodes were asked so far."""
        return int(self._raw()["tries"])

    def record(self) -> Record:
        """Of a get that is done: what it read, without siblings when the key is absent.

        Raises what went wrong, as `Client.get` does; InvalidRequestError when it is not done.
        """
        raw = self._finished()
        if self.kind != "get":
            raise InvalidRequestError(f"a {self.kind} has a context(), no record()")
        record = Record(self.key, make_siblings(raw["siblings"]), raw["context"])
        resolver = self._simulation._resolver
        return record if resolver is None else resolve_record(record, resolver)

    def context(self) -> Context:
        """Of an operation that is done: what it has seen or made; raises as `record` does."""
        context = self._finished()["context"]
        assert isinstance(context, Context)
        return context

    def _raw(self) -> dict[str, Any]:
        return self._simulation._native.result(self.id)

    def _finished(self) -> dict[str, Any]:
        raw = self._raw()
        if not raw["done"]:
            raise InvalidRequestError(f"the {self.kind} is not done: let time pass, with run()")
        if isinstance(raw["error"], Error):
            raise raw["error"]
        return raw

    def __repr__(self) -> str:
        return f"<Operation {self.id}: {self.kind} of {self.key!r}, {self.outcome}>"


class SimulatedPartition:
    """A cut network; leaving its `with` block mends the links between its groups."""

    def __init__(self, simulation: Simulation, groups: list[list[int]]) -> None:
        self._simulation = simulation
        self._groups = groups

    def end(self) -> None:
        """Mends the links between the groups."""
        core = self._simulation._native
        for group in self._groups:
            for other in self._groups:
                if group is not other:
                    for source in group:
                        for target in other:
                            core.mend(source, target)

    def __enter__(self) -> SimulatedPartition:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.end()


class _Action:
    """A scripted action, as the core keeps it: it keeps neither the simulation nor the function."""

    def __init__(self, simulation: Simulation, number: int) -> None:
        self._simulation = weakref.ref(simulation)
        self._number = number

    def __call__(self) -> None:
        simulation = self._simulation()
        if simulation is not None:
            simulation._actions.pop(self._number)()


# Options beyond the named arguments: where each lives in the core's options, and of which type it
# is.
_OPTIONS: dict[str, tuple[str, type]] = {
    "shards": ("shards", int),
    "clients": ("clients", int),
    "partitions": ("partitions", int),
    "sloppy": ("sloppy", bool),
    "native_merge": ("native_merge", bool),
    "inline_engine": ("inline_engine", bool),
    "failed_sync_drops_pages": ("failed_sync_drops_pages", bool),
    "value_bytes_max": ("value_bytes_max", int),
    "record_bytes_max": ("record_bytes_max", int),
    "siblings_max": ("siblings_max", int),
    "ping_interval": ("ping_interval", float),
    "suspect_after": ("suspect_after", float),
    "clock_skew_max": ("clock_skew_max", float),
    "clock_drift_ppm_max": ("clock_drift_ppm_max", float),
    "loss": ("network.loss", float),
    "duplication": ("network.duplication", float),
    "replay": ("network.replay", float),
    "replay_after_max": ("network.replay_after_max", float),
    "refusal": ("network.refusal", float),
    "tail": ("network.tail", float),
    "tail_max": ("network.tail_max", float),
    "delay_min": ("network.delay_min", float),
    "delay_mean": ("network.delay_mean", float),
    "true_bytes": ("network.true_bytes", bool),
    "engine_read_max": ("engine_times.read_max", float),
    "engine_write_max": ("engine_times.write_max", float),
    "engine_sync_max": ("engine_times.sync_max", float),
}
_SHARES = ("loss", "duplication", "replay", "refusal", "tail")
_MOST = {"shards": 256, "clients": 10_000, "partitions": 65_536}
_NOT_ZERO = ("shards", "clients", "partitions", "ping_interval", "suspect_after", "siblings_max")


class Simulation:
    """The machines of a real cluster, in one thread and in virtual time.

    All instants and spans are seconds, as floats; the world begins at 0. Everything that is not
    scripted is drawn from the seed, so that equal calls give equal runs and an equal `digest`. Time
    passes only within `run`, `run_for`, `run_until_done`, `get`, `put` and `delete`, and at first
    `start_up` seconds of it, in which the nodes get ready: one that has just started refuses puts
    for some milliseconds, with UnavailableError.

    Nodes are named node1 to nodeN, or by their index from 0; a clone is clone1 and so on. A
    simulation is used by one thread at a time.

    Args:
        seed: 0 to 2**64 - 1.
        nodes: how many.
        n, r, w: as in `Cluster.local`.
        resolver: "vector_clock", "lww", or a `Resolver` that reduces what gets return.
        durability: "none", "os" or "disk".
        fan_out: "all" or "quorum".
        start_up: seconds that pass before the script begins.
        options: counts: shards, clients, partitions, siblings_max; sizes: value_bytes_max,
            record_bytes_max; spans: ping_interval, suspect_after, clock_skew_max, delay_min,
            delay_mean, tail_max, replay_after_max, engine_read_max, engine_write_max,
            engine_sync_max; shares of the messages, 0 to 1: loss, duplication, replay, refusal,
            tail; clock_drift_ppm_max; truth values: sloppy, native_merge, inline_engine,
            failed_sync_drops_pages, true_bytes.
    """

    def __init__(
        self,
        seed: int = 1,
        nodes: int = 5,
        *,
        n: int | None = None,
        r: int | None = None,
        w: int | None = None,
        resolver: str | Resolver = "vector_clock",
        durability: Literal["none", "os", "disk"] = "disk",
        fan_out: Literal["all", "quorum"] = "all",
        start_up: float = 0.1,
        **options: float,
    ) -> None:
        made = _core.SimulationOptions()
        made.seed = _whole(seed, "seed", 0, 2**64 - 1)
        made.nodes = _whole(nodes, "nodes", 1, 64)
        made.n = _whole(min(3, nodes) if n is None else n, "n", 1, min(16, nodes))
        made.r = _whole(made.n // 2 + 1 if r is None else r, "r", 1, made.n)
        made.w = _whole(made.n // 2 + 1 if w is None else w, "w", 1, made.n)
        if isinstance(resolver, str):
            made.resolver = _one_of(resolver, "resolver", ["vector_clock", "lww"])
        made.durability = durability
        made.ask_all = _one_of(fan_out, "fan_out", ["all", "quorum"]) == "all"
        for name, value in options.items():
            _set_option(made, name, value)
        if made.partitions < made.nodes:
            raise InvalidRequestError(f"partitions={made.partitions}: at least one for each node")
        self._options = made
        self._resolver = resolver if isinstance(resolver, Resolver) else None
        self._names = {f"node{number}": number - 1 for number in range(1, nodes + 1)}
        self._backups = 0
        self._actions: dict[int, Callable[[], object]] = {}
        self._action_count = 0
        self._native = _core.Simulation(made)
        self._native.run_until(_instant(start_up))

    # Time.

    @property
    def now(self) -> float:
        """Virtual seconds since the beginning."""
        return self._native.now()

    def run(self, until: float) -> History:
        """Lets time pass up to the instant `until`, itself included. Returns the history so far.

        An exception of a scripted action leaves from here; actions after it are left out.
        """
        self._native.run_until(_instant(until))
        return self.history

    def run_for(self, span: float) -> History:
        """Lets `span` seconds pass."""
        return self.run(self.now + span)

    def run_until_done(self, operation: Operation, until: float | None = None) -> bool:
        """Lets time pass until the operation is done; False when it was not by the instant."""
        return self._native.run_until_done(operation.id, None if until is None else _instant(until))

    def at(self, t: float, fn: Callable[[], object]) -> None:
        """Runs `fn` at the instant `t`, or at once if that has passed, once time passes.

        It may start operations, cut links and end nodes, but not let time pass itself.
        """
        self._action_count += 1
        self._actions[self._action_count] = fn
        self._native.at(_instant(t), _Action(self, self._action_count))

    # Clients. All take:
    #   node: whom the request goes to;
    #   client: which client, from 0; `clients` of the options says how many there are;
    #   timeout: seconds that one try may take;
    #   retry_through: nodes to try the same request through, one after the other.

    def get(self, node: str | int, key: BytesLike, **options: Any) -> Record | None:
        """As `Client.get`, through `node`; takes what `start_get` takes, and waits."""
        record = self.get_record(node, key, **options)
        return record if record.exists else None

    def get_record(self, node: str | int, key: BytesLike, **options: Any) -> Record:
        """As `Client.get_record`, through `node`; takes what `start_get` takes, and waits."""
        operation = self.start_get(node, key, **options)
        self._native.run_until_done(operation.id, None)
        return operation.record()

    def put(self, node: str | int, key: BytesLike, value: BytesLike, **options: Any) -> Context:
        """As `Client.put`, through `node`; takes what `start_put` takes, and waits."""
        operation = self.start_put(node, key, value, **options)
        self._native.run_until_done(operation.id, None)
        return operation.context()

    def delete(self, node: str | int, key: BytesLike, **options: Any) -> Context:
        """Takes what `start_delete` takes, and waits. It does not read first."""
        operation = self.start_delete(node, key, **options)
        self._native.run_until_done(operation.id, None)
        return operation.context()

    def start_get(
        self,
        node: str | int,
        key: BytesLike,
        *,
        r: int | str | Quorum | None = None,
        client: int = 0,
        timeout: float = 1.0,
        retry_through: Sequence[str | int] = (),
    ) -> Operation:
        """A get that goes on while time passes."""
        options = self._call_options(r, "r", client, timeout, retry_through)
        return self._operation(self._native.start_get(self._index(node), key, options), "get", key)

    def start_put(
        self,
        node: str | int,
        key: BytesLike,
        value: BytesLike,
        *,
        context: Context | None = None,
        w: int | str | Quorum | None = None,
        client: int = 0,
        timeout: float = 1.0,
        retry_through: Sequence[str | int] = (),
    ) -> Operation:
        """A put that goes on while time passes.

        Without a context it sends what the client last read or wrote of the key; give NO_CONTEXT to
        be concurrent with all that is there.
        """
        options = self._call_options(w, "w", client, timeout, retry_through)
        options.context = context
        options.remembered = context is None
        number = self._native.start_put(self._index(node), key, value, options)
        return self._operation(number, "put", key)

    def start_delete(
        self,
        node: str | int,
        key: BytesLike,
        *,
        context: Context | None = None,
        w: int | str | Quorum | None = None,
        client: int = 0,
        timeout: float = 1.0,
        retry_through: Sequence[str | int] = (),
    ) -> Operation:
        """A delete that goes on while time passes; its context is as in `start_put`."""
        options = self._call_options(w, "w", client, timeout, retry_through)
        options.context = context
        options.remembered = context is None
        number = self._native.start_remove(self._index(node), key, options)
        return self._operation(number, "del", key)

    def forget_contexts(self, client: int = 0) -> None:
        """The client starts a new session: it knows no context any more."""
        self._native.forget_contexts(self._client(client))

    # Links between nodes; clients reach every node.

    def cut(self, source: str | int, target: str | int) -> None:
        """What `source` sends to `target` from now on is lost."""
        self._native.cut(self._index(source), self._index(target))

    def mend(self, source: str | int, target: str | int) -> None:
        """Mends that link."""
        self._native.mend(self._index(source), self._index(target))

    def partition(self, *groups: Iterable[str | int]) -> SimulatedPartition:
        """Cuts all links between nodes of different groups, both ways, at once."""
        sides = []
        for group in groups:
            if isinstance(group, str):
                raise TypeError(f"a group is a list of nodes: write [{group!r}]")
            sides.append([self._index(node) for node in group])
        self._native.partition(sides)
        return SimulatedPartition(self, sides)

    def heal(self) -> None:
        """Mends every link."""
        self._native.heal()

    # Lives of nodes.

    @property
    def nodes(self) -> tuple[str, ...]:
        """All nodes and clones, running or not."""
        return tuple(self._names)

    def is_up(self, node: str | int) -> bool:
        """The node's process runs."""
        return self._native.is_up(self._index(node))

    def stop(self, node: str | int) -> None:
        """The process ends cleanly."""
        self._native.stop(self._index(node))

    def crash(self, node: str | int) -> None:
        """The process dies; what it wrote to its disk stays."""
        self._native.crash(self._index(node))

    def power_cut(self, node: str | int) -> None:
        """The process dies, and of what was not synced only a drawn part stays."""
        self._native.power_cut(self._index(node))

    def restart(self, node: str | int) -> None:
        """The process starts on what its disk holds; one that runs ends first."""
        self._native.restart(self._index(node))

    def wipe(self, node: str | int) -> None:
        """The process dies, and its disk is emptied."""
        self._native.wipe(self._index(node))

    def backup(self, node: str | int) -> int:
        """Copies the disk as it is; returns the copy's number, for `restore`."""
        self._backups += 1
        return self._native.backup(self._index(node))

    def restore(self, node: str | int, backup: int) -> None:
        """The process dies, and its disk becomes that copy."""
        self._native.restore(self._index(node), _whole(backup, "backup", 0, self._backups - 1))

    def clone(self, node: str | int) -> str:
        """Starts a second process of the same node on a copy of its disk; returns its name.

        It takes itself for the node; the others do not know where it is.
        """
        index = self._native.clone(self._index(node))
        name = f"clone{index - self._options.nodes + 1}"
        self._names[name] = index
        return name

    # What came of it.

    def primaries(self, key: BytesLike) -> tuple[str, ...]:
        """The n nodes that own the key."""
        return self.preference_list(key)[: self._options.n]

    def preference_list(self, key: BytesLike) -> tuple[str, ...]:
        """All nodes in the order in which the key prefers them, its owners first."""
        by_index = {index: name for name, index in self._names.items()}
        return tuple(by_index[index] for index in self._native.preference_of(key))

    def replica(
        self, node: str | int, key: BytesLike, *, fallback: bool = False
    ) -> Replica | None:
        """What the node has stored of the key; None: nothing.

        Args:
            fallback: the copy that it keeps in place of another node, not its own.

        Raises:
            UnavailableError: the node is down.
        """
        raw = self._native.stored_row(self._index(node), key, fallback)
        if raw is None:
            return None
        siblings = tuple(StoredSibling(**sibling) for sibling in raw["siblings"])
        return Replica(raw["mark"], raw["damaged"], raw["vector"], siblings, raw["bytes"])

    @property
    def history(self) -> History:
        """What the clients saw so far; a value of its own."""
        return History(self._native.history())

    @property
    def digest(self) -> str:
        """Of all that happened so far: 16 hex digits."""
        return self._native.digest()

    @property
    def counters(self) -> dict[str, int]:
        """What the nodes counted, added up over nodes and restarts, by metric name."""
        return self._native.counters()

    @property
    def protocol_errors(self) -> list[str]:
        """Replies that no correct node sends; empty when all is well."""
        return self._native.protocol_errors()

    @staticmethod
    def swarm(
        seed: int, *, operations_min: int | None = None, operations_max: int | None = None
    ) -> SwarmResult:
        """One random run: the seed decides cluster, workload and faults, and checkers judge.

        Args:
            seed: 0 to 2**64 - 1.
            operations_min, operations_max: between these the number of operations is drawn.
        """
        least = _core.swarm_operations_min if operations_min is None else operations_min
        most = max(least, _core.swarm_operations_max) if operations_max is None else operations_max
        if operations_min is None:
            least = min(least, most)
        _whole(least, "operations_min", 1, 2**31)
        raw = _core.run_swarm(
            _whole(seed, "seed", 0, 2**64 - 1),
            least,
            _whole(most, "operations_max", least, 2**31),
        )
        return SwarmResult(
            raw["seed"],
            raw["digest"],
            raw["parameters"],
            History(raw["history"]),
            raw["violations"],
            raw["counters"],
        )

    def __repr__(self) -> str:
        return f"<Simulation of seed {self._options.seed}, {self.now:g} s, digest {self.digest}>"

    def _index(self, node: str | int) -> int:
        if isinstance(node, bool) or not isinstance(node, (str, int)):
            raise TypeError(f"a node is a name or an index, not {node!r}")
        if isinstance(node, int):
            return _whole(node, "node", 0, len(self._names) - 1)
        if node not in self._names:
            meant = nearest(node, list(self._names))
            raise InvalidRequestError(f"there is no node {node!r}; did you mean {meant!r}?")
        return self._names[node]

    def _client(self, client: int) -> int:
        return _whole(client, "client", 0, self._options.clients - 1)

    def _operation(self, number: int, kind: str, key: BytesLike) -> Operation:
        return Operation(self, number, kind, key)

    def _call_options(
        self,
        level: int | str | Quorum | None,
        what: str,
        client: int,
        timeout: float,
        retry_through: Sequence[str | int],
    ) -> _core.SimulatedCallOptions:
        options = _core.SimulatedCallOptions()
        options.level = level_of(level, what)
        options.client = self._client(client)
        options.timeout = seconds(timeout, "timeout")
        options.retry_through = [self._index(node) for node in retry_through]
        if len(options.retry_through) > 100:
            raise InvalidRequestError("retry_through: at most 100 nodes")
        return options


def _whole(value: float, what: str, least: int, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{what} must be a whole number, not {value!r}")
    if not least <= value <= most:
        raise InvalidRequestError(f"{what}={value}: {least} to {most}")
    return value


def _one_of(value: str, what: str, known: list[str]) -> str:
    if value not in known:
        raise InvalidRequestError(f"{what}={value!r}: did you mean {nearest(value, known)!r}?")
    return value


def _instant(t: float) -> float:
    return seconds(t, "the instant", 0)


def _set_option(options: _core.SimulationOptions, name: str, value: float) -> None:
    if name not in _OPTIONS:
        meant = nearest(name, list(_OPTIONS))
        raise InvalidRequestError(f"there is no option {name!r}; did you mean {meant!r}?")
    path, kind = _OPTIONS[name]
    if kind is bool:
        if not isinstance(value, bool):
            raise TypeError(f"{name} must be True or False, not {value!r}")
    elif kind is int:
        _whole(value, name, int(name in _NOT_ZERO), _MOST.get(name, 2**31))
    else:
        seconds(value, name, 1e-6 if name in _NOT_ZERO else 0)
    if name in _SHARES and value > 1:
        raise InvalidRequestError(f"{name}={value}: a share, 0 to 1")
    target: Any = options
    *groups, last = path.split(".")
    for group in groups:
        target = getattr(target, group)
    setattr(target, last, value)
