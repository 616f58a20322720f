"""The session that the package is for, word by word."""

from __future__ import annotations

import pytest
import ringwright as rw
from conftest import Engine


def test_a_first_session(engine: Engine) -> None:
    with rw.Cluster.local(nodes=3, engine=engine, n=3, r=2, w=2) as cluster:
        kv = cluster.client()
        kv.put(b"cart", b"eggs")
        seen = kv.get(b"cart")
        assert seen is not None
        assert seen.value == b"eggs"
        with cluster.partition(["node1"], ["node2", "node3"]):
            cluster.client(node="node1").put(b"cart", b"eggs, milk", context=seen.context, w=1)
            cluster.client(node="node2").put(b"cart", b"eggs, butter", context=seen.context, w=1)
        both = kv.get(b"cart", r=3)
        assert both is not None
        assert both.in_conflict
        assert {s.value for s in both.siblings} == {b"eggs, milk", b"eggs, butter"}
        with pytest.raises(rw.ConflictError) as conflict:
            _ = both.value
        assert conflict.value.record is both
        kv.put(b"cart", b"eggs, milk, butter", context=both.context)
        assert kv[b"cart"] == b"eggs, milk, butter"
        kv.delete(b"cart")
        assert kv.get(b"cart", r=3) is None
        cluster.kill("node3")
        cluster.restart("node3")
        assert kv.get(b"cart", r=3) is None


def test_a_long_partition_is_noticed_and_forgotten(engine: Engine) -> None:
    config = {"membership": {"ping_interval": "20ms", "suspect_after": "100ms"}}
    with rw.Cluster.local(nodes=3, engine=engine, config=config) as cluster:
        kv = cluster.client()
        with cluster.partition(["node1"], ["node2", "node3"]):
            while cluster.nodes["node1"].status().members["node2"] == "alive":
                pass
            with pytest.raises(rw.UnavailableError) as refused:
                cluster.client(node="node1", timeout=0.3).put(b"k", b"v", w=3)
            assert refused.value.required == 3
            assert refused.value.alive < 3
            assert refused.value.retryable
            assert not refused.value.outcome_unknown
            cluster.client(node="node1").put(b"k", b"left", w=1)
            cluster.client(node="node3").put(b"k", b"right", w=1)
        record = kv.get(b"k", r=3)
        assert record is not None
        assert {s.value for s in record.siblings} == {b"left", b"right"}


def test_acknowledged_values_survive_a_kill_of_every_node(engine: Engine) -> None:
    with rw.Cluster.local(nodes=3, engine=engine, durability="os") as cluster:
        kv = cluster.client()
        for number in range(20):
            kv.put(b"%d" % number, b"value %d" % number, w=3)
        for name in cluster.nodes:
            cluster.kill(name)
            cluster.restart(name)
        for number in range(20):
            assert kv[b"%d" % number] == b"value %d" % number
