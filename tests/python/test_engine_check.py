"""The conformance suite, run on engines of any origin."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import ringwright as rw
from ringwright import testing
from ringwright.testing import check_engine

from conftest import HAS_ROCKSDB
from python_engines import EXAMPLES, SortedLog

HAS_SUITE = (Path(testing.__file__).parent / testing.LIBRARY).exists()
needs_suite = pytest.mark.skipif(not HAS_SUITE, reason="built without GoogleTest")
pytestmark = needs_suite

rw.register_engine("sorted_log", SortedLog)
MERGES = {
    "merges_into_rows_and_into_nothing",
    "a_put_or_remove_ends_what_was_merged_before",
    "merges_many_operands_over_flushes_and_reopens",
    "joined_operands_merge_like_single_ones",
}


def test_the_example_passes_the_whole_suite() -> None:
    begun: list[str] = []
    check = check_engine(SortedLog, on_start=begun.append)
    assert check, str(check)
    assert (check.engine, check.durability) == ("sorted_log", "os")
    assert [outcome.test for outcome in check.outcomes] == begun
    assert len(begun) > 25
    skipped = {outcome.test for outcome in check.outcomes if outcome.verdict == "skipped"}
    assert skipped == MERGES
    assert "not merge" in next(o.message for o in check.outcomes if o.verdict == "skipped")


@pytest.mark.parametrize("engine", ["memory", "faulty(sorted_log)"])
def test_others_pass_it_too(engine: str) -> None:
    check = check_engine(engine, durability="os")
    assert check, str(check)


class LosesRemoves(SortedLog):
    """Forgets them at the next open."""

    def write(self, batch: Sequence[rw.Op]) -> int:
        sequence = super().write([op for op in batch if op.kind == "put"])
        with self._lock:
            self._apply([op for op in batch if op.kind == "remove"])
        return sequence


class NoSnapshot(SortedLog):
    """Shows rows as they are when they are reached."""

    def iterate(
        self, start: bytes, stop: bytes | None, reverse: bool
    ) -> Iterator[tuple[bytes, bytes]]:
        for key, _ in super().iterate(start, stop, reverse):
            row = self._rows.get(key)
            if row is not None:
                yield key, row


class Descends(SortedLog):
    def iterate(self, start: bytes, stop: bytes | None, reverse: bool) -> Any:
        return super().iterate(start, stop, True)


class Unordered(SortedLog):
    def multi_get(self, keys: Sequence[bytes]) -> list[bytes | None]:
        return super().multi_get(sorted(keys))


class Restarts(SortedLog):
    """Gives the sequences of an earlier life again."""

    first = 0

    def open(self, path: Path, options: Any) -> None:
        super().open(path, options)
        self.first = self._sequence

    def write(self, batch: Sequence[rw.Op]) -> int:
        return super().write(batch) - self.first


class Torn(SortedLog):
    """Applies a batch in two pieces, in front of everybody."""

    def write(self, batch: Sequence[rw.Op]) -> int:
        sequence = super().write(batch[:1])
        if len(batch) == 1:
            return sequence
        time.sleep(0.01)
        return super().write(batch[1:])


class EmptyIsAbsent(SortedLog):
    def multi_get(self, keys: Sequence[bytes]) -> list[bytes | None]:
        return [row or None for row in super().multi_get(keys)]


class KeepsNothing(SortedLog):
    def open(self, path: Path, options: Any) -> None:
        (path / "log").unlink(missing_ok=True)
        super().open(path, options)


class Stuck(SortedLog):
    def open(self, path: Path, options: Any) -> None:
        raise RuntimeError("it does not even open")


class Hangs(SortedLog):
    """Keeps its lock while somebody iterates."""

    def iterate(
        self, start: bytes, stop: bytes | None, reverse: bool
    ) -> Iterator[tuple[bytes, bytes]]:
        with self._lock:
            for key in sorted(self._rows, reverse=reverse):
                if start <= key and (stop is None or key < stop):
                    yield key, self._rows[key]


@pytest.mark.parametrize(
    ("engine", "test", "told"),
    [
        (LosesRemoves, "flush_then_reopen_keeps_everything", ""),
        (LosesRemoves, "behaves_like_a_map", ""),
        (NoSnapshot, "iterator_sees_the_moment_when_it_was_made", ""),
        (Descends, "iterates_ranges_from_start_up_to_stop", "keys go up, or down in reverse"),
        (Unordered, "answers_multi_get_in_the_order_asked", ""),
        (Restarts, "reopen_keeps_what_the_durability_class_promises", "given twice"),
        (Torn, "iterates_both_ways_over_a_snapshot_while_it_is_written", ""),
        (EmptyIsAbsent, "tells_an_absent_row_from_an_empty_one", ""),
        (KeepsNothing, "reopen_keeps_what_the_durability_class_promises", ""),
        (Stuck, "removes_a_row_until_it_is_put_again", "it does not even open"),
    ],
)
def test_what_is_wrong_is_named(engine: type[rw.Engine], test: str, told: str) -> None:
    check = check_engine(engine, tests=test)
    assert not check
    assert test in [outcome.test for outcome in check.failed]
    assert f"{test} failed:" in str(check)
    assert told in next(outcome.message for outcome in check.failed if outcome.test == test)


def test_wrong_results_of_iterate_are_told() -> None:
    results: list[tuple[Any, str]] = [
        (None, "returned None: return an iterator"),
        ([b"key"], "gave a bytes instead of a tuple (key, row)"),
        ([("key", b"row")], "gave (a str, a bytes) instead of two bytes"),
        ([(b"zzz", b"")], "not in the range asked for"),
        ([(b"b", b""), (b"b", b"")], "each once"),
    ]
    for number, (result, told) in enumerate(results):

        class Wrong(SortedLog):
            def iterate(self, *_: object, result: Any = result) -> Any:
                return result

        rw.register_engine(f"wrong{number}", type(f"Wrong{number}", (Wrong,), {}))
        check = check_engine(f"wrong{number}", tests="iterates_ranges_from_start_up_to_stop")
        assert told in str(check)


def test_options_and_choice() -> None:
    class Optional(SortedLog):
        options = ("block_size",)

    check = check_engine(Optional, options={"block_size": 7}, tests=["refuses_an*", "drops*"])
    assert check, str(check)
    assert check_engine(Optional, tests="drops*").engine == check.engine
    other = type("Optional", (SortedLog,), {})
    another = check_engine(other, tests="drops*").engine
    assert another != check.engine
    assert another.startswith("optional_")
    assert [outcome.test for outcome in check.outcomes] == [
        "drops_a_range_and_nothing_beside_it",
        "refuses_an_unknown_option_and_names_the_nearest",
    ]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"engine": "memry"}, "did you mean 'memory'"),
        ({"engine": "faulty"}, "wraps an engine"),
        ({"engine": "memory", "durability": "full"}, "not none, os or disk"),
        ({"engine": "sorted_log", "durability": "disk"}, "at most durability 'os'"),
        ({"engine": "memory", "options": {"x": 1}}, "no option 'x'"),
        ({"engine": "memory", "tests": "no_such"}, "no test has such a name"),
        ({"engine": "memory", "tests": "a:b"}, "not the name of a test"),
        ({"engine": dict}, "a subclass of Engine"),
        ({"engine": Path("/no/such.so")}, "there is no plugin"),
    ],
)
def test_what_cannot_be_checked(arguments: dict[str, Any], told: str) -> None:
    with pytest.raises(rw.InvalidRequestError, match=told):
        check_engine(**arguments)


def test_without_the_suite(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(testing, "LIBRARY", "not_there.so")
    with pytest.raises(rw.Error, match="libgtest-dev"):
        check_engine("memory")


def run(*words: str) -> tuple[int, str, str]:
    tests = str(Path(__file__).parent)
    known = os.environ.get("PYTHONPATH", "")
    ended = subprocess.run(
        [sys.executable, "-m", "ringwright", "engine", *words],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (known, EXAMPLES, tests)))},
    )
    return ended.returncode, ended.stdout, ended.stderr


def test_the_command() -> None:
    named = ("--engine", "mine=python_engine:SortedLog")
    code, out, err = run("check", "mine", *named)
    assert code == 0
    assert "behaves_like_a_map\tpassed\t" in out
    assert "mine, durability os: " in err
    code, out, err = run("check", "mine", "--import", "test_engine_check", *named, "-o", "json")
    assert code == 0
    document = json.loads(out)
    assert document["ok"] is True
    assert {test["verdict"] for test in document["tests"]} == {"passed", "skipped"}
    code, out, err = run("list", *named)
    (line,) = [line for line in out.splitlines() if line.startswith("mine\t")]
    assert "python:python_engine.SortedLog" in line.split("\t")


def test_the_command_on_an_engine_that_fails() -> None:
    named = ("--engine", "loses=test_engine_check:LosesRemoves")
    code, out, err = run("check", "loses", *named)
    assert code == 8
    assert "flush_then_reopen_keeps_everything\tfailed\t" in out
    assert "flush_then_reopen_keeps_everything failed:" in err
    code, out, err = run("check", "loses", *named, "-o", "json", "--test", "flush*")
    assert code == 8
    document = json.loads(out)
    assert document["ok"] is False
    assert document["error"]["code"] == "check_failed"
    assert "flush_then_reopen_keeps_everything" in document["error"]["message"]
    assert err == ""


def test_the_command_on_an_engine_that_hangs() -> None:
    named = ("--engine", "hangs=test_engine_check:Hangs", "--deadline", "2", "-o", "json")
    code, out, err = run("check", "hangs", *named)
    assert code == 8
    document = json.loads(out)
    assert document["ok"] is False
    assert document["error"]["code"] == "check_failed"
    assert "did not end within 2 s" in document["error"]["message"]
    assert "write (python_engine.py:" in document["error"]["message"]


@pytest.mark.parametrize(
    "words",
    [
        ("check",),
        ("check", "memry"),
        ("check", "memory", "--durability", "full"),
        ("check", "memory", "--option", "native_merge"),
        ("check", "memory", "--option", "native_merg=true"),
        ("check", "./no_such.so"),
        ("check", "mine", "--engine", "mine=no_such_module:X"),
    ],
)
def test_the_command_on_nonsense(words: tuple[str, ...]) -> None:
    code, out, err = run(*words, "-o", "json")
    assert (code, err) == (2, "")
    assert json.loads(out)["ok"] is False


@pytest.mark.skipif(not HAS_ROCKSDB, reason="the RocksDB plugin was not built")
def test_the_command_on_a_plugin() -> None:
    (path,) = [e["origin"] for e in rw.engines() if e["name"] == "rocksdb"]
    code, out, err = run("check", path, "--durability", "os", "--test", "drops*")
    assert (code, out.split("\t")[1]) == (0, "passed")
    assert "rocksdb, durability os: 1 passed" in err
