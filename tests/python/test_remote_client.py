"""A client of other processes."""

from __future__ import annotations

import gc
import os
import pickle
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import ringwright as rw

from processes import comes_true, needs_processes
from test_fork import in_child

pytestmark = needs_processes


@pytest.fixture(scope="module")
def cluster() -> Iterator[rw.Cluster]:
    with rw.Cluster.local(nodes=3, processes=True, name="remote", timeout=10) as made:
        made.wait_connected()
        yield made


@pytest.fixture
def kv(cluster: rw.Cluster) -> Iterator[rw.Client]:
    with rw.Client(cluster.nodes["node1"].address, timeout=10) as made:
        yield made


def unused_address() -> tuple[socket.socket, str]:
    """One that nobody listens at, while the socket is open."""
    kept = socket.socket()
    kept.bind(("127.0.0.1", 0))
    return kept, "{}:{}".format(*kept.getsockname())


def test_one_endpoint_leads_to_all_nodes(kv: rw.Client) -> None:
    seen = set()
    for number in range(100):
        key = b"one/%d" % number
        kv.put(key, b"v")
        record = kv.get_record(key)
        assert record.value == b"v"
        seen.add(record.coordinator)
    assert seen == {"node1", "node2", "node3"}


def test_any_endpoint_that_answers_will_do(cluster: rw.Cluster) -> None:
    kept, dead = unused_address()
    with kept, rw.Client([dead, cluster.nodes["node2"].address], timeout=10) as kv:
        kv.put(b"any", b"v")
        assert kv[b"any"] == b"v"


def test_nobody_answers() -> None:
    kept, dead = unused_address()
    with kept, pytest.raises(rw.ConnectionError) as raised:
        rw.Client(dead, timeout=0.5)
    assert isinstance(raised.value, ConnectionError)
    assert raised.value.code == "connection"
    assert raised.value.retryable
    assert not raised.value.outcome_unknown


def test_somebody_else_answers() -> None:
    """A listener that says nothing, or nonsense, is no node; the deadline holds."""
    for answer in (b"", b"HTTP/1.1 400 Bad Request\r\n\r\n"):
        with socket.create_server(("127.0.0.1", 0)) as server:
            address = "{}:{}".format(*server.getsockname())

            def serve(server: socket.socket = server, answer: bytes = answer) -> None:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    connection.sendall(answer)
                    while connection.recv(4096):
                        pass

            thread = threading.Thread(target=serve)
            thread.start()
            with pytest.raises(rw.Error) as raised:
                rw.Client(address, timeout=0.5)
            assert isinstance(raised.value, (rw.ConnectionError, rw.VersionMismatchError))
            server.shutdown(socket.SHUT_RDWR)
            thread.join(10)
            assert not thread.is_alive()


def test_bad_arguments_are_refused(cluster: rw.Cluster) -> None:
    address = cluster.nodes["node1"].address
    with pytest.raises(rw.InvalidRequestError, match="did you mean 'default'"):
        rw.Client(address, keyspace="defualt")
    with pytest.raises(rw.InvalidRequestError, match="did you mean"):
        rw.Client(address, node="node4")
    with pytest.raises(rw.InvalidRequestError, match="endpoint"):
        rw.Client([])
    with pytest.raises(TypeError, match="host:port"):
        rw.Client([7480])  # type: ignore[list-item]
    with pytest.raises(rw.InvalidRequestError, match="timeout"):
        rw.Client(address, timeout=0)
    with pytest.raises(rw.InvalidRequestError, match="retries"):
        rw.Client(address, retries=-1)


def test_defaults_of_a_client(cluster: rw.Cluster) -> None:
    address = cluster.nodes["node1"].address
    with rw.Client(address, node="node3", r=1, w="ALL", timeout=10) as kv:
        kv.put(b"pinned", b"v")
        assert kv.get_record(b"pinned").coordinator == "node3"
        view = kv.with_options(r=3)
        view.close()
        assert kv[b"pinned"] == b"v"
        with pytest.raises(rw.ClosedError):
            view.get(b"pinned")


def test_pickled_it_connects_anew_and_remembers_nothing(kv: rw.Client) -> None:
    kv.put(b"pickled", b"old")
    with pickle.loads(pickle.dumps(kv.with_options(r=3, timeout=9))) as other:
        assert other[b"pickled"] == b"old"
    with pickle.loads(pickle.dumps(kv)) as other:
        other.put(b"pickled", b"new")
    assert kv.get_record(b"pickled", r=3).in_conflict
    kv.close()
    with pytest.raises(rw.ClosedError):
        pickle.dumps(kv)


def test_in_a_forked_child_it_connects_anew(kv: rw.Client) -> None:
    kv.put(b"forked", b"old")
    view = kv.with_options(r=3)
    dropped = [kv.with_options(r=1)]

    def use() -> None:
        assert not kv.is_closed
        assert kv.remembered_context(b"forked") == rw.NO_CONTEXT
        view.put(b"forked", b"new")
        assert kv.get_record(b"forked", r=3).in_conflict
        dropped.clear()
        kv.close()
        with pytest.raises(rw.ClosedError):
            view.get(b"forked")

    in_child(use)
    assert not kv.is_closed
    assert kv.get_record(b"forked", r=3).in_conflict


def test_a_child_that_is_one_of_many_threads(kv: rw.Client) -> None:
    """The threads of a child connect once between them."""
    kv.put(b"threads", b"v")

    def use() -> None:
        results: list[bytes] = []
        threads = [threading.Thread(target=lambda: results.append(kv[b"threads"])) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert results == [b"v"] * 8
        kv.close()

    in_child(use)


def test_one_that_is_dropped_says_so(cluster: rw.Cluster) -> None:
    kv = [rw.Client(cluster.nodes["node1"].address, timeout=10)]
    core = kv[0]._link.core
    with pytest.warns(ResourceWarning, match="dropped without close"):
        kv.clear()
        gc.collect()
    assert core.is_closed()


def test_many_threads(kv: rw.Client) -> None:
    errors: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for i in range(100):
                kv.put(b"many/%d/%d" % (number, i), b"%d" % i)
                assert kv[b"many/%d/%d" % (number, i)] == b"%d" % i
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors


def test_a_node_goes_and_comes_back(tmp_path: Path) -> None:
    with rw.Cluster.local(nodes=3, processes=True, name="comes-back", timeout=10) as cluster:
        cluster.wait_connected()
        with rw.Client(cluster.nodes["node1"].address, timeout=10) as kv:
            # One that node1 is asked for first.
            key = next(k for k in (b"%d" % i for i in range(1000)) if _first(kv, k) == "node1")
            kv.put(key, b"v")
            cluster.kill("node1")
            for _ in range(10):
                assert kv[key] == b"v"
            assert {e.node for e in kv.where(key).nodes if e.up} == {"node2", "node3"}
            cluster.restart("node1")
            assert comes_true(lambda: kv[key] == b"v" and _first(kv, key) == "node1")


def _first(kv: rw.Client, key: bytes) -> str:
    return kv.where(key).nodes[0].node


@pytest.mark.parametrize("idle_poll", ["10ms", "0s"])
def test_a_node_looks_before_it_sleeps_as_it_is_told(tmp_path: Path, idle_poll: str) -> None:
    config = {f"listen.{kind}": "127.0.0.1:0" for kind in ("client", "peer", "admin")}
    config["node.idle_poll"] = idle_poll
    with rw.Node.open(tmp_path / "data", config=config, engine="memory") as node:
        with rw.Client(node.address) as kv:
            for i in range(200):
                kv.put(b"%d" % i, b"v")

            def polled() -> float:
                kv.put(b"k", b"v")
                return node.metrics()["ringwright_loop_waits_polled_total"]

            if idle_poll == "0s":
                assert polled() == 0
            else:
                assert comes_true(lambda: polled() > 0)
        assert node.metrics()["ringwright_loop_waits_slept_total"] > 0


def test_a_node_opened_in_this_process(tmp_path: Path) -> None:
    config = {f"listen.{kind}": "127.0.0.1:0" for kind in ("client", "peer", "admin")}
    with rw.Node.open(tmp_path / "data", config=config, engine="memory") as node:
        assert node.name == "node1"
        assert node.pid == os.getpid()
        assert node.is_up
        with rw.Client(node.address) as kv:
            kv.put(b"k", b"v")
            assert kv[b"k"] == b"v"
        assert node.metrics()["ringwright_up"] == 1
        assert node.admin_address.startswith("127.0.0.1:")
        with pytest.raises(rw.EngineLockedError):
            rw.Node.open(tmp_path / "data", config=config)
        node.drain()
        assert node.status().condition == "stopped"
    node.close()
    with rw.Node.open(tmp_path / "data", config=config, engine="memory") as again:
        with rw.Client(again.address) as kv:
            assert kv[b"k"] == b"v"
        assert again.id == node.id


def test_a_node_that_is_dropped_says_so(tmp_path: Path) -> None:
    config = {f"listen.{kind}": "127.0.0.1:0" for kind in ("client", "peer", "admin")}
    nodes = [rw.Node.open(tmp_path, config=config)]
    with pytest.warns(ResourceWarning, match="dropped without close"):
        nodes.clear()
        gc.collect()
    with rw.Node.open(tmp_path, config=config):
        pass
    with pytest.raises(TypeError, match="Node.open"):
        rw.Node()
