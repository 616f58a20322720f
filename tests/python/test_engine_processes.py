"""Child processes that run parts written in Python."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import ringwright as rw

from processes import comes_true, is_alive, needs_processes
from python_engines import EXAMPLES, SortedLog

pytestmark = needs_processes

rw.register_engine("sorted_log", SortedLog)


def test_three_processes_of_a_python_engine(tmp_path: Path) -> None:
    items = {b"%d" % number: b"v%d" % number for number in range(200)}
    with rw.Cluster.local(
        nodes=3, engine="faulty(sorted_log)", processes=True, dir=tmp_path, timeout=10
    ) as cluster:
        cluster.wait_connected()
        kv = cluster.client()
        assert kv.put_many(items).ok
        pids = {node.pid for node in cluster.nodes.values()}
        assert len(pids) == 3
        assert os.getpid() not in pids
        cluster.kill("node2")
        kv.put(b"7", b"without node2")
        cluster.restart("node2", timeout=20)
        kv.put(b"8", b"with it", w=3)
        with cluster.client(node="node2") as itself:
            found = itself.get_many(items)
        assert len(found) == 200
        assert found[b"7"].value == b"without node2"
        engine = cluster.nodes["node2"].status().engines[0]
        assert engine.engine == "faulty(sorted_log)"
        assert engine.approximate_keys >= 200
        cluster.stop("node3")
        assert cluster.nodes["node3"].status().condition == "stopped"
        assert b"node_stopped" in (tmp_path / "node3" / "ringwrightd.log").read_bytes()
        cluster.restart("node3", timeout=20)
    claims = [path.read_text() for path in tmp_path.rglob("ENGINE")]
    assert sum("engine sorted_log" in claim for claim in claims) == 3


def program_of(node: rw.Node) -> str:
    return Path(f"/proc/{node.pid}/exe").resolve().name


def test_a_resolver_of_python_needs_no_python_in_the_nodes() -> None:
    """It runs in the clients, so the nodes are ringwrightd."""

    class Longest(rw.Resolver):
        def resolve(self, key: bytes, siblings: Any) -> Any:
            return [max(siblings, key=lambda sibling: len(sibling.value))]

    with rw.Cluster.local(nodes=3, resolver=Longest(), processes=True, timeout=10) as cluster:
        cluster.wait_connected()
        for value in (b"long", b"longer", b"l"):
            with cluster.client() as kv:
                kv.put(b"k", value, context=rw.NO_CONTEXT, w=3)
        assert cluster.client().get_record(b"k", r=3).value == b"longer"
        assert program_of(cluster.nodes["node1"]) == "ringwrightd"


def test_a_python_engine_beside_others() -> None:
    engine = {"node1": "memory", "node2": "sorted_log", "node3": "memory"}
    with rw.Cluster.local(nodes=3, engine=engine, processes=True, timeout=10) as cluster:
        cluster.wait_connected()
        cluster.client().put(b"k", b"v", w=3)
        for name, node in cluster.nodes.items():
            with cluster.client(node=name) as kv:
                assert kv.get_record(b"k", r=1).value == b"v"
            in_python = engine[name] == "sorted_log"
            assert (program_of(node) != "ringwrightd") == in_python
            assert node.status().engines[0].engine == engine[name]


def test_a_class_that_another_process_cannot_import(tmp_path: Path) -> None:
    class Local(SortedLog):
        pass

    rw.register_engine("local", Local)
    with pytest.raises(rw.InvalidRequestError, match="cannot import: put it at the top of a"):
        rw.Cluster.local(nodes=2, engine="local", processes=True)
    program = tmp_path / "script.py"
    program.write_text(
        "import ringwright as rw\n"
        "from python_engine import SortedLog\n"
        "class Mine(SortedLog): pass\n"
        "rw.register_engine('mine', Mine)\n"
        "rw.Cluster.local(nodes=2, engine='mine', processes=True)\n"
    )
    known = os.environ.get("PYTHONPATH", "")
    ended = subprocess.run(
        [sys.executable, str(program)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (known, EXAMPLES)))},
    )
    assert "the engine 'mine' is the class Mine of __main__" in ended.stderr
    assert "my_engine.py" in ended.stderr


def test_a_node_that_cannot_open_it(tmp_path: Path) -> None:
    with pytest.raises(rw.Error, match="ended before it served") as failed:
        rw.Cluster.local(
            nodes=2,
            engine=rw.EngineSpec("sorted_log", {"level": 1}),
            processes=True,
            dir=tmp_path,
        )
    assert "has no option 'level'" in str(failed.value)


def test_a_killed_parent_leaves_no_child(tmp_path: Path) -> None:
    program = """
import sys, ringwright as rw
from python_engine import SortedLog
rw.register_engine("sorted_log", SortedLog)
cluster = rw.Cluster.local(nodes=2, engine="sorted_log", processes=True)
print(*[node.pid for node in cluster.nodes.values()], flush=True)
sys.stdin.read()
"""
    known = os.environ.get("PYTHONPATH", "")
    path = os.pathsep.join(filter(None, (known, EXAMPLES)))
    parent = subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path, "TMPDIR": str(tmp_path)},
    )
    with parent:
        assert parent.stdout is not None
        pids = [int(word) for word in parent.stdout.readline().split()]
        assert len(pids) == 2
        parent.kill()
        parent.wait()
        assert comes_true(lambda: not any(is_alive(pid) for pid in pids))


def test_serve_imports_a_module_that_registers_it(tmp_path: Path) -> None:
    (tmp_path / "registers.py").write_text(
        "import ringwright as rw\n"
        "from python_engine import SortedLog\n"
        "rw.register_engine('mine', SortedLog)\n"
    )
    path = os.pathsep.join([*map(os.path.abspath, sys.path), str(tmp_path)])
    words = [
        sys.executable, "-m", "ringwright", "serve", "--check",
        "--set", f"node.data_dir={tmp_path}",
        "--set", "transport.kind=loopback",
        "--set", "keyspace.default.engine=mine",
    ]  # fmt: skip
    for more, code in (([], 8), (["--import", "registers"], 0)):
        ended = subprocess.run(
            [*words, *more],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env={**os.environ, "PYTHONPATH": path},
        )
        assert ended.returncode == code, ended.stderr
    assert "mine" in ended.stdout


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--engine", "nonsense"], "NAME=MODULE:CLASS"),
        (["--engine", "mine=no_such_module:Engine"], "no_such_module"),
        (["--engine", "mine=python_engine:Nothing"], "Nothing"),
        (["--engine", "memory=python_engine:SortedLog"], "another engine already"),
        (["--engine", "mine=python_engine:struct"], "a subclass of ringwright.Engine"),
        (["--control-fd", "77"], "--control-fd = 77 is not open"),
    ],
)
def test_what_serve_refuses(words: list[str], told: str, tmp_path: Path) -> None:
    ended = subprocess.run(
        [
            sys.executable, "-m", "ringwright", "serve", "--set", f"node.data_dir={tmp_path}",
            "--set", "transport.kind=loopback", *words,
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path))},
    )  # fmt: skip
    assert ended.returncode == 2
    assert told in ended.stderr
