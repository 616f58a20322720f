"""The package is typed throughout, and its stubs tell the truth."""

from __future__ import annotations

import ast
import inspect
import os
import subprocess
import sys
from pathlib import Path

import ringwright as rw
from ringwright import _core

SOURCE = Path(__file__).resolve().parents[2] / "python" / "ringwright"


def test_mypy_is_content(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path),
            "--no-error-summary", str(SOURCE),
        ],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": ""},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_stubs_and_module_name_the_same_things() -> None:
    stubs = ast.parse((SOURCE / "_core.pyi").read_text())
    described: dict[str, set[str]] = {}
    for node in stubs.body:
        if isinstance(node, ast.ClassDef):
            members = described.setdefault(node.name, set())
            for part in node.body:
                if isinstance(part, ast.FunctionDef):
                    members.add(part.name)
                elif isinstance(part, ast.AnnAssign) and isinstance(part.target, ast.Name):
                    members.add(part.target.id)
        elif isinstance(node, ast.FunctionDef):
            described[node.name] = set()
    actual = {
        name
        for name, value in vars(_core).items()
        if not name.startswith("_") and (inspect.isclass(value) or callable(value))
    }
    assert actual == set(described)
    for name, members in described.items():
        value = getattr(_core, name)
        if not inspect.isclass(value):
            continue
        found = {m for m in vars(value) if not m.startswith("_")}
        assert found == {m for m in members if not m.startswith("_")}, name


def test_all_that_is_public_is_listed_and_described() -> None:
    assert len(set(rw.__all__)) == len(rw.__all__)
    for name in rw.__all__:
        thing = getattr(rw, name)
        if inspect.isclass(thing) and thing is not rw.Context:
            assert thing.__doc__, name
            for member, value in vars(thing).items():
                if inspect.isfunction(value) and not member.startswith("_"):
                    assert value.__doc__, f"{name}.{member}"
    assert (SOURCE / "py.typed").exists()
