"""The hierarchy of errors."""

from __future__ import annotations

import builtins
import pickle

import pytest
import ringwright as rw
from ringwright import errors

from processes import comes_true


def test_the_tree() -> None:
    for name in errors.__all__:
        kind = getattr(errors, name)
        assert issubclass(kind, rw.Error)
        assert getattr(rw, name) is kind
        assert kind.__doc__
    assert issubclass(rw.TimeoutError, builtins.TimeoutError)
    assert issubclass(rw.InvalidRequestError, ValueError)
    assert issubclass(rw.ConnectionError, builtins.ConnectionError)
    for kind in (rw.EngineLockedError, rw.CorruptionError, rw.NoSpaceError):
        assert issubclass(kind, rw.EngineError)


def test_codes_are_distinct_and_stable() -> None:
    codes = {
        name: getattr(errors, name).code for name in errors.__all__ if name != "EngineError"
    }
    assert len(set(codes.values())) == len(codes)
    assert codes["TimeoutError"] == "timed_out"


def test_a_timeout_of_paused_replicas(cluster: rw.Cluster) -> None:
    cluster.client().put(b"k", b"v", w=3)
    cluster.pause("node2")
    cluster.pause("node3")

    def nodes_own_word() -> bool:
        """Where the machine is slow the client gives up before it has come."""
        with pytest.raises(rw.Error) as failed:
            cluster.client(node="node1", timeout=0.2, retries=0).put(b"k", b"w", w=3)
        if isinstance(failed.value, rw.UnavailableError):
            return True
        assert isinstance(failed.value, rw.TimeoutError)
        assert failed.value.outcome_unknown
        return (
            failed.value.required == 3
            and 1 <= failed.value.received < 3
            and failed.value.node == "node1"
        )

    try:
        assert comes_true(nodes_own_word)
    finally:
        cluster.resume("node2", timeout=0)
        cluster.resume("node3")


def test_unavailable(cluster: rw.Cluster) -> None:
    cluster.kill("node2")
    cluster.kill("node3")
    with cluster.client(timeout=0.5) as kv, pytest.raises(rw.Error) as failed:
        kv.get(b"k", r=2)
    assert isinstance(failed.value, rw.UnavailableError)
    assert failed.value.required == 2
    assert failed.value.alive == 1
    assert failed.value.retryable


def test_errors_can_be_pickled(cluster: rw.Cluster) -> None:
    kv = cluster.client()
    with pytest.raises(rw.InvalidRequestError) as refused:
        kv.put(b"k" * 2000, b"")
    copied = pickle.loads(pickle.dumps(refused.value))
    assert type(copied) is rw.InvalidRequestError
    assert str(copied) == str(refused.value)
    assert copied.code == "invalid"
    kv.put(b"k", b"a", context=rw.NO_CONTEXT, w=3)
    kv.put(b"k", b"b", context=rw.NO_CONTEXT, w=3)
    with pytest.raises(rw.ConflictError) as conflict:
        _ = kv.get_record(b"k", r=3).value
    copied = pickle.loads(pickle.dumps(conflict.value))
    assert copied.record == conflict.value.record
