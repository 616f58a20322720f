"""Contexts: opaque, comparable, portable."""

from __future__ import annotations

import copy
import json
import pickle

import pytest
import ringwright as rw
from conftest import put_siblings


def test_a_context_goes_through_bytes_pickle_and_copy(kv: rw.Client) -> None:
    context = kv.put(b"k", b"v")
    assert isinstance(bytes(context), bytes)
    assert rw.Context.from_bytes(bytes(context)) == context
    assert rw.Context.from_bytes(bytearray(bytes(context))) == context
    assert pickle.loads(pickle.dumps(context)) == context
    assert copy.deepcopy(context) == context
    assert hash(copy.copy(context)) == hash(context)
    assert type(context).__module__ == "ringwright"


def test_a_record_can_be_pickled(cluster: rw.Cluster, kv: rw.Client) -> None:
    put_siblings(cluster, b"k", b"a", b"b")
    record = kv.get(b"k", r=3)
    assert pickle.loads(pickle.dumps(record)) == record


def test_order(kv: rw.Client) -> None:
    first = kv.put(b"k", b"1")
    second = kv.put(b"k", b"2", context=first)
    beside = kv.put(b"k", b"3", context=first)
    assert first <= second
    assert second >= first
    assert not second <= first
    assert second <= second
    assert not second.concurrent(first)
    assert second.concurrent(beside) or second <= beside
    assert rw.NO_CONTEXT <= first
    assert not first <= rw.NO_CONTEXT
    assert first != second


def test_contexts_of_two_keys_have_no_order(kv: rw.Client) -> None:
    one, other = kv.put(b"one", b""), kv.put(b"other", b"")
    assert one != other
    with pytest.raises(rw.InvalidRequestError, match="different keys"):
        assert one <= other
    with pytest.raises(rw.InvalidRequestError, match="different keys"):
        one.concurrent(other)


def test_a_dict_is_plain_data(kv: rw.Client) -> None:
    context = kv.put(b"k", b"v")
    shown = context.to_dict()
    assert json.loads(json.dumps(shown)) == shown
    assert list(shown["events"].values()) != []
    assert shown["timestamp"] > 1.6e9


def test_bytes_that_are_no_context() -> None:
    assert bytes(rw.NO_CONTEXT) == b""
    with pytest.raises(rw.InvalidRequestError):
        rw.Context.from_bytes(b"nonsense")
    with pytest.raises(TypeError, match="encode"):
        rw.Context.from_bytes("text")  # type: ignore[arg-type]


def test_each_sibling_has_a_context_within_the_record_s(cluster: rw.Cluster, kv: rw.Client) -> None:
    put_siblings(cluster, b"k", b"a", b"b")
    record = kv.get(b"k", r=3)
    assert record is not None
    for sibling in record.siblings:
        assert sibling.context <= record.context
        assert not sibling.tombstone
        assert sibling.timestamp > 1.6e9
        assert sibling.origin in cluster.nodes


def test_a_context_of_another_key_is_refused(kv: rw.Client) -> None:
    context = kv.put(b"one", b"")
    with pytest.raises(rw.InvalidRequestError) as refused:
        kv.put(b"other", b"", context=context)
    assert refused.value.code == "invalid"
    assert not refused.value.retryable
    assert kv.get(b"other") is None


def test_a_context_of_another_keyspace_is_refused() -> None:
    with rw.Cluster.local(nodes=1, config={"keyspace.carts.n": 1}) as cluster:
        context = cluster.client().put(b"k", b"")
        with pytest.raises(rw.InvalidRequestError):
            cluster.client(keyspace="carts").put(b"k", b"", context=context)
        with pytest.raises(rw.InvalidRequestError):
            cluster.client().with_options(keyspace="carts").delete(b"k", context=context)
