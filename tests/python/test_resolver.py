"""Resolvers written in Python, and their laws."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import ringwright as rw
from conftest import put_siblings


class Union(rw.Resolver):
    """Values are sets of words."""

    def resolve(self, key: bytes, siblings: Sequence[rw.Sibling]) -> Sequence[rw.Sibling | bytes]:
        words = {word for s in siblings for word in s.value.split(b",") if word}
        return [b",".join(sorted(words))]


class First(rw.Resolver):
    def resolve(self, key: bytes, siblings: Sequence[rw.Sibling]) -> Sequence[rw.Sibling | bytes]:
        return [siblings[0]]


class Broken(rw.Resolver):
    def resolve(self, key: bytes, siblings: Sequence[rw.Sibling]) -> Sequence[rw.Sibling | bytes]:
        raise LookupError("this resolver is broken")


class Returning(rw.Resolver):
    def __init__(self, outcome: object) -> None:
        self.outcome = outcome

    def resolve(self, key: bytes, siblings: Sequence[rw.Sibling]) -> Sequence[rw.Sibling | bytes]:
        return self.outcome  # type: ignore[return-value]


def test_a_cluster_s_resolver_runs_in_its_clients() -> None:
    with rw.Cluster.local(nodes=3, resolver=Union()) as cluster:
        put_siblings(cluster, b"cart", b"eggs,milk", b"eggs,butter")
        kv = cluster.client()
        record = kv.get(b"cart", r=3)
        assert record is not None
        assert record.value == b"butter,eggs,milk"
        assert record.resolved
        assert not record.in_conflict
        assert record.siblings[0].origin == "resolver"
        assert kv.get_many([b"cart"], r=3)[b"cart"].value == b"butter,eggs,milk"
        raw = cluster.client(resolver=None).get(b"cart", r=3)
        assert raw is not None
        assert raw.in_conflict
        kv.put(b"cart", record.value, context=record.context)
        assert not cluster.client(resolver=None).get_record(b"cart", r=3).in_conflict
        assert kv.update(b"cart", lambda value: (value or b"") + b",tea") == b"butter,eggs,milk,tea"


def test_a_resolver_is_asked_only_about_siblings(cluster: rw.Cluster) -> None:
    kv = cluster.client(resolver=Broken())
    assert kv.get(b"k") is None
    kv.put(b"k", b"v")
    assert kv[b"k"] == b"v"


def test_an_exception_of_a_resolver_reaches_the_caller(cluster: rw.Cluster) -> None:
    put_siblings(cluster, b"k", b"a", b"b")
    kv = cluster.client(resolver=Broken())
    for call in (
        lambda: kv.get(b"k", r=3),
        lambda: kv.get_many([b"k"], r=3),
        lambda: kv.update(b"k", lambda v: b"", r=3),
        lambda: kv[b"k"],
    ):
        with pytest.raises(LookupError, match="this resolver is broken"):
            call()
    assert kv.with_options(resolver=None).get_record(b"k", r=3).in_conflict


def test_what_a_resolver_may_return(cluster: rw.Cluster, kv: rw.Client) -> None:
    put_siblings(cluster, b"k", b"a", b"b")
    record = kv.get_record(b"k", r=3)
    some, both = [record.siblings[1]], list(record.siblings)
    assert record.resolve(Returning(some)).value == record.siblings[1].value
    assert record.resolve(Returning(both)).in_conflict
    assert record.resolve(Returning([b"c", *both])).siblings[0].value == b"c"
    with pytest.raises(TypeError, match="list"):
        record.resolve(Returning(b"c"))
    with pytest.raises(TypeError, match="siblings or bytes"):
        record.resolve(Returning(["c"]))
    with pytest.raises(rw.InvalidRequestError, match="no sibling"):
        record.resolve(Returning([]))
    stranger = rw.Sibling(b"c", record.context, 0.0, "node1")
    with pytest.raises(rw.InvalidRequestError, match="given siblings"):
        record.resolve(Returning([stranger]))


def test_lawful() -> None:
    report = rw.resolver_laws(Union())
    assert report
    assert report.ok
    assert report.checks > 100
    assert "all laws hold" in str(report)
    assert rw.resolver_laws(Union(), [[b"%d" % number for number in range(7)]])


def test_the_order_of_siblings() -> None:
    report = rw.resolver_laws(First(), [[b"a", b"b"]])
    assert not report
    assert report.law == "order does not matter"
    assert "b'b'" in report.counter_example
    assert "order does not matter" in str(report)


def test_other_laws() -> None:
    class Growing(rw.Resolver):
        def resolve(
            self, key: bytes, siblings: Sequence[rw.Sibling]
        ) -> Sequence[rw.Sibling | bytes]:
            values = sorted(s.value for s in siblings)
            return [values[0] + b"!", values[-1]]

    class Counting(rw.Resolver):
        calls = 0

        def resolve(
            self, key: bytes, siblings: Sequence[rw.Sibling]
        ) -> Sequence[rw.Sibling | bytes]:
            self.calls += 1
            return [b"%d" % self.calls]

    assert rw.resolver_laws(Growing()).law == "idempotent"
    assert rw.resolver_laws(Counting()).law == "pure"
    broken = rw.resolver_laws(Broken())
    assert broken.law == "total"
    assert "this resolver is broken" in broken.counter_example
    with pytest.raises(rw.InvalidRequestError, match="sample"):
        rw.resolver_laws(Union(), [])
    with pytest.raises(rw.InvalidRequestError, match="two"):
        rw.resolver_laws(Union(), [[b"a"]])


def test_a_resolver_in_a_simulation() -> None:
    sim = rw.Simulation(seed=3, resolver=Union())
    sim.put("node1", b"k", b"a", context=rw.NO_CONTEXT)
    sim.put("node2", b"k", b"b", context=rw.NO_CONTEXT)
    record = sim.get("node3", b"k", r=3)
    assert record is not None
    assert record.value == b"a,b"
