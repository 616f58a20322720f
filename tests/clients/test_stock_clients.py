"""Clients of other languages: what the Thrift compiler generates, and the examples built on it.

For each language whose tools are here the examples of `examples/clients` and a program of
`tests/clients` are built below `build/clients/<language>`, where all that is downloaded stays too, and
run against a cluster of real nodes.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import os
import re
import secrets
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from nodes import DEADLINE, Nodes

ROOT = Path(__file__).parents[2]
IDL = ROOT / "plugins" / "thrift" / "idl" / "ringwright.thrift"
BUILD_SECONDS = 600
# What the tools say when a registry cannot be reached, or has nothing for us.
UNREACHABLE = re.compile(
    r"dial tcp|i/o timeout|proxyconnect|no such host|40[34] (Not Found|Forbidden)|50[234] [A-Z]"
    r"|ENOTFOUND|EAI_AGAIN|ECONN|ETIMEDOUT|E40[34]|E50[234]|module lookup disabled"
    r"|Could not transfer|Could not resolve|Unknown host|UnknownHost|Could not find artifact"
)


def surroundings(added: dict[str, str]) -> dict[str, str]:
    """Without the sanitizer that this interpreter may run with: foreign ones do not bear it."""
    kept = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
    return {**kept, **added}


class Missing(Exception):
    """Why a language cannot be tested here."""


def run(command: list[str], folder: Path, **environment: str) -> str:
    done = subprocess.run(
        command,
        cwd=folder,
        env=surroundings(environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=BUILD_SECONDS,
        text=True,
    )
    assert done.returncode == 0, f"{' '.join(command)} failed:\n{done.stdout}"
    return done.stdout


def fetch(what: str, command: list[str], folder: Path, **environment: str) -> None:
    """Runs what downloads: no way to the registry is no failure."""
    try:
        run(command, folder, **environment)
    except subprocess.TimeoutExpired:
        raise Missing(f"{what}: nothing came within {BUILD_SECONDS} s") from None
    except AssertionError as failed:
        found = next((line for line in str(failed).splitlines() if UNREACHABLE.search(line)), None)
        if found is None:
            raise
        reason = re.sub(r"\x1b\[[0-9;]*m", "", found).strip()
        raise Missing(f"{what}: {textwrap.shorten(reason, 200)}") from None


def generate(generator: str, into: Path) -> None:
    into.mkdir(parents=True, exist_ok=True)
    run(["thrift", "--gen", generator, "-out", str(into), str(IDL)], into)


@dataclass
class Programs:
    """The commands that run a language's two programs."""

    check: list[str]
    example: list[str]
    environment: dict[str, str]

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*self.check, *arguments],
            env=surroundings(self.environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


def build_python(folder: Path, fresh: bool) -> Programs:
    if importlib.util.find_spec("thrift") is None:
        raise Missing("the Python package thrift is not installed")
    if not fresh:
        generate("py", folder / "generated")
    path = os.pathsep.join(map(str, (folder, folder / "generated")))
    python = [sys.executable, "-B", "-W", "error::DeprecationWarning"]
    return Programs(
        [*python, str(folder / "check.py")],
        [*python, str(folder / "example.py")],
        {"PYTHONPATH": path},
    )


def build_go(folder: Path, fresh: bool) -> Programs:
    environment = {
        "GOMODCACHE": str(folder / "cache" / "modules"),
        "GOCACHE": str(folder / "cache" / "objects"),
        "GOFLAGS": "-modcacherw -buildvcs=false",
        "GOWORK": "off",
    }
    if not fresh:
        generate("go:skip_remote", folder / "generated")
        fetch("go could not fetch thrift", ["go", "mod", "download"], folder, **environment)
        for program, package in (("example", "."), ("checks", "./check")):
            run(["go", "build", "-o", f"bin/{program}", package], folder, **environment)
        run(["go", "vet", ".", "./pool", "./check"], folder, **environment)
    return Programs([str(folder / "bin" / "checks")], [str(folder / "bin" / "example")], {})


def build_node(folder: Path, fresh: bool) -> Programs:
    if not fresh:
        generate("js:node,es6", folder / "generated")
        command = ["npm", "ci", "--cache", str(folder / "cache"), "--no-audit", "--no-fund"]
        fetch("npm could not fetch thrift", command, folder)
    node = ["node", "--throw-deprecation"]
    return Programs([*node, str(folder / "check.js")], [*node, str(folder / "example.js")], {})


def build_java(folder: Path, fresh: bool) -> Programs:
    classpath = folder / "classpath"
    if not fresh:
        generate("java:generated_annotations=suppress", folder / "generated")
        maven = ["mvn", "-q", "-B", f"-Dmaven.repo.local={folder / 'cache'}"]
        list_jars = "org.apache.maven.plugins:maven-dependency-plugin:3.6.0:build-classpath"
        build = ["compile", list_jars, f"-Dmdep.outputFile={classpath}"]
        fetch("mvn could not fetch libthrift or its own plugins", [*maven, *build], folder)
    java = ["java", "-XX:TieredStopAtLevel=1", "-cp"]
    classes = os.pathsep.join((str(folder / "target" / "classes"), classpath.read_text().strip()))
    return Programs([*java, classes, "Check"], [*java, classes, "Example"], {})


@dataclass
class Language:
    build: Callable[[Path, bool], Programs]
    tools: tuple[str, ...]
    protocols: tuple[str, ...]
    # What a call gets whose connection has timed out before.
    after_timeout: str


LANGUAGES = {
    "python": Language(
        build_python,
        (),
        ("binary", "compact", "binary-accelerated", "compact-accelerated"),
        "the earlier answer",
    ),
    "go": Language(build_go, ("go",), ("binary", "compact"), "out of sequence"),
    "java": Language(build_java, ("javac", "mvn"), ("binary", "compact"), "out of sequence"),
    "node": Language(build_node, ("node", "npm"), ("binary", "compact"), "late-b"),
}


def digest(files: list[Path], notes: str) -> str:
    found = hashlib.sha256(notes.encode())
    for file in files:
        found.update(str(file).encode() + b"\0" + file.read_bytes() + b"\0")
    return found.hexdigest()


def prepare(name: str) -> Programs:
    """Copies, generates and builds, unless nothing has changed since it was done last.

    `cache` is the one folder that outlives a change.
    """
    language = LANGUAGES[name]
    for tool in ("thrift", *language.tools):
        if shutil.which(tool) is None:
            raise Missing(f"{tool} is not installed")
    folder = ROOT / "build" / "clients" / name
    folder.mkdir(parents=True, exist_ok=True)
    sources = {
        file: folder / file.relative_to(top)
        for top in (ROOT / "examples" / "clients" / name, ROOT / "tests" / "clients" / name)
        for file in sorted(top.rglob("*"))
        if file.is_file()
    }
    compiler = run(["thrift", "--version"], folder)
    stamp = folder / "built"
    wanted = digest([IDL, Path(__file__), *sources], compiler)
    fresh = stamp.exists() and stamp.read_text() == wanted
    if not fresh:
        for old in folder.iterdir():
            if old.is_dir() and old.name != "cache":
                shutil.rmtree(old)
            elif not old.is_dir():
                old.unlink()
        for source, target in sources.items():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
    programs = language.build(folder, fresh)
    stamp.write_text(wanted)
    return programs


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    with Nodes(tmp_path_factory.mktemp("nodes")) as cluster:
        yield cluster


@pytest.fixture(scope="module", params=LANGUAGES)
def language(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@functools.cache
def outcome_of_preparing(name: str) -> Programs | Exception:
    """Tried once, however many tests need it."""
    try:
        return prepare(name)
    except (Missing, AssertionError) as error:
        return error


@pytest.fixture(scope="module")
def programs(language: str) -> Programs:
    outcome = outcome_of_preparing(language)
    if isinstance(outcome, Missing):
        pytest.skip(str(outcome))
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def address(nodes: Nodes) -> list[str]:
    return nodes["node1"].client.rsplit(":", 1)


@pytest.mark.parametrize(
    "language, protocol",
    [(name, each) for name, language in LANGUAGES.items() for each in language.protocols],
    indirect=["language"],
)
def test_generated_code_can_do_all_that_the_idl_says(
    nodes: Nodes, programs: Programs, protocol: str
) -> None:
    with programs.start(protocol, *address(nodes)) as program:
        out, errors = program.communicate(timeout=DEADLINE)
        assert (program.returncode, out) == (0, "passed\n"), out + errors


def test_the_example_does_what_its_comments_say(nodes: Nodes, programs: Programs) -> None:
    out = run([*programs.example, *address(nodes)], ROOT, **programs.environment)
    assert out.splitlines() == [
        "siblings: eggs milk",
        "merged: eggs, milk",
        "deleted: 0 siblings",
        "refused: there is no keyspace named 'nowhere'",
        "worth another try: no, may have happened: no",
    ]


class Conversation:
    """With a program that tells a line and then waits for one."""

    def __init__(self, program: subprocess.Popen[str]) -> None:
        self._program = program

    def hear(self) -> str:
        assert self._program.stdout and self._program.stderr
        line = self._program.stdout.readline()
        assert line, self._program.stderr.read()
        return line.rstrip("\n")

    def go_on(self) -> None:
        assert self._program.stdin
        self._program.stdin.write("\n")
        self._program.stdin.flush()


def answer_after_timeout(nodes: Nodes, programs: Programs, mode: str) -> str:
    """A get of `late-a` that times out because the node stands still, then one of `late-b`."""
    node = nodes["node1"]
    suffix_of_keys = secrets.token_hex(8)
    with programs.start(mode, *address(nodes), suffix_of_keys) as program:
        try:
            client = Conversation(program)
            assert client.hear() == "ready"
            node.pause()
            client.go_on()
            assert client.hear() == "timed out"
            node.resume()
            nodes.wait_until_all_are_alive()
            client.go_on()
            answer = client.hear()
            client.go_on()
            assert program.wait(timeout=DEADLINE) == 0
            return answer
        finally:
            node.resume()
            program.kill()
            nodes.wait_until_all_are_alive()


def test_what_a_connection_answers_after_a_timeout(
    nodes: Nodes, programs: Programs, language: str
) -> None:
    """The trap that docs/thrift.md warns of. Should a library close it, the page must change."""
    answer = answer_after_timeout(nodes, programs, "late")
    assert answer == LANGUAGES[language].after_timeout


def test_the_pool_of_the_example_never_gives_a_late_answer(
    nodes: Nodes, programs: Programs
) -> None:
    assert answer_after_timeout(nodes, programs, "late-pool") == "late-b"
