"""Many threads, one process; and what becomes of threads at its end."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import ringwright as rw


def test_threads_share_one_client(kv: rw.Client) -> None:
    def work(thread: int) -> int:
        for number in range(60):
            key = b"%d/%d" % (thread, number % 20)
            kv.put(key, b"%d" % number)
            record = kv.get(key)
            assert record is not None
            assert record.value == b"%d" % number
            if number % 20 == 0:
                kv.delete(key)
        return thread

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(8))) == list(range(8))


def test_a_new_thread_has_read_nothing(cluster: rw.Cluster, kv: rw.Client) -> None:
    cluster.client().put(b"k", b"v")
    seen: list[rw.Context] = []

    def read() -> None:
        kv.get(b"k")
        seen.append(kv.remembered_context(b"k"))

    def look() -> None:
        seen.append(kv.remembered_context(b"k"))

    for work in (read, look):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert seen[0] != rw.NO_CONTEXT
    assert seen[1] == rw.NO_CONTEXT


def test_a_blocking_call_lets_other_threads_run(cluster: rw.Cluster) -> None:
    kv = cluster.client(node="node1", timeout=1.0, retries=0)
    cluster.pause("node1")
    failed: list[BaseException] = []

    def wait() -> None:
        try:
            kv.get(b"k")
        except rw.Error as error:
            failed.append(error)

    thread = threading.Thread(target=wait)
    begun = time.monotonic()
    thread.start()
    assert time.monotonic() - begun < 0.5
    thread.join()
    cluster.resume("node1")
    assert failed


def test_closing_ends_calls_in_progress(cluster: rw.Cluster) -> None:
    kv = cluster.client(node="node1", timeout=20.0, retries=0)
    cluster.pause("node1")
    failed: list[BaseException] = []

    def wait() -> None:
        try:
            kv.get(b"k")
        except rw.Error as error:
            failed.append(error)

    thread = threading.Thread(target=wait)
    begun = time.monotonic()
    thread.start()
    time.sleep(0.1)
    kv.close()
    thread.join()
    assert time.monotonic() - begun < 5
    assert [type(error) for error in failed] == [rw.ClosedError]
    cluster.resume("node1")


def test_closing_the_cluster_under_load() -> None:
    with rw.Cluster.local(nodes=3) as cluster:
        kv = cluster.client()
        stopped: list[type] = []

        def work() -> None:
            try:
                while True:
                    kv.put(b"k", b"v", context=rw.NO_CONTEXT, w=1)
                    kv.delete(b"k")
            except rw.Error as error:
                stopped.append(type(error))

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        time.sleep(0.1)
        cluster.close()
        for thread in threads:
            thread.join(10)
        assert stopped == [rw.ClosedError] * 4


def run_python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-X", "dev", "-c", code], capture_output=True, text=True, timeout=60
    )


def test_the_interpreter_ends_with_an_open_cluster() -> None:
    done = run_python(
        "import ringwright as rw, threading\n"
        "cluster = rw.Cluster.local(nodes=3)\n"
        "kv = cluster.client()\n"
        "kv.put(b'k', b'v')\n"
        "print(cluster.directory)\n"
        "def work():\n"
        "    while True: kv.get(b'k')\n"
        "threading.Thread(target=work, daemon=True).start()\n"
    )
    assert done.returncode == 0, done.stderr
    assert not Path(done.stdout.strip()).exists()


def test_import_is_light() -> None:
    done = run_python(
        "import sys, ringwright\n"
        "heavy = {'pandas', 'numpy', 'matplotlib', 'asyncio'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    assert done.returncode == 0, done.stderr
