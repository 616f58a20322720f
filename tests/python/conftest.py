"""What the tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import ringwright as rw

HAS_ROCKSDB = any(e["name"] == "rocksdb" and "error" not in e for e in rw.engines())

ENGINES = [
    "memory",
    pytest.param(
        "rocksdb",
        marks=pytest.mark.skipif(not HAS_ROCKSDB, reason="the RocksDB plugin was not built"),
    ),
]


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


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
