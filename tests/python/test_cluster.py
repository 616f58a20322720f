"""Starting, configuring, damaging and closing clusters."""

from __future__ import annotations

import gc
import os
import time
import uuid
from pathlib import Path

import pytest
import ringwright as rw
from conftest import HAS_ROCKSDB, NO_ROCKSDB, Engine


def test_nodes(cluster: rw.Cluster) -> None:
    assert list(cluster.nodes) == ["node1", "node2", "node3"]
    node = cluster.nodes["node2"]
    assert node.name == "node2"
    assert isinstance(node.id, uuid.UUID)
    assert node.address.startswith("loopback:")
    assert node.is_up
    status = node.status()
    assert status.id == node.id
    assert status.condition == "up"
    assert status.members["node1"] == "alive"
    assert {engine.keyspace for engine in status.engines} == {"default", "system"}
    metrics = node.metrics()
    assert metrics["ringwright_up"] == 1.0
    assert all(isinstance(value, float) for value in metrics.values())
    assert [s.name for s in cluster.status()] == list(cluster.nodes)


def test_lives_of_a_node(cluster: rw.Cluster) -> None:
    kv = cluster.client()
    for end in (cluster.stop, cluster.kill):
        end("node2")
        assert not cluster.nodes["node2"].is_up
        kv.put(b"k", b"v")
        assert kv[b"k"] == b"v"
        cluster.restart("node2")
        assert cluster.nodes["node2"].is_up
    cluster.pause(cluster.nodes["node3"])
    assert cluster.nodes["node3"].status().condition == "paused"
    assert cluster.client(node="node1")[b"k"] == b"v"
    cluster.resume("node3")
    assert cluster.nodes["node3"].is_up
    for act in (cluster.stop, cluster.kill, cluster.restart, cluster.pause, cluster.resume):
        with pytest.raises(rw.InvalidRequestError, match="did you mean 'node3'"):
            act("nodee3")


def test_links(cluster: rw.Cluster) -> None:
    config = {"membership.ping_interval": "20ms", "membership.suspect_after": "100ms"}
    with rw.Cluster.local(nodes=3, name="links", config=config) as other:
        other.cut("node1", "node2")
        while other.nodes["node2"].status().members["node1"] == "alive":
            pass
        assert other.nodes["node1"].status().members["node2"] == "alive"
        with other.partition(["node3"], ["node1"]):
            with other.partition(["node1"], ["node2", "node3"]) as inner:
                assert inner.separates("node1", "node3")
                assert not inner.separates("node2", "node3")
        assert other.nodes["node2"].status().members["node3"] == "alive"
        other.heal()
        assert other.nodes["node2"].status().members["node1"] == "alive"
        other.delay("node1", "node3", 0.01)
        other.heal()
    with pytest.raises(TypeError, match="group"):
        cluster.partition("node1", "node2")
    with pytest.raises(rw.InvalidRequestError):
        cluster.partition(["node1"], ["nodeX"])
    with pytest.raises(rw.InvalidRequestError, match="two groups"):
        cluster.partition(["node1"], ["node1"])
    with pytest.raises(rw.InvalidRequestError):
        cluster.delay("node1", "node2", -1.0)


def test_waiting_has_a_deadline() -> None:
    config = {"membership.ping_interval": "20ms", "membership.suspect_after": "100ms"}
    with rw.Cluster.local(nodes=2, config=config) as cluster:
        cluster.delay("node1", "node2", 30.0)
        while cluster.nodes["node2"].status().members["node1"] == "alive":
            pass
        begun = time.monotonic()
        with pytest.raises(rw.TimeoutError, match="node2 does not see node1"):
            cluster.wait_connected(0.2)
        assert time.monotonic() - begun < 5


def test_an_error_within_a_partition_is_not_hidden(cluster: rw.Cluster) -> None:
    with pytest.raises(LookupError, match="mine"), cluster.partition(["node1"], ["node2"]):
        raise LookupError("mine")
    with cluster.partition(["node1"], ["node2"]):
        cluster.close()


def test_ring(cluster: rw.Cluster) -> None:
    ring = cluster.ring()
    assert ring.partitions == 256
    assert sum(ring.ownership().values()) == 256
    assert max(ring.ownership().values()) - min(ring.ownership().values()) <= 1
    assert [m.id for m in ring.members] == [node.id for node in cluster.nodes.values()]
    assert ring.rows()[0]["first_token"] == 0
    assert ring.rows()[1]["first_token"] == 2**56
    assert len(ring.hash) == 16
    assert ring == cluster.ring()
    assert ring.preference_list(b"k") == cluster.where(b"k").nodes
    assert "node1" in ring._repr_html_()


def test_in_a_notebook(cluster: rw.Cluster) -> None:
    assert "node1" in cluster._repr_html_()
    assert "3 nodes" in repr(cluster)
    cluster.close()
    assert "closed" in cluster._repr_html_()


def test_configuration_from_everywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = """
        [cluster]
        nodes = 2
        [keyspace.default]
        n = 2
        [keyspace.carts]
        resolver = "lww"
        n = 1
    """
    file = tmp_path / "ringwright.toml"
    file.write_text(text)
    nested = {
        "cluster": {"nodes": 2},
        "keyspace": {"default": {"n": 2}, "carts": {"resolver": "lww", "n": 1}},
    }
    for config in (text, file, nested):
        with rw.Cluster.local(config=config) as cluster:
            assert len(cluster.nodes) == 2
            rows = {row["name"]: row for row in cluster.keyspaces()}
            assert rows["default"]["n"] == 2
            assert rows["carts"]["resolver"] == "lww"
    monkeypatch.setenv("RINGWRIGHT_CLUSTER__NODES", "1")
    monkeypatch.setenv("RINGWRIGHT_KEYSPACE__DEFAULT__N", "1")
    with rw.Cluster.local(config=text) as cluster:
        assert len(cluster.nodes) == 1
    with rw.Cluster.local(nodes=3, n=3, config=text) as cluster:
        assert cluster.keyspaces()[1]["n"] == 3


def test_the_last_write_wins_where_that_was_chosen() -> None:
    with rw.Cluster.local(nodes=3, resolver="lww") as cluster:
        with cluster.client() as one, cluster.client() as other:
            one.put(b"k", b"a", context=rw.NO_CONTEXT)
            other.put(b"k", b"b", context=rw.NO_CONTEXT)
            record = one.get_record(b"k", r=3)
            assert record.value == b"b"
            assert record.siblings[0].context <= record.context
            one.delete(b"k")
            assert other.get(b"k", r=3) is None


def test_more_settings() -> None:
    with rw.Cluster.local(
        nodes=4, n=2, r=1, w=1, shards=2, fan_out="quorum", sloppy=False, ttl=60.0, timeout=2.0,
        durability="none", engine=rw.EngineSpec("faulty(memory)"),
    ) as cluster:  # fmt: skip
        row = cluster.keyspaces()[0]
        assert row["engine"] == "faulty(memory)"
        assert row["ttl"] == 60.0
        assert row["durability"] == "none"
        assert not row["sloppy"]
        assert row["fan_out"] == "quorum"
        assert cluster.nodes["node4"].status().shards == 2
        kv = cluster.client()
        for number in range(50):
            kv.put(b"%d" % number, b"v")
            assert kv.get(b"%d" % number, r=2) is not None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"engine": "memroy"}, "memory"),
        ({"resolver": "vector_clok"}, "vector_clock"),
        ({"config": {"keyspace.default.fanout": "all"}}, "keyspace.default.fan_out"),
        ({"config": "[keyspace.default]\nresolvr = 'lww'"}, "keyspace.default.resolver"),
        ({"config": {"clustr.nodes": 3}}, "cluster.nodes"),
        ({"nodes": 3, "n": 3, "r": 4}, "r"),
        ({"nodes": 2, "n": 3}, "n"),
        ({"nodes": 0}, "cluster.nodes"),
        ({"fan_out": "some"}, "quorum or all"),
        ({"durability": "hard"}, "durability"),
        ({"transport": "lopback"}, "loopback"),
        ({"config": "[cluster"}, "config"),
        ({"config": {"node.shards": [1]}}, "node.shards"),
        ({"engine": rw.EngineSpec("memory", {"colour": "red"})}, "colour"),
    ],
)
def test_wrong_settings_name_what_is_meant(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(rw.InvalidRequestError) as refused:
        rw.Cluster.local(**arguments)  # type: ignore[arg-type]
    assert message in str(refused.value)
    assert isinstance(refused.value, ValueError)


def test_an_unknown_keyspace(cluster: rw.Cluster) -> None:
    with pytest.raises(rw.InvalidRequestError, match="default"):
        cluster.client(keyspace="defualt")
    with pytest.raises(rw.InvalidRequestError, match="keyspace"):
        cluster.client().with_options(keyspace="defualt")


def test_a_directory_is_kept_and_opened_again(tmp_path: Path, engine: Engine) -> None:
    with rw.Cluster.local(nodes=3, engine=engine, dir=tmp_path) as cluster:
        cluster.client().put(b"k", b"v", w=3)
        assert cluster.directory == tmp_path
        ids = [node.id for node in cluster.nodes.values()]
    assert {entry.name for entry in tmp_path.iterdir()} == {"node1", "node2", "node3"}
    with rw.Cluster.local(nodes=3, engine=engine, dir=tmp_path) as cluster:
        assert [node.id for node in cluster.nodes.values()] == ids
        assert cluster.client()[b"k"] == b"v"


def test_a_temporary_directory_goes() -> None:
    with rw.Cluster.local(nodes=1) as cluster:
        directory = cluster.directory
        assert directory.is_dir()
    assert not directory.exists()


def test_a_locked_directory_names_its_holder(tmp_path: Path) -> None:
    with rw.Cluster.local(nodes=1, dir=tmp_path):
        with pytest.raises(rw.EngineLockedError) as locked:
            rw.Cluster.local(nodes=1, dir=tmp_path, name="other")
        assert locked.value.pid == os.getpid()
        assert locked.value.code == "locked"
        assert isinstance(locked.value, rw.EngineError)


@NO_ROCKSDB
def test_each_node_may_have_its_own_engine(tmp_path: Path) -> None:
    engine = {
        "node2": rw.EngineSpec("rocksdb", {"write_buffer_size": "4MiB"}),
        "node3": "faulty(memory)",
    }

    def engines_of(cluster: rw.Cluster) -> list[str]:
        return [status.engines[0].engine for status in cluster.status()]

    with rw.Cluster.local(nodes=3, engine=engine, dir=tmp_path) as cluster:
        assert engines_of(cluster) == ["memory", "rocksdb", "faulty(memory)"]
        with cluster.client() as kv:
            kv.put(b"k", b"old", w=3)
            kv.put(b"k", b"new", w=3)
            kv.put(b"gone", b"1", w=3)
            kv.delete(b"gone", w=3)
        for name in cluster.nodes:
            with cluster.client(node=name) as one:
                assert one.get_record(b"k", r=1).value == b"new"
                assert one.get(b"gone", r=1) is None
    # A node whose directory is another engine's is not opened with what the others have.
    with pytest.raises(rw.VersionMismatchError, match="rocksdb"):
        rw.Cluster.local(nodes=3, dir=tmp_path, name="default")
    with rw.Cluster.local(nodes=3, engine=engine, dir=tmp_path) as cluster:
        assert cluster.client()[b"k"] == b"new"


def test_engines_of_nodes_are_checked() -> None:
    with pytest.raises(rw.InvalidRequestError, match="no node 'node4'"):
        rw.Cluster.local(nodes=3, engine={"node4": "memory"})
    with pytest.raises(rw.InvalidRequestError, match="did you mean 'memory'"):
        rw.Cluster.local(nodes=3, engine={"node2": "memmory"})
    with pytest.raises(rw.InvalidRequestError, match="same options"):
        rw.Cluster.local(
            nodes=2,
            engine={
                "node1": rw.EngineSpec("memory", {"native_merge": True}),
                "node2": rw.EngineSpec("memory", {"native_merge": False}),
            },
        )


@NO_ROCKSDB
def test_a_directory_of_another_engine_is_left_alone(tmp_path: Path) -> None:
    with rw.Cluster.local(nodes=1, dir=tmp_path) as cluster:
        cluster.client().put(b"k", b"v")
    with pytest.raises(rw.VersionMismatchError) as refused:
        rw.Cluster.local(nodes=1, engine="rocksdb", dir=tmp_path)
    assert "memory" in str(refused.value)
    with pytest.raises(rw.VersionMismatchError):
        rw.Cluster.local(nodes=1, dir=tmp_path, name="other")
    with rw.Cluster.local(nodes=1, dir=tmp_path) as cluster:
        assert cluster.client()[b"k"] == b"v"


def test_the_same_cell_can_run_again(tmp_path: Path) -> None:
    for directory in (None, tmp_path):
        first = rw.Cluster.local(nodes=1, name="cell", dir=directory)
        with pytest.warns(ResourceWarning, match="'cell' was closed"):
            second = rw.Cluster.local(nodes=1, name="cell", dir=directory)
        assert first.is_closed
        with rw.Cluster.local(nodes=1, name="another-cell"):
            assert not second.is_closed
        second.close()


def test_a_dropped_cluster_is_closed_with_a_warning() -> None:
    directory = None
    with pytest.warns(ResourceWarning, match="without close"):
        cluster = rw.Cluster.local(nodes=1)
        kv = cluster.client()
        kv.put(b"k", b"v")
        directory = cluster.directory
        del cluster
        gc.collect()
        assert kv[b"k"] == b"v"  # a client keeps its cluster
        del kv
        gc.collect()
    assert directory is not None
    assert not directory.exists()


def test_close_is_final() -> None:
    cluster = rw.Cluster.local(nodes=1)
    kv = cluster.client()
    node = cluster.nodes["node1"]
    cluster.close()
    cluster.close()
    assert cluster.is_closed
    assert kv.is_closed
    for call in (
        cluster.client, cluster.ring, cluster.status, cluster.heal, node.status,
        lambda: cluster.kill("node1"), lambda: cluster.partition(["node1"]),
        lambda: kv.get(b"k"), lambda: cluster.where(b"k"), cluster.keyspaces,
    ):  # fmt: skip
        with pytest.raises(rw.ClosedError):
            call()
    with pytest.raises(TypeError, match="local"):
        rw.Cluster()


def test_limits_of_keys_and_values(kv: rw.Client) -> None:
    kv.put(b"k" * 1024, b"v" * (1 << 20))
    with pytest.raises(rw.InvalidRequestError) as refused:
        kv.put(b"k" * 1025, b"")
    assert "1024" in str(refused.value)
    with pytest.raises(rw.InvalidRequestError):
        kv.get(b"k" * 1025)
    with pytest.raises(rw.InvalidRequestError):
        kv.put(b"k", b"v" * ((1 << 20) + 1))
    with pytest.raises(rw.InvalidRequestError):
        kv.put(b"", b"v")


def test_engines() -> None:
    rows = {row["name"]: row for row in rw.engines()}
    assert rows["memory"]["origin"] == "built-in"
    assert rw.engines() == rw.engines()
    if HAS_ROCKSDB:
        assert rows["rocksdb"]["origin"].endswith("ringwright_rocksdb.so")
