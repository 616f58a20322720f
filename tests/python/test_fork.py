"""A forked child cannot use what its parent opened, and does not hang over it."""

from __future__ import annotations

import os
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Callable

import pytest
import ringwright as rw


def in_child(work: Callable[[], None]) -> None:
    """Runs `work` in a forked child, and fails when it does or hangs."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        code = 1
        try:
            work()
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)
    until = time.monotonic() + 20
    while time.monotonic() < until:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            assert os.waitstatus_to_exitcode(status) == 0
            return
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    raise AssertionError("the child hangs")


def test_a_child_is_refused_and_the_parent_goes_on(cluster: rw.Cluster) -> None:
    kv = cluster.client()
    kv.put(b"k", b"v")

    def use() -> None:
        for call in (lambda: kv.get(b"k"), cluster.client, lambda: cluster.kill("node1")):
            with pytest.raises(rw.ClosedError, match="forked"):
                call()
        assert kv.is_closed
        assert cluster.is_closed
        kv.close()
        cluster.close()
        assert "closed" in repr(cluster)

    in_child(use)
    assert kv[b"k"] == b"v"
    assert cluster.directory.is_dir()


def test_a_child_may_drop_what_it_inherited() -> None:
    made = [rw.Cluster.local(nodes=2, name="dropped")]
    clients = [made[0].client()]
    clients[0].put(b"k", b"v")

    def drop() -> None:
        clients.clear()
        made.clear()

    in_child(drop)
    assert clients[0][b"k"] == b"v"
    made[0].close()


def test_a_child_opens_its_own(cluster: rw.Cluster) -> None:
    cluster.client().put(b"k", b"v")

    def open_another() -> None:
        with rw.Cluster.local(nodes=1) as own:
            own.client().put(b"k", b"mine")
            assert own.client()[b"k"] == b"mine"

    in_child(open_another)
    assert cluster.client()[b"k"] == b"v"
