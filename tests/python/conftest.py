"""What the tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import ringwright as rw

HAS_ROCKSDB = any(e["name"] == "rocksdb" and "error" not in e for e in rw.engines())

HAS_WIREDTIGER = any(e["name"] == "wiredtiger" and "error" not in e for e in rw.engines())

Engine = str | dict[str, str]

NO_ROCKSDB = pytest.mark.skipif(not HAS_ROCKSDB, reason="the RocksDB plugin was not built")
MIXED = {
    "node1": "rocksdb" if HAS_ROCKSDB else "memory",
    "node2": "wiredtiger" if HAS_WIREDTIGER else "memory",
    "node3": "memory",
}
ENGINES = [
    "memory",
    pytest.param("rocksdb", marks=NO_ROCKSDB),
    pytest.param(MIXED, marks=NO_ROCKSDB, id="mixed"),
]


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> Engine:
    chosen: Engine = request.param
    return chosen


@pytest.fixture
def cluster() -> Iterator[rw.Cluster]:
    with rw.Cluster.local(nodes=3) as made:
        yield made


@pytest.fixture
def kv(cluster: rw.Cluster) -> rw.Client:
    return cluster.client()


def put_siblings(cluster: rw.Cluster, key: bytes, *values: bytes) -> None:
    """Puts concurrent values, each through a client of its own that has seen nothing."""
    for value in values:
        with cluster.client() as client:
            client.put(key, value, context=rw.NO_CONTEXT, w=3)
