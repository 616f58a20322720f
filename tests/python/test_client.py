"""Reading and writing through a client."""

from __future__ import annotations

import gc
import pickle
import time

import pytest
import ringwright as rw
from conftest import put_siblings


def test_bytes_like_in_bytes_out(kv: rw.Client) -> None:
    kv.put(bytearray(b"k"), memoryview(b"v"))
    record = kv.get(memoryview(b"k"))
    assert record is not None
    assert record.key == b"k"
    assert type(record.key) is bytes
    assert type(record.value) is bytes
    kv.put(b"\x00\xff", b"")
    assert kv[b"\x00\xff"] == b""


@pytest.mark.parametrize("call", ["get", "put key", "put value", "delete", "many", "where"])
def test_text_is_refused_with_a_hint(kv: rw.Client, call: str) -> None:
    calls = {
        "get": lambda: kv.get("k"),  # type: ignore[arg-type]
        "put key": lambda: kv.put("k", b""),  # type: ignore[arg-type]
        "put value": lambda: kv.put(b"k", "v"),  # type: ignore[arg-type]
        "delete": lambda: kv.delete("k"),  # type: ignore[arg-type]
        "many": lambda: kv.get_many(["k"]),  # type: ignore[list-item]
        "where": lambda: kv.where("k"),  # type: ignore[arg-type]
    }
    with pytest.raises(TypeError, match=r"must be bytes, not str.*encode"):
        calls[call]()  # type: ignore[no-untyped-call]


def test_other_types_are_refused(kv: rw.Client) -> None:
    with pytest.raises(TypeError, match="not int"):
        kv.put(b"k", 1)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="Context"):
        kv.put(b"k", b"", context=b"raw")  # type: ignore[arg-type]


def test_absent_and_deleted_keys_have_a_context(kv: rw.Client) -> None:
    absent = kv.get_record(b"k")
    assert not absent.exists
    assert not absent.in_conflict
    assert absent.siblings == ()
    with pytest.raises(KeyError):
        _ = absent.value
    written = kv.put(b"k", b"v", context=absent.context)
    kv.delete(b"k")
    deleted = kv.get_record(b"k", r=3)
    assert not deleted.exists
    assert written <= deleted.context
    kv.put(b"k", b"again", context=deleted.context)
    assert kv[b"k"] == b"again"


def test_siblings_are_shown_and_replaced(cluster: rw.Cluster, kv: rw.Client) -> None:
    put_siblings(cluster, b"k", b"a", b"b", b"c")
    record = kv.get(b"k", r=3)
    assert record is not None
    assert {s.value for s in record.siblings} == {b"a", b"b", b"c"}
    chosen = record.resolve(lambda siblings: max(s.value for s in siblings))
    assert chosen.value == b"c"
    assert chosen.resolved
    assert chosen.context == record.context
    assert "in conflict" in record._repr_html_()
    kv.put(b"k", chosen.value, context=chosen.context)
    assert kv.get_record(b"k", r=3).value == b"c"


def test_a_client_does_not_conflict_with_itself(kv: rw.Client) -> None:
    for number in range(10):
        kv.put(b"k", b"%d" % number)
    assert kv.get_record(b"k", r=3).value == b"9"
    assert kv.remembered_context(b"k") != rw.NO_CONTEXT
    kv.forget_contexts()
    assert kv.remembered_context(b"k") == rw.NO_CONTEXT
    kv.put(b"k", b"beside")
    assert kv.get_record(b"k", r=3).in_conflict


def test_as_a_mapping(cluster: rw.Cluster, kv: rw.Client) -> None:
    kv[b"k"] = b"1"
    with cluster.client() as other:
        other[b"k"] = b"2"
    assert kv[b"k"] == b"2"
    assert kv.get_default(b"k") == b"2"
    del kv[b"k"]
    assert kv.get(b"k") is None
    assert kv.get_default(b"k", b"none") == b"none"
    with pytest.raises(KeyError):
        kv[b"k"]
    with pytest.raises(KeyError):
        del kv[b"k"]
    with pytest.raises(TypeError, match="is not None"):
        assert b"k" in kv
    with pytest.raises(TypeError, match="list keys"):
        list(kv)
    put_siblings(cluster, b"two", b"a", b"b")
    with pytest.raises(rw.ConflictError):
        kv[b"two"]
    with pytest.raises(rw.ConflictError):
        kv.get_default(b"two")


def test_a_delete_removes_only_what_it_has_seen(cluster: rw.Cluster) -> None:
    with cluster.client() as one, cluster.client() as other:
        context = one.put(b"k", b"a")
        other.put(b"k", b"b", context=rw.NO_CONTEXT, w=3)
        one.delete(b"k", context=context)
        assert other.get_record(b"k", r=3).value == b"b"
        one.delete(b"k")
        assert other.get(b"k", r=3) is None
        one.delete(b"never there")


def test_update(cluster: rw.Cluster, kv: rw.Client) -> None:
    def increment(value: bytes | None) -> bytes:
        return b"%d" % (int(value or b"0") + 1)

    assert kv.update(b"n", increment) == b"1"
    assert kv.update(b"n", increment) == b"2"
    with cluster.client() as other:
        assert other.update(b"n", increment) == b"3"
    assert kv.get_record(b"n", r=3).value == b"3"

    put_siblings(cluster, b"two", b"1", b"5")
    with pytest.raises(rw.ConflictError):
        kv.update(b"two", increment)

    class Largest(rw.Resolver):
        def resolve(self, key, siblings):  # type: ignore[no-untyped-def]
            return [max(siblings, key=lambda s: int(s.value))]

    assert kv.with_options(resolver=Largest()).update(b"two", increment) == b"6"
    assert kv.get_record(b"two", r=3).value == b"6"


def test_update_gives_up_after_its_attempts(cluster: rw.Cluster) -> None:
    cluster.kill("node2")
    cluster.kill("node3")
    calls = []

    def note(value: bytes | None) -> bytes:
        calls.append(value)
        return b"v"

    with cluster.client(timeout=0.5) as kv:
        with pytest.raises((rw.UnavailableError, rw.TimeoutError)) as failed:
            kv.update(b"k", note, r=1, w=3, attempts=2)
        assert len(calls) == (1 if failed.value.outcome_unknown else 2)

        def broken(value: bytes | None) -> bytes:
            raise LookupError("mine")

        with pytest.raises(LookupError, match="mine"):
            kv.update(b"k", broken, r=1, w=1)


def test_batches(kv: rw.Client) -> None:
    items = {b"%d" % number: b"v%d" % number for number in range(500)}
    result = kv.put_many(items)
    assert result.ok
    assert len(result) == 500
    assert set(result.contexts) == set(items)
    found = kv.get_many([*items, b"absent"], concurrency=16)
    assert {key: record.value for key, record in found.items()} == items
    pairs = kv.put_many((key, b"again") for key in [b"1", b"2"])
    assert set(pairs.contexts) == {b"1", b"2"}
    assert kv.get_many([b"1"])[b"1"].value == b"again"
    assert kv.get_many([]) == {}
    assert kv.put_many([]).ok


def test_a_batch_with_a_bad_item() -> None:
    with rw.Cluster.local(nodes=1, value_bytes_max=100) as cluster, cluster.client() as kv:
        items = {b"good": b"v", b"bad": b"v" * 101, b"also good": b"v"}
        result = kv.put_many(items, on_error="collect")
        assert not result.ok
        assert set(result.errors) == {b"bad"}
        assert isinstance(result.errors[b"bad"], rw.InvalidRequestError)
        assert set(result.contexts) == {b"good", b"also good"}
        with pytest.raises(rw.InvalidRequestError) as failed:
            kv.put_many(items)
        assert failed.value.batch is not None
        assert set(failed.value.batch.contexts) == {b"good", b"also good"}
        with pytest.raises(rw.InvalidRequestError, match="collect"):
            kv.put_many(items, on_error="ignore")  # type: ignore[arg-type]
        with pytest.raises(rw.InvalidRequestError, match="concurrency"):
            kv.put_many(items, concurrency=0)


def test_levels(kv: rw.Client) -> None:
    for level in (1, 3, "one", "QUORUM", rw.Quorum.ALL, rw.Quorum.TWO):
        kv.put(b"k", b"v", w=level)
        assert kv.get(b"k", r=level) is not None
    for wrong in (0, -1, 201):
        with pytest.raises(rw.InvalidRequestError, match="r="):
            kv.get(b"k", r=wrong)
    with pytest.raises(rw.InvalidRequestError) as refused:
        kv.get(b"k", r=4)
    assert "3" in str(refused.value)
    with pytest.raises(rw.InvalidRequestError, match="(?i)quorum"):
        kv.get(b"k", r="qourum")
    with pytest.raises(TypeError):
        kv.get(b"k", r=1.5)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        kv.get(b"k", r=True)


def test_ttl(kv: rw.Client) -> None:
    kv.put(b"k", b"v", ttl=0.2)
    assert kv[b"k"] == b"v"
    time.sleep(0.25)
    assert kv.get(b"k") is None
    for wrong in (0, -1, float("nan"), float("inf")):
        with pytest.raises(rw.InvalidRequestError, match="ttl"):
            kv.put(b"k", b"v", ttl=wrong)


def test_timeouts_are_checked(kv: rw.Client) -> None:
    for wrong in (0, -1, float("nan"), 1e300):
        with pytest.raises(rw.InvalidRequestError, match="timeout"):
            kv.get(b"k", timeout=wrong)
    with pytest.raises(TypeError):
        kv.get(b"k", timeout="1s")  # type: ignore[arg-type]


def test_a_pinned_client_asks_its_node_only(cluster: rw.Cluster) -> None:
    for name in cluster.nodes:
        with cluster.client(node=name) as pinned:
            pinned.put(b"k", b"v")
            assert pinned.get_record(b"k").coordinator == name
    with pytest.raises(rw.InvalidRequestError, match="node1"):
        cluster.client(node="nod1")


def test_where(cluster: rw.Cluster, kv: rw.Client) -> None:
    place = kv.where(b"k")
    assert place.key == b"k"
    assert 0 <= place.token < 2**64
    assert {entry.node for entry in place.nodes} == set(cluster.nodes)
    assert all(entry.up and entry.role == "primary" for entry in place.nodes)
    cluster.kill(place.nodes[0].node)
    assert place.nodes[0].node not in {entry.node for entry in kv.where(b"k").nodes if entry.up}


def test_views(kv: rw.Client) -> None:
    view = kv.with_options(r=3, w="ALL", timeout=2.0)
    view.put(b"k", b"v")
    assert kv.get(b"k") is not None
    view.close()
    assert view.is_closed
    assert not kv.is_closed
    with pytest.raises(rw.ClosedError):
        view.get(b"k")
    another = kv.with_options(r=1)
    kv.close()
    assert another.is_closed
    with pytest.raises(rw.ClosedError):
        another.get(b"k")


def test_close_is_final(cluster: rw.Cluster) -> None:
    kv = cluster.client()
    with kv:
        kv.put(b"k", b"v")
    assert kv.is_closed
    kv.close()
    calls = [
        lambda: kv.get(b"k"),
        lambda: kv.put(b"k", b""),
        lambda: kv.delete(b"k"),
        lambda: kv.get_many([b"k"]),
        lambda: kv.put_many({b"k": b""}),
        lambda: kv.where(b"k"),
        lambda: kv.with_options(r=1),
        lambda: kv.forget_contexts(),
        lambda: kv.remembered_context(b"k"),
    ]
    for call in calls:
        with pytest.raises(rw.ClosedError) as closed:
            call()  # type: ignore[no-untyped-call]
        assert closed.value.code == "closed"


def test_a_dropped_client_is_closed(cluster: rw.Cluster) -> None:
    kept = cluster.client()
    core = kept._link.core
    kept.put(b"k", b"v")
    del kept
    gc.collect()
    assert core.is_closed()
    assert cluster.client()[b"k"] == b"v"


def test_a_client_of_this_process_is_not_pickled(kv: rw.Client) -> None:
    with pytest.raises(TypeError, match="pickled"):
        pickle.dumps(kv)
    assert "default" in repr(kv)
