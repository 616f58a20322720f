"""Clusters whose nodes are processes: signals, faults, and what is left behind."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import ringwright as rw
from ringwright import _processes

from conftest import MIXED, NO_ROCKSDB
from processes import comes_true, is_alive, needs_processes
from test_fork import in_child

pytestmark = needs_processes


@pytest.fixture
def cluster() -> Iterator[rw.Cluster]:
    with rw.Cluster.local(nodes=3, processes=True, timeout=10) as made:
        made.wait_connected()
        yield made


def test_three_processes_are_one_store(cluster: rw.Cluster) -> None:
    pids = {node.pid for node in cluster.nodes.values()}
    assert len(pids) == 3
    assert os.getpid() not in pids
    kv = cluster.client()
    kv.put(b"k", b"v", w=3)
    for name, node in cluster.nodes.items():
        with cluster.client(node=name) as one:
            assert one.get_record(b"k", r=1).coordinator == name
        with rw.Client(node.address) as by_address:
            assert by_address[b"k"] == b"v"
        status = node.status()
        assert status.condition == "up"
        assert status.id == node.id
        assert status.engines
        assert Path(status.directory).is_dir()
        assert node.metrics()["ringwright_up"] == 1
        assert node.admin_address
    assert {member.id for member in cluster.ring().members} == {
        node.id for node in cluster.nodes.values()
    }
    assert [entry.role for entry in cluster.where(b"k").nodes] == ["primary"] * 3
    assert kv.where(b"k") == cluster.where(b"k")
    assert cluster.keyspaces()[0]["durability"] == "os"


@NO_ROCKSDB
def test_processes_with_engines_of_their_own() -> None:
    with rw.Cluster.local(nodes=3, engine=MIXED, processes=True, timeout=10) as cluster:
        cluster.wait_connected()
        engines = {status.name: status.engines[0].engine for status in cluster.status()}
        assert engines == MIXED
        with cluster.client() as kv:
            for number in range(50):
                kv.put(b"%d" % number, b"value %d" % number, w=3)
            for name in cluster.nodes:
                cluster.kill(name)
                assert kv[b"7"] == b"value 7"
                cluster.restart(name)
            for name in cluster.nodes:
                with cluster.client(node=name) as one:
                    for number in range(50):
                        assert one.get_record(b"%d" % number, r=3).value == b"value %d" % number


def test_two_sides_of_a_cut_make_siblings(cluster: rw.Cluster) -> None:
    kv = cluster.client()
    kv.put(b"cart", b"eggs")
    seen = kv.get_record(b"cart").context
    with cluster.partition(["node1"], ["node2", "node3"]):
        with cluster.client(node="node1") as one, cluster.client(node="node2") as other:
            one.put(b"cart", b"eggs, milk", context=seen, w=1)
            other.put(b"cart", b"eggs, butter", context=seen, w=2)
            assert other.get_record(b"cart").value == b"eggs, butter"
    both = kv.get_record(b"cart", r=3)
    assert {sibling.value for sibling in both.siblings} == {b"eggs, milk", b"eggs, butter"}
    kv.put(b"cart", b"all", context=both.context)
    assert kv.get_record(b"cart", r=3).value == b"all"


def test_a_fault_holds_across_a_restart(cluster: rw.Cluster) -> None:
    cluster.cut("node1", "node2")
    cluster.cut("node2", "node1")
    cluster.kill("node1")
    cluster.restart("node1")
    assert comes_true(lambda: cluster.nodes["node1"].status().members["node2"] == "suspect")
    assert cluster.nodes["node1"].status().members["node3"] == "alive"
    cluster.heal()
    assert cluster.nodes["node1"].status().members["node2"] == "alive"


def test_a_delay(cluster: rw.Cluster) -> None:
    with cluster.client(node="node1") as kv:
        kv.put(b"k", b"v", w=3)
        for name in ("node2", "node3"):
            cluster.delay("node1", name, 0.3)
        with pytest.raises(rw.TimeoutError):
            kv.get(b"k", r=3, timeout=0.1)
        cluster.heal()
        assert kv[b"k"] == b"v"


def test_killed_in_the_middle_of_a_load(cluster: rw.Cluster) -> None:
    """What was acknowledged is there without the node, and after its restart."""
    acknowledged: dict[bytes, bytes] = {}
    failed = 0
    with cluster.client(timeout=2) as kv:
        pid = cluster.nodes["node3"].pid
        killer = threading.Thread(target=cluster.kill, args=("node3",))
        for batch in range(20):
            if batch == 8:
                killer.start()
            items = {b"%d/%d" % (batch, i): b"v%d" % i for i in range(200)}
            result = kv.put_many(items, on_error="collect")
            failed += len(result.errors)
            acknowledged.update({key: items[key] for key in result.contexts})
        killer.join()
        assert pid is not None
        assert not is_alive(pid)
        assert cluster.nodes["node3"].pid is None
        assert cluster.nodes["node3"].status().condition == "killed"
        assert len(acknowledged) > 2000
        for _ in range(2):
            found = kv.get_many(acknowledged)
            assert {key: record.value for key, record in found.items()} == acknowledged
            cluster.restart("node3")
        with cluster.client(node="node3", timeout=10) as itself:
            found = itself.get_many(acknowledged)
            assert len(found) == len(acknowledged)
    assert failed < 4000


def test_pause_and_resume(cluster: rw.Cluster) -> None:
    cluster.pause("node1")
    status = cluster.nodes["node1"].status()
    assert status.condition == "paused"
    assert not cluster.nodes["node1"].is_up
    assert comes_true(lambda: cluster.nodes["node2"].status().members["node1"] == "suspect")
    with cluster.client(node="node2") as kv:
        kv.put(b"k", b"v")
        assert kv[b"k"] == b"v"
    cluster.resume("node1")
    assert cluster.nodes["node1"].is_up
    # A node that stands still can be killed all the same.
    cluster.pause("node1")
    cluster.kill("node1")
    assert cluster.nodes["node1"].status().condition == "killed"


def test_a_clean_stop(cluster: rw.Cluster) -> None:
    kv = cluster.client()
    kv.put(b"k", b"v", w=3)
    cluster.stop("node2")
    assert cluster.nodes["node2"].status().condition == "stopped"
    assert b"node_stopped" in (cluster.directory / "node2" / "ringwrightd.log").read_bytes()
    with pytest.raises(rw.InvalidRequestError, match="restart it first"):
        cluster.pause("node2")
    assert [entry.up for entry in cluster.where(b"k").nodes].count(True) == 2
    cluster.restart("node2")
    assert cluster.nodes["node2"].is_up
    assert kv[b"k"] == b"v"
    with pytest.raises(rw.InvalidRequestError, match="did you mean"):
        cluster.stop("node4")
    with pytest.raises(rw.InvalidRequestError, match="two groups"):
        cluster.partition(["node1"], ["node1", "node2"])


def test_a_node_that_dies_by_itself_is_told_of(cluster: rw.Cluster) -> None:
    pid = cluster.nodes["node1"].pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    assert comes_true(lambda: cluster.nodes["node1"].status().condition == "failed")
    assert "ended by itself with status -9" in cluster.nodes["node1"].status().failure
    cluster.restart("node1")
    assert cluster.nodes["node1"].is_up


def test_asyncio_over_sockets(cluster: rw.Cluster) -> None:
    async def main() -> None:
        endpoints = [node.address for node in cluster.nodes.values()]
        async with rw.AsyncClient(endpoints, timeout=10) as kv:
            assert (await kv.put_many({b"%d" % i: b"v" for i in range(500)})).ok
            assert len(await kv.get_many([b"%d" % i for i in range(500)])) == 500
        own = cluster.async_client()
        assert (await own.get_record(b"1")).value == b"v"
        await own.close()

    asyncio.run(main())


def test_a_forked_child_reconnects_and_does_not_end_the_nodes(cluster: rw.Cluster) -> None:
    kv = cluster.client()
    kv.put(b"k", b"v")

    def use() -> None:
        assert kv[b"k"] == b"v"
        kv.put(b"child", b"was here")
        with pytest.raises(rw.ClosedError, match="forked"):
            cluster.kill("node1")
        cluster.close()

    in_child(use)
    assert kv[b"child"] == b"was here"
    assert all(node.is_up for node in cluster.nodes.values())


def test_two_clusters_at_once(cluster: rw.Cluster) -> None:
    with rw.Cluster.local(nodes=2, processes=True, name="other") as other:
        other.client().put(b"k", b"other")
        cluster.client().put(b"k", b"first")
        assert other.client()[b"k"] == b"other"
        assert cluster.client()[b"k"] == b"first"


def test_the_directory_of_a_user_is_kept(tmp_path: Path) -> None:
    place = tmp_path / "kept"
    for expected in (None, b"v"):
        with rw.Cluster.local(nodes=2, processes=True, dir=place, timeout=10) as cluster:
            kv = cluster.client()
            assert kv.get_default(b"k", b"") == (expected or b"")
            kv.put(b"k", b"v")
            assert cluster.directory == place
    assert b"node_ready" in (place / "node1" / "ringwrightd.log").read_bytes()


def test_nothing_is_left_behind(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with rw.Cluster.local(nodes=2, processes=True) as cluster:
        pids = [node.pid or 0 for node in cluster.nodes.values()]
        assert cluster.directory.parent == tmp_path
        cluster.pause("node1")
        kv = cluster.client()
    assert kv.is_closed
    assert not any(is_alive(pid) for pid in pids)
    assert list(tmp_path.iterdir()) == []
    cluster.close()
    with pytest.raises(rw.ClosedError):
        cluster.client()


def test_a_killed_parent_leaves_no_child(tmp_path: Path) -> None:
    program = """
import os, sys, ringwright as rw
cluster = rw.Cluster.local(nodes=3, processes=True)
child = os.fork()
if child == 0:
    sys.stdin.read()  # outlives the parent, and must not keep the nodes alive
    os._exit(0)
print(*[node.pid for node in cluster.nodes.values()], flush=True)
sys.stdin.read()
"""
    parent = subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    with parent:
        assert parent.stdout is not None
        pids = [int(word) for word in parent.stdout.readline().split()]
        assert len(pids) == 3
        parent.kill()
        parent.wait()
        assert comes_true(lambda: not any(is_alive(pid) for pid in pids))


def test_a_node_that_cannot_start(tmp_path: Path) -> None:
    data = tmp_path / "node2" / "data"
    data.mkdir(parents=True)
    (data / "somebody's").write_text("not ours")
    with pytest.raises(rw.Error, match="node2 ended before it served") as raised:
        rw.Cluster.local(nodes=3, processes=True, dir=tmp_path)
    assert "choose an empty directory" in str(raised.value)
    assert "node_failed" in str(raised.value)


def test_what_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(rw.InvalidRequestError, match="loopback"):
        rw.Cluster.local(processes=True, transport="loopback")
    with pytest.raises(rw.InvalidRequestError, match="only 2 nodes"):
        rw.Cluster.local(nodes=2, n=3, processes=True)
    monkeypatch.setattr(_processes, "PROGRAM", "no-such-program")
    with pytest.raises(rw.InvalidRequestError, match="no-such-program"):
        rw.Cluster.local(processes=True)
