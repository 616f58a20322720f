"""Test doubles of engines, chosen by name with options, and what the meter shows of them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
import ringwright as rw
from ringwright._processes import _bytes_of

from processes import comes_true, needs_processes

Open = Callable[..., rw.Cluster]


@pytest.fixture(
    params=[False, pytest.param(True, marks=needs_processes)], ids=["threads", "processes"]
)
def open_cluster(request: pytest.FixtureRequest) -> Iterator[Open]:
    with ExitStack() as stack:

        def made(engine: str | rw.EngineSpec) -> rw.Cluster:
            cluster = rw.Cluster.local(
                nodes=3, engine=engine, processes=request.param, timeout=10
            )
            stack.enter_context(cluster)
            cluster.wait_connected()
            return cluster

        yield made


def shown(cluster: rw.Cluster, node: str, name: str, **labels: str) -> float:
    """A metric of the engine of the keyspace "default"; 0 when it is not there."""
    text = ",".join(f'{key}="{value}"' for key, value in {"keyspace": "default", **labels}.items())
    return cluster.nodes[node].metrics().get(f"ringwright_engine_{name}{{{text}}}", 0.0)


def test_a_slow_engine_shows_in_the_metrics(open_cluster: Open) -> None:
    options = {"slow.write_latency": "3ms", "native_merge": False}
    cluster = open_cluster(rw.EngineSpec("slow(memory)", options))
    with cluster.client(node="node2") as kv:
        for number in range(5):
            kv.put(b"k%d" % number, b"value", w=3)
    for node in cluster.nodes:
        assert cluster.nodes[node].status().engines[0].engine == "slow(memory)"
        calls = shown(cluster, node, "call_duration_seconds_count", op="write")
        assert calls >= 1
        assert shown(cluster, node, "call_duration_seconds_sum", op="write") >= 0.003 * calls
        assert shown(cluster, node, "call_duration_seconds_bucket", op="write", le="0.002") == 0
        assert shown(cluster, node, "calls_total", op="write") > calls, "some would have blocked"
        assert shown(cluster, node, "bytes_written_total") > 5 * len(b"value")
        assert shown(cluster, node, "write_batch_operations_sum") >= 5


def test_a_paused_engine_holds_what_needs_it_until_it_is_resumed(open_cluster: Open) -> None:
    cluster = open_cluster("pausable(memory)")
    with cluster.client(node="node2") as kv:
        kv.put(b"k", b"before", w=3)
        cluster.pause_engine("node1")
        with pytest.raises(rw.TimeoutError) as raised:
            kv.put(b"k", b"held", w=3, timeout=0.3)
        assert raised.value.outcome_unknown
        assert (raised.value.required, raised.value.received) == (3, 2)
        kv.put(b"k", b"two are enough", w=2)
        assert cluster.nodes["node1"].is_up
        done = threading.Event()
        waiting = threading.Thread(target=lambda: (kv.put(b"other", b"v", w=3), done.set()))
        waiting.start()
        assert not done.wait(0.2)
        cluster.resume_engine(cluster.nodes["node1"])
        assert done.wait(10)
        waiting.join()
        kv.put(b"k", b"after", w=3)
        with cluster.client(node="node1") as own:
            # What was held took effect after all, beside what did not know of it.
            found = {sibling.value for sibling in own.get_record(b"k", r=1).siblings}
            assert found == {b"held", b"after"}


def test_a_restarted_node_has_an_engine_that_runs(open_cluster: Open) -> None:
    cluster = open_cluster(rw.EngineSpec("pausable(memory)", {"pausable.deadline": "60s"}))
    with cluster.client(node="node2") as kv:
        cluster.pause_engine("node1")
        with pytest.raises(rw.TimeoutError):
            kv.put(b"k", b"held", w=3, timeout=0.1)
        start = time.monotonic()
        cluster.stop("node1")
        assert time.monotonic() - start < 15, "it did not wait for its engine"
        cluster.restart("node1")
        kv.put(b"k", b"v", w=3)


def test_faults_are_armed_by_options_and_while_it_runs(open_cluster: Open) -> None:
    cluster = open_cluster(rw.EngineSpec("faulty(memory)", {"faulty.write_refused": "100%"}))
    refused = {"op": "write", "code": "busy"}
    with cluster.client(node="node2") as kv:
        with pytest.raises(rw.Error):
            kv.put(b"k", b"v", w=3, timeout=0.5)
        assert shown(cluster, "node2", "call_errors_total", **refused) >= 1
        for node in cluster.nodes:
            cluster.set_engine_faults(node, {"write_refused": 0})
        kv.put(b"k", b"v", w=3)
        cluster.set_engine_faults("node1", {"write_refused": 1, "space": 1})
        with pytest.raises(rw.Error):
            kv.put(b"k", b"v", w=3, timeout=0.5)
        assert comes_true(lambda: shown(cluster, "node1", "call_errors_total", **refused) >= 1)
        cluster.set_engine_faults("node1", {"write_refused": 0})
        with pytest.raises(rw.Error):
            kv.put(b"k", b"v", w=3, timeout=0.5)
        assert shown(cluster, "node1", "call_errors_total", op="write", code="no_space") >= 1
        cluster.set_engine_faults("node1", {"space": "unlimited"})
        kv.put(b"k", b"v", w=3)


def test_what_cannot_be_disturbed_says_what_to_do(open_cluster: Open) -> None:
    cluster = open_cluster("faulty(memory)")
    with pytest.raises(rw.InvalidRequestError, match=r"write 'pausable\(faulty\(memory\)\)'"):
        cluster.pause_engine("node1")
    with pytest.raises(rw.InvalidRequestError, match="did you mean 'read_fails'"):
        cluster.set_engine_faults("node1", {"red_fails": 0.5})
    with pytest.raises(rw.InvalidRequestError, match="probability"):
        cluster.set_engine_faults("node1", {"read_fails": 1.5})
    with pytest.raises(rw.InvalidRequestError, match="did you mean 'default'"):
        cluster.set_engine_faults("node1", {"read_fails": 0}, keyspace="defalt")
    with pytest.raises(rw.InvalidRequestError, match="node1"):
        cluster.pause_engine("nod1")
    cluster.stop("node1")
    with pytest.raises(rw.InvalidRequestError, match="does not run"):
        cluster.resume_engine("node1")


def test_options_of_a_stack_belong_to_its_parts() -> None:
    for name, options, words in [
        ("slow(memory)", {"slow.red_latency": "1ms"}, "did you mean 'read_latency'"),
        ("slow(memory)", {"read_latency": "1ms"}, "engine 'memory' has no option 'read_latency'"),
        ("slow(memory)", {"slow.read_latency": 1}, "write it with a unit"),
        ("memory", {"slow.read_latency": "1ms"}, "has no option 'slow.read_latency'"),
        ("metered(memory)", {"metered.x": 1}, "has no options"),
    ]:
        with pytest.raises(rw.InvalidRequestError) as raised:
            rw.Cluster.local(nodes=1, engine=rw.EngineSpec(name, options)).close()
        assert words in str(raised.value)


def test_options_of_a_stack_come_from_the_config_too() -> None:
    config = {
        "keyspace.default.engine": "slow(faulty(memory))",
        "engine": {"slow": {"write_latency": "5ms"}, "faulty": {"seed": 7}},
    }
    with rw.Cluster.local(nodes=1, config=config) as cluster:
        with cluster.client() as kv:
            kv.put(b"k", b"v")
        assert shown(cluster, "node1", "call_duration_seconds_sum", op="write") >= 0.005


def test_an_engine_without_damage_says_so(open_cluster: Open) -> None:
    cluster = open_cluster("memory")
    assert [engine.damaged for engine in cluster.nodes["node1"].status().engines] == [(), ()]
    assert shown(cluster, "node1", "damaged_ranges") == 0


def test_keys_of_damage_are_read_back_as_they_were() -> None:
    assert _bytes_of(r"\x01\x00c\\x41\xff") == b"\x01\x00c\\x41\xff"
    assert _bytes_of("") == b""
