"""Storage engines written in Python."""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import ringwright as rw

from conftest import HAS_ROCKSDB
from processes import comes_true
from python_engines import EXAMPLES, Scripted, SortedLog
from test_fork import in_child

rw.register_engine("sorted_log", SortedLog)
rw.register_engine("scripted", Scripted)


@pytest.fixture
def scripted() -> Iterator[rw.Client]:
    """A client of one node, so that what the engine says is all that there is to hear."""
    Scripted.instead = {}
    with rw.Cluster.local(nodes=1, engine="scripted") as cluster:
        yield cluster.client(timeout=10)
        Scripted.instead = {}


def raising(error: BaseException) -> Callable[..., Any]:
    def method(*_: object, **__: object) -> Any:
        raise error

    return method


def test_a_cluster_of_it(tmp_path: Path) -> None:
    items = {b"%d" % number: b"v%d" % number for number in range(300)}
    with rw.Cluster.local(nodes=3, engine="sorted_log", shards=2, dir=tmp_path) as cluster:
        kv = cluster.client(timeout=10)
        assert kv.put_many(items, concurrency=16).ok
        kv.delete(b"7")
        cluster.kill("node1")
        kv.put(b"8", b"without node1")
        cluster.restart("node1")
        kv.put(b"9", b"with it", w=3)
        found = cluster.client(node="node1", timeout=10).get_many(items)
        assert found[b"9"].value == b"with it"
        assert found[b"8"].value == b"without node1"
        assert b"7" not in found
        assert len(found) == 299
        engine = cluster.nodes["node2"].status().engines[0]
        assert (engine.engine, engine.durability) == ("sorted_log", "os")
        assert engine.approximate_keys >= 299
        assert engine.disk_bytes > 3000
    claim = next(tmp_path.glob("node1/**/ENGINE")).read_text()
    assert claim == "ringwright-engine 1\nengine sorted_log\nformat 1\n"
    with rw.Cluster.local(nodes=3, engine="sorted_log", dir=tmp_path) as cluster:
        assert len(cluster.client(timeout=10).get_many(items)) == 299
    with pytest.raises(rw.VersionMismatchError, match="sorted_log"):
        rw.Cluster.local(nodes=3, engine="scripted", dir=tmp_path)


def test_the_example_as_a_program() -> None:
    ended = subprocess.run(
        [sys.executable, str(Path(EXAMPLES) / "python_engine.py")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (0, "b'eggs'\n"), ended.stderr


def test_within_a_decorator() -> None:
    with rw.Cluster.local(nodes=1, engine="faulty(sorted_log)") as cluster:
        kv = cluster.client()
        kv.put(b"k", b"v")
        assert kv[b"k"] == b"v"
        assert cluster.status()[0].engines[0].engine == "faulty(sorted_log)"


def test_it_is_listed() -> None:
    origins = {engine["name"]: engine["origin"] for engine in rw.engines()}
    assert origins["sorted_log"] == "python:python_engine.SortedLog"


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (rw.NoSpaceError("it is full"), rw.NoSpaceError),
        (rw.EngineBusyError("it has no time"), rw.EngineBusyError),
        (rw.ClosedError("it is closed"), rw.ClosedError),
    ],
)
def test_a_write_that_certainly_did_nothing(
    scripted: rw.Client, error: rw.Error, expected: type[rw.Error]
) -> None:
    Scripted.instead = {"write": raising(error)}
    with pytest.raises(expected, match=str(error)) as failed:
        scripted.put(b"k", b"v")
    assert not failed.value.outcome_unknown
    Scripted.instead = {}
    assert scripted.get(b"k") is None


@pytest.mark.parametrize(
    ("write", "told"),
    [
        (raising(RuntimeError("boom")), r"RuntimeError: boom \(test_engines.py:\d+\)"),
        (raising(OSError(28, "no space, but after how much?")), "OSError"),
        (raising(rw.CorruptionError("it is bad")), "CorruptionError: it is bad"),
        (raising(SystemExit(3)), "SystemExit"),
        (lambda batch: None, "returned None: return the sequence"),
        (lambda batch: "1", "returned a str"),
        (lambda batch: True, "returned a bool"),
        (lambda batch: -1, "returned a int"),
        (lambda batch: 0, "sequence 0 after"),
    ],
)
def test_a_write_of_which_nobody_knows(
    scripted: rw.Client, write: Callable[..., Any], told: str
) -> None:
    scripted.put(b"before", b"v")
    Scripted.instead = {"write": write}
    with pytest.raises(rw.EngineError, match=told) as failed:
        scripted.put(b"k", b"v")
    assert failed.value.outcome_unknown
    assert failed.value.code == "in_doubt"


@pytest.mark.parametrize(
    ("multi_get", "told"),
    [
        (raising(KeyError("k")), "io_error.*multi_get of the engine 'scripted' raised KeyError"),
        (raising(rw.EngineError("the disk is gone")), "io_error.*the disk is gone"),
        (raising(rw.EngineBusyError("not now")), "busy.*not now"),
        (raising(rw.TimeoutError("late")), "io_error.*raised TimeoutError: late"),
        (lambda keys: None, "io_error.*returned None: return a list"),
        (lambda keys: {}, "io_error.*returned a dict"),
        (lambda keys: [], "returned 0 rows for 1 keys"),
        (lambda keys: [None] * (len(keys) + 1), "returned 2 rows for 1 keys"),
        (lambda keys: ["row"], "io_error.*returned a str for a key: return bytes, or None"),
    ],
)
def test_an_error_of_a_read_is_never_absence(
    scripted: rw.Client, multi_get: Callable[..., Any], told: str
) -> None:
    Scripted.instead = {"multi_get": multi_get}
    with pytest.raises(rw.UnavailableError, match=told):
        scripted.get(b"absent")
    Scripted.instead = {}
    assert scripted.get(b"absent") is None


def test_one_bad_row_does_not_make_its_neighbours_bad() -> None:
    bad: set[bytes] = set()
    batches = []

    class OneBad(SortedLog):
        def multi_get(self, keys: Any) -> Any:
            if any(key.endswith(name) for key in keys for name in bad):
                batches.append(len(keys))
                raise rw.CorruptionError("a row is bad")
            return super().multi_get(keys)

    rw.register_engine("one_bad", OneBad)
    with rw.Cluster.local(nodes=3, engine="one_bad") as cluster:
        names = [b"key-%d" % number for number in range(200)]
        kv = cluster.client(timeout=10)
        kv.put_many(dict.fromkeys(names, b"v"))
        bad.add(b"key-150")

        async def get_all() -> list[Any]:
            async with cluster.async_client(timeout=10) as many:
                return await asyncio.gather(*map(many.get, names), return_exceptions=True)

        found = dict(zip(names, asyncio.run(get_all()), strict=True))
        assert isinstance(found.pop(b"key-150"), rw.CorruptionError)
        assert all(isinstance(record, rw.Record) for record in found.values())
        assert max(batches) > 1, "nothing was asked together with the bad row"


@pytest.mark.parametrize(
    ("durability", "sync", "told"),
    [
        ("os", raising(AssertionError("not asked")), ""),
        ("disk", raising(RuntimeError("boom")), "sync of the engine 'synced' raised RuntimeError"),
        ("disk", lambda sequence: None, ""),
    ],
)
def test_sync(durability: str, sync: Callable[..., Any], told: str) -> None:
    class Synced(SortedLog):
        durability = "disk"

        def sync(self, sequence: int) -> None:
            sync(sequence)

    rw.register_engine("synced", Synced)
    with rw.Cluster.local(nodes=1, engine="synced", durability=durability) as cluster:
        kv = cluster.client(timeout=10)
        if not told:
            kv.put(b"k", b"v")
            return
        with pytest.raises(rw.Error, match=told):
            kv.put(b"k", b"v")
        with pytest.raises(rw.Error, match="failed: reopen it"):
            kv.put(b"k2", b"v")


def test_a_class_above_what_it_has() -> None:
    with pytest.raises(rw.InvalidRequestError, match="gives at most durability 'os', not 'disk'"):
        rw.Cluster.local(nodes=1, engine="sorted_log", durability="disk")


def test_options() -> None:
    given = []

    class Optional(SortedLog):
        options = ("block_size", "level")

        def open(self, path: Path, options: Any) -> None:
            given.append(dict(options))
            super().open(path, options)

    rw.register_engine("choosy", Optional)
    spec = rw.EngineSpec("choosy", {"level": 3})
    with rw.Cluster.local(nodes=1, engine=spec) as cluster:
        cluster.client().put(b"k", b"v")
    assert given == [{"level": "3"}]
    for engine, told in (("choosy", "did you mean 'block_size'"), ("sorted_log", "no option")):
        with pytest.raises(rw.InvalidRequestError, match=told):
            rw.Cluster.local(nodes=1, engine=rw.EngineSpec(engine, {"block_sise": 1}))


@pytest.mark.parametrize(
    ("method", "error", "expected", "told"),
    [
        ("__init__", TypeError("what?"), rw.EngineError, "open of the engine 'opening' raised"),
        ("open", rw.CorruptionError("the head is bad"), rw.CorruptionError, "the head is bad"),
        ("open", ZeroDivisionError("1/0"), rw.EngineError, "raised ZeroDivisionError: 1/0"),
        ("open", rw.InvalidRequestError("level is 1 or 2"), rw.InvalidRequestError, "level is"),
    ],
)
def test_it_cannot_be_opened(
    method: str, error: Exception, expected: type[rw.Error], told: str, tmp_path: Path
) -> None:
    opening = type("Opening", (SortedLog,), {method: raising(error)})
    rw.register_engine("opening", opening)
    with pytest.raises(expected, match=told):
        rw.Cluster.local(nodes=1, engine="opening", dir=tmp_path)
    # It holds no lock on the directory.
    rw.register_engine("opening", type("Opening", (SortedLog,), {}))
    with rw.Cluster.local(nodes=1, engine="opening", dir=tmp_path):
        pass


def wrong_stats() -> Any:
    return rw.EngineStats("many")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("stats", "told"),
    [
        (raising(RuntimeError("no figures")), "no figures"),
        (lambda: {}, "'dict' object has no attribute 'approximate_keys'"),
        (lambda: rw.EngineStats(-1), "stats of the engine 'scripted' returned something else"),
        (wrong_stats, "stats of the engine 'scripted' returned something else"),
    ],
)
def test_figures_that_cannot_be_told_are_shown(
    monkeypatch: pytest.MonkeyPatch, stats: Callable[..., Any], told: str
) -> None:
    shown: list[str] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda told: shown.append(str(told.exc_value)))
    with rw.Cluster.local(nodes=1, engine="scripted") as cluster:
        Scripted.instead = {"stats": stats}
        assert cluster.status()[0].engines[0].approximate_keys == 0
        Scripted.instead = {}
    assert shown == [told]


class Abstract(rw.Engine):
    def open(self, path: Path, options: Any) -> None: ...


@pytest.mark.parametrize(
    ("name", "factory", "told"),
    [
        ("Upper", SortedLog, "small letters"),
        ("", SortedLog, "small letters"),
        ("a(b)", SortedLog, "small letters"),
        (3, SortedLog, "small letters"),
        ("memory", SortedLog, r"another engine already \(built-in\)"),
        ("faulty", SortedLog, r"another engine decorator already \(built-in\)"),
        ("sorted_log", Scripted, r"another engine already \(python:python_engine.SortedLog\)"),
        ("mine", Abstract, "lacks close, iterate, multi_get, write"),
        ("mine", dict, "a subclass of ringwright.Engine"),
        ("mine", lambda: SortedLog(), "a subclass of ringwright.Engine"),
        ("mine", "/no/such/plugin.so", "there is no file '/no/such/plugin.so'"),
        ("mine", __file__, "is refused"),
        ("mine", type("X", (SortedLog,), {"durability": "full"}), "one of none, os, disk"),
        ("mine", type("X", (SortedLog,), {"durability": "disk"}), "must have its own sync"),
        ("mine", type("X", (SortedLog,), {"options": "level"}), "a list of names"),
        ("mine", type("X", (SortedLog,), {"format": 0}), "a number from 1 on"),
    ],
)
def test_what_cannot_be_registered(name: Any, factory: Any, told: str) -> None:
    with pytest.raises(rw.InvalidRequestError, match=told):
        rw.register_engine(name, factory)


@pytest.mark.skipif(not HAS_ROCKSDB, reason="the RocksDB plugin was not built")
def test_a_plugin_by_its_path() -> None:
    (path,) = [e["origin"] for e in rw.engines() if e["name"] == "rocksdb"]
    rw.register_engine("rocksdb", path)
    rw.register_engine("rocksdb", Path(path))
    with pytest.raises(rw.InvalidRequestError, match="no engine 'mine'; its engines: 'rocksdb'"):
        rw.register_engine("mine", path)
    with pytest.raises(rw.InvalidRequestError, match="another engine already"):
        rw.register_engine("rocksdb", SortedLog)


def test_a_cell_that_runs_again_replaces_its_class() -> None:
    made = []
    for number in range(2):

        class Again(SortedLog):
            def close(self, number: int = number) -> None:
                made.append(number)
                super().close()

        rw.register_engine("again", Again)
    with rw.Cluster.local(nodes=1, engine="again"):
        pass
    assert made == [1]


def test_instances_are_let_go() -> None:
    alive: list[weakref.ref[Any]] = []

    class Kept(SortedLog):
        def open(self, path: Path, options: Any) -> None:
            alive.append(weakref.ref(self))
            super().open(path, options)

    rw.register_engine("kept", Kept)
    with rw.Cluster.local(nodes=2, engine="kept") as cluster:
        cluster.client().put(b"k", b"v")
        assert all(each() is not None for each in alive)
    gc.collect()
    assert len(alive) == 2
    assert all(each() is None for each in alive)


class Rows(rw.Engine):
    """No more than what must be written."""

    def __init__(self) -> None:
        self.rows: dict[bytes, bytes] = {}

    def open(self, path: Path, options: Any) -> None: ...

    def multi_get(self, keys: Any) -> Any:
        return [self.rows.get(key) for key in keys]

    def write(self, batch: Any) -> int:
        for op in batch:
            self.rows.pop(op.key, None)
            if op.kind == "put":
                self.rows[op.key] = op.value
        return 1

    def iterate(self, start: bytes, stop: bytes | None, reverse: bool) -> Any:
        keys = [key for key in self.rows if start <= key and (stop is None or key < stop)]
        return [(key, self.rows[key]) for key in sorted(keys, reverse=reverse)]

    def close(self) -> None: ...


def test_defaults(tmp_path: Path) -> None:
    engine = Rows()
    engine.path = tmp_path
    engine.write([rw.Op("put", b"%03d" % number, b"12345") for number in range(600)])
    assert engine.approximate_bytes(b"100", b"200") == 800
    assert engine.stats() == rw.EngineStats(600, 0, 4800)
    (tmp_path / "file").write_bytes(b"123")
    assert engine.stats() == rw.EngineStats(600, 3, 0)
    engine.drop_range(b"010", b"590")
    assert list(engine.rows) == [b"%03d" % n for n in (*range(10), *range(590, 600))]
    engine.drop_range(b"", None)
    assert not engine.rows
    engine.flush()
    assert engine.pressure() == 0
    with pytest.raises(rw.EngineError, match="no sync"):
        engine.sync(1)
    with pytest.raises(rw.InvalidRequestError, match="no checkpoint"):
        engine.checkpoint(tmp_path)


BUSY = """
import threading, time
import ringwright as rw
from python_engine import SortedLog

rw.register_engine("sorted_log", SortedLog)
ended = threading.Event()
failed = []

def repeat(call):
    try:
        while not ended.is_set():
            call()
    except BaseException as error:
        failed.append(error)

with rw.Cluster.local(nodes=3, engine="sorted_log", shards=2) as cluster:
    kv = cluster.client(timeout=20)
    calls = [
        cluster.status,
        rw.engines,
        cluster.client,
        lambda: kv.put(b"k", b"v"),
        lambda: kv.get(b"k"),
        lambda: cluster.is_closed,
    ]
    threads = [threading.Thread(target=repeat, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    until = time.monotonic() + 1.5
    while time.monotonic() < until and not failed:
        cluster.kill("node3")
        cluster.restart("node3", timeout=20)
    ended.set()
    for thread in threads:
        thread.join()
print(failed)
"""


def test_who_holds_a_lock_waits_for_the_interpreter_and_never_the_reverse() -> None:
    """In a process of its own: one that is stuck so can only be killed."""
    ended = subprocess.run(
        [sys.executable, "-c", BUSY],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=_with_path(EXAMPLES),
    )
    assert ended.stdout == "[]\n", ended.stderr


def test_a_forked_child_has_engines_of_its_own(scripted: rw.Client) -> None:
    scripted.put(b"k", b"v")

    def work() -> None:
        with pytest.raises(rw.ClosedError, match="forked"):
            scripted.get(b"k")
        with rw.Cluster.local(nodes=1, engine="sorted_log", name="child") as own:
            own.client().put(b"k", b"mine")
            assert own.client()[b"k"] == b"mine"

    in_child(work)
    assert scripted[b"k"] == b"v"


PROGRAM = """
import os, sys, threading, time
import ringwright as rw
from python_engine import SortedLog

class Slow(SortedLog):
    def multi_get(self, keys):
        time.sleep(0.01)
        return super().multi_get(keys)

    def stats(self):
        return rw.EngineStats()

rw.register_engine("slowly", Slow)
cluster = rw.Cluster.local(nodes=3, engine="slowly", shards=2)
kv = cluster.client(timeout=10)
kv.put(b"k", b"v")

def work():
    while True:
        try:
            kv.put(b"k", b"v")
            kv.get(b"k")
        except rw.ClosedError:
            return

for _ in range(4):
    threading.Thread(target=work, daemon=True).start()
time.sleep(0.1)
print("ends", flush=True)
{end}
"""


@pytest.mark.parametrize("end", ["", "sys.exit(0)", "del cluster, kv", "raise SystemExit"])
def test_the_interpreter_ends_in_the_middle_of_calls(end: str) -> None:
    for _ in range(3):
        ended = subprocess.run(
            [sys.executable, "-c", PROGRAM.replace("{end}", end)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env=_with_path(EXAMPLES),
        )
        assert ended.returncode == 0, ended.stderr
        assert ended.stdout == "ends\n"
        assert "FATAL" not in ended.stderr


def test_nobody_gets_into_an_interpreter_that_ends() -> None:
    """Not even an engine that somebody forgot to close."""
    end = """
from ringwright import _core
assert _core.shut_engines()
try:
    cluster.client(timeout=1).put(b"k", b"v")
except rw.Error as error:
    print("the interpreter ends" in str(error), flush=True)
    os._exit(0)
"""
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM.replace("{end}", end)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=_with_path(EXAMPLES),
    )
    assert ended.stdout == "ends\nTrue\n", ended.stderr


def _with_path(folder: str) -> dict[str, str]:
    known = os.environ.get("PYTHONPATH", "")
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (known, folder)))}


def test_pressure_is_told() -> None:
    class Pressed(SortedLog):
        def pressure(self) -> float:
            return 0.75

    rw.register_engine("pressed", Pressed)
    with rw.Cluster.local(nodes=1, engine="pressed") as cluster:
        cluster.client().put(b"k", b"v")
        assert comes_true(lambda: cluster.status()[0].engines[0].pressure == 0.75)
