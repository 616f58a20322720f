"""The command line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import ringwright as rw
from ringwright import _cli

from conftest import HAS_ROCKSDB
from processes import needs_processes


def run(*words: str) -> tuple[int, str, str]:
    ended = subprocess.run(
        [sys.executable, "-m", "ringwright", *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return ended.returncode, ended.stdout, ended.stderr


def test_version() -> None:
    assert run("version") == (0, rw.__version__ + "\n", "")
    for words in (("-o", "json", "version"), ("version", "-o", "json"), ("version", "-ojson")):
        code, out, err = run(*words)
        assert (code, json.loads(out), err) == (0, {"version": rw.__version__}, "")


def test_engines() -> None:
    code, out, _ = run("engine", "list")
    assert code == 0
    rows = {line.split("\t")[0]: line.split("\t") for line in out.splitlines()}
    assert rows["memory"] == ["memory", "engine", "", "Apache-2.0", "built-in", ""]
    assert rows["faulty"][1] == "decorator"
    for words in (("-o", "json", "engine", "list"), ("engine", "-o", "json", "list")):
        code, out, _ = run(*words)
        listed = {row["name"]: row for row in json.loads(out)["engines"]}
        assert listed["memory"] == {
            "name": "memory",
            "kind": "engine",
            "origin": "built-in",
            "version": rw.__version__,
            "library": "",
            "licence": "Apache-2.0",
            "remarks": [],
        }


@pytest.mark.skipif(not HAS_ROCKSDB, reason="the RocksDB plugin was not built")
def test_an_engine_tells_of_its_library() -> None:
    code, out, _ = run("-o", "json", "engine", "list")
    row = next(row for row in json.loads(out)["engines"] if row["name"] == "rocksdb")
    assert code == 0
    assert row["library"].startswith("RocksDB ")
    assert Path(row["origin"]).name == "ringwright_rocksdb.so"
    assert all(remark.startswith(row["library"]) for remark in row["remarks"])
    code, out, _ = run("engine", "list")
    line = next(line for line in out.splitlines() if line.startswith("rocksdb\t"))
    assert line.split("\t")[-1] == "; ".join(row["remarks"])


def test_probed_engines() -> None:
    code, out, _ = run("engine", "list", "--probe", "-o", "json")
    assert code == 0
    rows = {row["name"]: row for row in json.loads(out)["engines"]}
    assert rows["memory"]["durabilities"] == ["none", "os", "disk"]
    assert rows["memory"]["merge"]
    assert rows["null"]["durabilities"] == ["none"]
    assert "durabilities" not in rows["faulty"]
    _, out, _ = run("engine", "list", "--probe")
    cells = next(line for line in out.splitlines() if line.startswith("null\t")).split("\t")
    assert cells[5] == "none"


def test_a_plugin_that_cannot_be_loaded_is_shown_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ringwright_broken.so").write_text("no library")
    monkeypatch.setenv("RINGWRIGHT_PLUGIN_PATH", str(tmp_path))
    code, out, _ = run("engine", "list", "-o", "json")
    assert code == 0
    broken = next(row for row in json.loads(out)["engines"] if row["name"] == "broken")
    assert "ringwright_broken.so is refused" in broken["error"]
    _, out, _ = run("engine", "list")
    line = next(line for line in out.splitlines() if line.startswith("broken\t"))
    assert line.split("\t")[-1] == broken["error"]


def test_new_engine(tmp_path: Path) -> None:
    folder = tmp_path / "made"
    code, out, err = run("engine", "new", "my_store", "--dir", str(folder))
    assert code == 0, err
    assert {Path(line) for line in out.splitlines()} == set(folder.iterdir())
    assert {file.name for file in folder.iterdir()} == {
        "CMakeLists.txt", "README.md", "my_store_engine.cc", "my_store_engine.h",
        "my_store_test.cc", "plugin.cc",
    }
    for file in folder.iterdir():
        assert "toy" not in file.read_text().lower()
    assert "class MyStoreEngine final" in (folder / "my_store_engine.h").read_text()

    code, out, _ = run("engine", "new", "my_store", "--dir", str(folder), "-o", "json")
    assert code == 2
    assert "is there already" in json.loads(out)["error"]["message"]
    other = tmp_path / "other"
    code, out, _ = run("engine", "new", "other", "--dir", str(other), "-o", "json")
    document = json.loads(out)
    assert (code, document["directory"]) == (0, str(other))
    assert {Path(file) for file in document["files"]} == set(other.iterdir())


@pytest.mark.parametrize("name", ["memory", "faulty", "My", "a-b", "../x", "", "7a", "a" * 33])
def test_a_name_that_no_engine_can_have(name: str, tmp_path: Path) -> None:
    code, _, err = run("engine", "new", name, "--dir", str(tmp_path / "made"))
    assert code == 2
    assert err.startswith("ringwright: ")
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ([], 2),
        (["serv"], 2),
        (["engine"], 2),
        (["version", "--fast"], 2),
        (["serve", "--config", "/no/such/file"], 2),
        (["serve", "--set", "no.such=1"], 2),
        (["serve", "--set", "nonsense"], 2),
        (["serve", "--import", "no_such_module"], 2),
        (["serve", "--check"], 8),
    ],
)
def test_an_error_is_prose_or_one_document(words: list[str], code: int) -> None:
    told, out, err = run(*words)
    assert told == code
    assert err.startswith("ringwright: ")
    told, out, err = run(*words, "-o", "json")
    assert (told, err) == (code, "")
    document = json.loads(out)
    assert document["ok"] is False
    assert document["error"]["code"]
    assert document["error"]["message"]


def test_check(tmp_path: Path) -> None:
    config = tmp_path / "node.toml"
    config.write_text(f'node.data_dir = "{tmp_path}"\ntransport.kind = "loopback"\n')
    code, out, _ = run("serve", "--config", str(config), "--set", "node.shards=2", "--check")
    assert code == 0
    assert ["node.shards", "2", "set"] in [line.split("\t") for line in out.splitlines()]
    code, out, _ = run("serve", "--config", str(config), "--check", "-o", "json")
    assert code == 0
    assert json.loads(out)["ok"]
    code, out, _ = run(
        "serve", "--config", str(config), "--set", "keyspace.default.n=3", "--check", "-o", "json"
    )
    assert code == 8
    assert "keyspace.default.n" in json.loads(out)["error"]["message"]


def test_exit_codes() -> None:
    unknown, certain = rw.TimeoutError("late"), rw.TimeoutError("late")
    unknown.outcome_unknown = True
    codes = {
        rw.InvalidRequestError("wrong"): 2,
        rw.UnavailableError("alone"): 5,
        unknown: 6,
        certain: 1,
        rw.ConnectionError("nobody"): 7,
        rw.AuthError("no"): 7,
        rw.EngineError("disk"): 1,
    }
    for error, code in codes.items():
        assert _cli.exit_code_of(error) == code


@needs_processes
def test_serve_until_it_is_told_to_end(tmp_path: Path) -> None:
    (tmp_path / "parts.py").write_text("print('imported', file=__import__('sys').stderr)\n")
    config = tmp_path / "node.toml"
    config.write_text(
        f'node.data_dir = "{tmp_path / "data"}"\n'
        + "".join(f'listen.{kind} = "127.0.0.1:0"\n' for kind in ("client", "peer", "admin"))
    )
    command = [sys.executable, "-m", "ringwright", "-o", "json", "serve", "--config", str(config)]
    for how in (signal.SIGTERM, signal.SIGINT):
        serving = subprocess.Popen(
            [*command, "--import", "parts"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}"},
        )
        with serving:
            try:
                assert serving.stdout is not None
                ready = json.loads(serving.stdout.readline())
                assert ready["pid"] == serving.pid
                with rw.Client(ready["client"], timeout=10) as kv:
                    kv[b"k"] = b"v"
                    assert kv[b"k"] == b"v"
                serving.send_signal(how)
                out, err = serving.communicate(timeout=30)
            finally:
                serving.kill()
        assert serving.returncode == 0, err
        assert out == ""
        assert "imported" in err
        assert "node_stopped" in err
