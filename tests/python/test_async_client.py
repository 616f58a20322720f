"""The client for asyncio: what it promises beyond the one for threads."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable

import pytest
import ringwright as rw
from ringwright import _async_client

from conftest import put_siblings
from test_fork import in_child


def run(cluster: rw.Cluster, work: Callable[[rw.AsyncClient], Awaitable[None]]) -> None:
    async def main() -> None:
        async with cluster.async_client() as kv:
            await work(kv)

    asyncio.run(main())


def test_it_reads_what_it_wrote(cluster: rw.Cluster) -> None:
    async def work(kv: rw.AsyncClient) -> None:
        assert await kv.get(b"k") is None
        assert await kv.get_default(b"k", b"none") == b"none"
        context = await kv.put(b"k", b"1")
        record = await kv.get(b"k")
        assert record is not None
        assert record.value == b"1"
        assert record.context == context
        assert await kv.update(b"k", lambda old: (old or b"") + b"2") == b"12"
        await kv.delete(b"k")
        assert await kv.get(b"k") is None
        assert not (await kv.get_record(b"k")).exists

    run(cluster, work)
    assert cluster.client().get(b"k") is None


def test_both_kinds_of_client_see_the_same(cluster: rw.Cluster) -> None:
    kv = cluster.client()
    kv.put(b"k", b"by a thread")

    async def work(other: rw.AsyncClient) -> None:
        assert (await other.get_record(b"k")).value == b"by a thread"
        await other.put(b"k", b"by a task")

    run(cluster, work)
    assert kv[b"k"] == b"by a task"


def test_batches(cluster: rw.Cluster) -> None:
    items = {b"%d" % i: b"v%d" % i for i in range(3000)}

    async def work(kv: rw.AsyncClient) -> None:
        result = await kv.put_many(items)
        assert result.ok
        assert result.contexts.keys() == items.keys()
        found = await kv.get_many([*items, b"absent"], concurrency=7)
        assert {key: record.value for key, record in found.items()} == items
        assert await kv.get_many([]) == {}
        with pytest.raises(rw.InvalidRequestError) as raised:
            await kv.put_many({b"k": b"v", b"": b"no key is empty"})
        assert raised.value.batch is not None
        assert raised.value.batch.errors.keys() == {b""}
        collected = await kv.put_many({b"": b""}, on_error="collect")
        assert not collected.ok

    run(cluster, work)


def test_many_tasks_at_once(cluster: rw.Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_async_client, "IN_FLIGHT_MAX", 8)

    async def work(kv: rw.AsyncClient) -> None:
        under_way = []

        async def add(number: int) -> None:
            await kv.put(b"%d" % number, b"v")
            under_way.append(len(kv._link.waiting))  # type: ignore[union-attr]

        await asyncio.gather(*(add(number) for number in range(200)))
        assert max(under_way) <= 8
        assert kv._link is not None
        assert not kv._link.waiting
        found = await asyncio.gather(*(kv.get(b"%d" % number) for number in range(200)))
        assert all(record is not None and record.value == b"v" for record in found)

    run(cluster, work)


def test_siblings_and_the_resolver(cluster: rw.Cluster) -> None:
    put_siblings(cluster, b"k", b"b", b"a")

    class Longest(rw.Resolver):
        def resolve(self, key: bytes, siblings: object) -> list[bytes]:
            return [b"merged"]

    async def work(kv: rw.AsyncClient) -> None:
        record = await kv.get_record(b"k")
        assert record.in_conflict
        with pytest.raises(rw.ConflictError):
            _ = record.value
        reduced = await kv.with_options(resolver=Longest()).get_record(b"k")
        assert reduced.value == b"merged"

    run(cluster, work)


def test_a_task_does_not_go_on_with_what_another_read(cluster: rw.Cluster) -> None:
    put_siblings(cluster, b"k", b"old")

    async def work(kv: rw.AsyncClient) -> None:
        async def read_only() -> None:
            await kv.get(b"k")

        await asyncio.create_task(read_only())
        await asyncio.create_task(kv.put(b"k", b"new"))
        assert {s.value for s in (await kv.get_record(b"k")).siblings} == {b"old", b"new"}
        # This task has seen both.
        await kv.put(b"k", b"one")
        assert (await kv.get_record(b"k")).value == b"one"

    run(cluster, work)


def test_what_a_cancelled_task_read_is_not_remembered(cluster: rw.Cluster) -> None:
    put_siblings(cluster, b"k", b"old")

    async def work(kv: rw.AsyncClient) -> None:
        async def cancelled_then_put() -> None:
            link = kv._link
            assert link is not None
            getting = kv.get_record(b"k")
            getting.send(None)  # the request is on its way
            getting.close()
            await kv.get_record(b"another")
            assert not link.waiting
            await kv.put(b"k", b"new")

        await asyncio.create_task(cancelled_then_put())
        assert len((await kv.get_record(b"k")).siblings) == 2

    run(cluster, work)


def test_a_cancelled_call_leaves_nothing_behind(cluster: rw.Cluster) -> None:
    async def work(kv: rw.AsyncClient) -> None:
        assert kv._link is not None
        for name in ("node1", "node2", "node3"):
            cluster.pause(name)
        tasks = [asyncio.create_task(kv.put(b"k", b"v", timeout=0.2)) for _ in range(20)]
        batch = asyncio.create_task(kv.get_many([b"%d" % i for i in range(20)], timeout=0.2))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert kv._link.waiting
        for task in [*tasks, batch]:
            task.cancel()
        ended = await asyncio.gather(*tasks, batch, return_exceptions=True)
        assert all(isinstance(each, asyncio.CancelledError) for each in ended)
        for name in ("node1", "node2", "node3"):
            cluster.resume(name, timeout=0)
        cluster.wait_connected()
        await kv.put(b"other", b"v", timeout=5)
        # Its place is given back when the native call has ended.
        until = asyncio.get_running_loop().time() + 10
        while kv._link.slots._value != _async_client.IN_FLIGHT_MAX:
            assert asyncio.get_running_loop().time() < until
            await asyncio.sleep(0.01)
        assert not kv._link.waiting

    run(cluster, work)


def test_close_is_final(cluster: rw.Cluster) -> None:
    async def main() -> None:
        kv = cluster.async_client()
        assert "not connected" in repr(kv)
        await kv.put(b"k", b"v")
        view = kv.with_options(r=1)
        assert (await view.get_record(b"k")).value == b"v"
        for name in ("node1", "node2", "node3"):
            cluster.pause(name)
        waiting = [asyncio.create_task(kv.get(b"k")), asyncio.create_task(kv.put(b"k", b"w"))]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await kv.close()
        got, put = await asyncio.gather(*waiting, return_exceptions=True)
        assert isinstance(got, rw.ClosedError)
        assert isinstance(put, rw.ClosedError)
        assert not got.outcome_unknown
        assert kv.is_closed
        assert view.is_closed
        await kv.close()
        for call in (kv.get(b"k"), view.put(b"k", b""), kv.put_many({}), kv.connect()):
            with pytest.raises(rw.ClosedError):
                await call

    asyncio.run(main())


def test_closing_the_cluster_ends_it(cluster: rw.Cluster) -> None:
    async def work(kv: rw.AsyncClient) -> None:
        await kv.put(b"k", b"v")
        await asyncio.to_thread(cluster.close)
        with pytest.raises(rw.ClosedError):
            await kv.get(b"k")
        assert kv.is_closed

    run(cluster, work)


def test_it_belongs_to_one_loop(cluster: rw.Cluster) -> None:
    kv = cluster.async_client()

    async def use() -> None:
        await kv.put(b"k", b"v")

    asyncio.run(use())
    with pytest.raises(RuntimeError, match="another event loop"):
        asyncio.run(use())
    # Its loop is gone; closing it does no harm.
    asyncio.run(kv.close())
    assert kv.is_closed


def test_a_closed_loop_harms_nobody(cluster: rw.Cluster) -> None:
    loop = asyncio.new_event_loop()
    kv = cluster.async_client()
    for name in ("node1", "node2", "node3"):
        cluster.pause(name)

    async def leave() -> None:
        task = asyncio.create_task(kv.put(b"k", b"v", timeout=0.05))
        await kv.connect()
        await asyncio.sleep(0.02)
        task.cancel()

    loop.run_until_complete(leave())
    loop.close()
    link = kv._link
    assert link is not None
    kv._close()
    assert link.core.is_closed()


def test_one_that_is_dropped_says_so(cluster: rw.Cluster) -> None:
    async def main() -> None:
        kv: list[rw.AsyncClient] = [cluster.async_client()]
        await kv[0].put(b"k", b"v")
        core = kv[0]._link.core  # type: ignore[union-attr]
        with pytest.warns(ResourceWarning, match="dropped without close"):
            kv.clear()
            gc.collect()
        assert core.is_closed()

    asyncio.run(main())


def test_a_child_is_refused(cluster: rw.Cluster) -> None:
    async def main() -> None:
        async with cluster.async_client() as kv:
            await kv.put(b"k", b"v")

            def use() -> None:
                with pytest.raises(rw.ClosedError, match="forked"):
                    kv.get(b"k").send(None)
                assert kv.is_closed

            in_child(use)
            assert (await kv.get_record(b"k")).value == b"v"

    asyncio.run(main())


def test_bad_arguments_are_refused(cluster: rw.Cluster) -> None:
    async def work(kv: rw.AsyncClient) -> None:
        with pytest.raises(TypeError, match="bytes, not str"):
            await kv.get("k")  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="context"):
            await kv.put(b"k", b"v", context=b"")  # type: ignore[arg-type]
        with pytest.raises(rw.InvalidRequestError, match="concurrency"):
            await kv.get_many([b"k"], concurrency=0)
        with pytest.raises(TypeError):
            await kv.get_many([b"k", 5])  # type: ignore[list-item]
        assert kv._link is not None
        await kv.put(b"k", b"v")
        assert kv._link.slots._value == _async_client.IN_FLIGHT_MAX

    run(cluster, work)
    with pytest.raises(rw.InvalidRequestError, match="keyspace"):
        cluster.async_client("carts")
    with pytest.raises(rw.InvalidRequestError, match="endpoint"):
        rw.AsyncClient([])


def test_connecting_in_vain(cluster: rw.Cluster) -> None:
    """What one task is told all tasks are told, and the next try is a fresh one."""
    kv = cluster.async_client(node="node1")
    cluster.close()

    async def main() -> None:
        for _ in range(2):
            ended = await asyncio.gather(kv.get(b"k"), kv.get(b"k"), return_exceptions=True)
            assert all(isinstance(each, rw.ClosedError) for each in ended)

    asyncio.run(main())


def test_threads_beside_it(cluster: rw.Cluster) -> None:
    """The interpreter is free while a task waits."""

    async def work(kv: rw.AsyncClient) -> None:
        client = cluster.client()
        errors: list[BaseException] = []

        def put() -> None:
            try:
                for number in range(200):
                    client.put(b"t%d" % number, b"v")
            except BaseException as error:
                errors.append(error)

        thread = threading.Thread(target=put)
        thread.start()
        for number in range(200):
            await kv.put(b"a%d" % number, b"v")
        await asyncio.to_thread(thread.join)
        assert not errors

    run(cluster, work)


def test_the_interpreter_ends_with_calls_under_way() -> None:
    program = """
import asyncio, ringwright as rw
cluster = rw.Cluster.local(nodes=3)
kv = cluster.async_client()
loop = asyncio.new_event_loop()
async def leave():
    await kv.connect()
    for node in cluster.nodes: cluster.pause(node)
    global tasks
    tasks = [asyncio.ensure_future(kv.put(b"k", b"v", timeout=30)) for _ in range(50)]
    await asyncio.sleep(0.05)
loop.run_until_complete(leave())
print("left")
"""
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert "left" in ended.stdout
