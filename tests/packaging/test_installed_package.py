"""What authors of parts get: the installed package, plugins built against it, and how those load.

Ringwright is installed from its build tree into a temporary folder, and the examples are copied beside
it and built there, as somebody would who has nothing else of Ringwright.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
import ringwright as rw
from ringwright import _core

ROOT = Path(__file__).parents[2]
BUILD = Path(_core.__file__).parents[2]
SECONDS = 300

if not (BUILD / "CMakeCache.txt").exists():
    pytest.skip("needs a build tree to install from", allow_module_level=True)
CACHE = (BUILD / "CMakeCache.txt").read_text()
if re.search(r"^RINGWRIGHT_SANITIZE:\w+=\S", CACHE, re.MULTILINE):
    pytest.skip("a plugin without the sanitizer would be refused", allow_module_level=True)
HAS_GTEST = "GTest_DIR:PATH=/" in CACHE
HAS_THRIFT = (BUILD / "plugins" / "ringwright_thrift.so").exists()
HAS_ROCKSDB = (BUILD / "plugins" / "ringwright_rocksdb.so").exists()


class Place:
    """A folder that holds the installed package and what is built against it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.prefix = folder / "prefix"
        self.include = self.prefix / "include" / "ringwright"
        self.library = next(self.prefix.glob("lib*")) if self.prefix.exists() else Path()

    def run(
        self, *command: str | Path, code: int = 0, folder: Path | None = None, **variables: str
    ) -> str:
        """What the command says, both ways; it must end with `code`."""
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith("RINGWRIGHT_")
        }
        # Of two runs of these tests the paths differ, and nothing else.
        cache = {"CCACHE_BASEDIR": str(self.folder), "CCACHE_NOHASHDIR": "1"}
        done = subprocess.run(
            [str(word) for word in command],
            cwd=folder or self.folder,
            env={**kept, **cache, **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert done.returncode == code, f"{command}\n{done.stdout}"
        return done.stdout

    def python(self, code: str, **variables: str) -> str:
        command = (sys.executable, "-W", "error", "-c", textwrap.dedent(code))
        return self.run(*command, PYTHONPATH=str(BUILD / "python"), **variables)

    def ringwright(self, *words: str, **variables: str) -> str:
        command = (sys.executable, "-m", "ringwright", *words)
        return self.run(*command, PYTHONPATH=str(BUILD / "python"), **variables)

    def build(self, source: Path, *options: str) -> Path:
        """The build tree of a plugin's sources."""
        tree = source / "build"
        launcher = shutil.which("ccache")
        cached = [f"-DCMAKE_CXX_COMPILER_LAUNCHER={launcher}"] if launcher else []
        self.run(
            "cmake", "-S", source, "-B", tree, "-G", "Ninja", "-DCMAKE_COMPILE_WARNING_AS_ERROR=ON",
            "-DCMAKE_BUILD_TYPE=Debug", f"-DCMAKE_PREFIX_PATH={self.prefix}", *cached, *options,
        )
        self.run("cmake", "--build", tree)
        return tree


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    folder = tmp_path_factory.mktemp("installed")
    Place(folder).run("cmake", "--install", BUILD, "--prefix", folder / "prefix")
    return Place(folder)


@pytest.fixture(scope="module")
def toy(place: Place) -> Path:
    """The build tree of the example of an engine, copied from where it was installed."""
    source = place.folder / "toy"
    shutil.copytree(place.prefix / "share" / "ringwright" / "examples" / "plugin", source)
    return place.build(source)


@pytest.fixture(scope="module")
def picks(place: Place) -> Path:
    """The build tree of the example of resolvers."""
    source = place.folder / "picks"
    shutil.copytree(place.prefix / "share" / "ringwright" / "examples" / "resolver_plugin", source)
    return place.build(source)


@pytest.fixture(scope="module")
def lagging(place: Place) -> Path:
    """The build tree of the example of a transport."""
    source = place.folder / "lagging"
    shutil.copytree(place.prefix / "share" / "ringwright" / "examples" / "transport_plugin", source)
    return place.build(source)


PUT_AND_GET = """
    import sys
    import ringwright as rw
    with rw.Cluster.local(3, engine="toy", durability="none", config={config}, **{more}) as cluster:
        kv = cluster.client()
        kv.put(b"key", b"value")
        assert kv.get(b"key").value == b"value"
        assert cluster.status()[0].engines[0].engine == "toy", cluster.status()
    """


@pytest.mark.skipif(not HAS_GTEST, reason="needs GoogleTest")
def test_the_example_passes_the_installed_conformance_suite(place: Place, toy: Path) -> None:
    told = place.run(toy / "toy_test")
    assert "Toy/EngineConformance.behaves_like_a_map/toy" in told
    assert "[  PASSED  ]" in told
    told = place.run("ctest", "--test-dir", toy)
    assert "100% tests passed" in told


def test_an_engine_is_found_by_its_name(place: Place, toy: Path) -> None:
    found = toy / "plugins"
    place.python(PUT_AND_GET.format(config={"plugins.path": str(found)}, more={}))
    place.python(PUT_AND_GET.format(config={}, more={}), RINGWRIGHT_PLUGIN_PATH=str(found))
    place.python(
        PUT_AND_GET.format(config={}, more={}), RINGWRIGHT_PLUGINS__PATH=f"/nowhere:{found}"
    )


def test_an_engine_is_loaded_from_a_file_of_any_name(place: Place, toy: Path) -> None:
    file = place.folder / "any.name"
    shutil.copy(toy / "plugins" / "ringwright_toy.so", file)
    place.python(PUT_AND_GET.format(config={"plugins": {"load": str(file)}}, more={}))


@pytest.mark.skipif(not HAS_THRIFT, reason="the Thrift plugin was not built")
def test_child_processes_find_it_too(place: Place, toy: Path) -> None:
    config = {"plugins.path": os.path.relpath(toy / "plugins", place.folder)}
    place.python(PUT_AND_GET.format(config=config, more={"processes": True}))


@pytest.mark.skipif(not HAS_THRIFT, reason="the Thrift plugin was not built")
def test_a_node_of_its_own_finds_it(place: Place, toy: Path) -> None:
    place.python(
        f"""
        import ringwright as rw
        config = {{
            "plugins.path": {str(toy / "plugins")!r},
            "keyspace.default.durability": "none",
            "listen": {{"client": "127.0.0.1:0", "peer": "127.0.0.1:0", "admin": "127.0.0.1:0"}},
        }}
        with rw.Node.open({str(place.folder / "node")!r}, engine="toy", config=config) as node:
            with rw.Client(node.address, timeout=10) as kv:
                kv[b"key"] = b"value"
                assert kv[b"key"] == b"value"
        """
    )


def test_it_is_listed_with_what_it_says_of_itself(place: Place, toy: Path) -> None:
    shown = place.ringwright(
        "engine", "list", "--probe", "-o", "json", RINGWRIGHT_PLUGIN_PATH=str(toy / "plugins")
    )
    row = next(row for row in json.loads(shown)["engines"] if row["name"] == "toy")
    assert row == {
        "name": "toy",
        "kind": "engine",
        "origin": str((toy / "plugins" / "ringwright_toy.so").resolve()),
        "version": "0.1",
        "library": "",
        "licence": "Apache-2.0",
        "remarks": [],
        "durabilities": ["none"],
        "merge": False,
        "non_blocking": True,
    }


@pytest.mark.skipif(not HAS_THRIFT, reason="the Thrift plugin was not built")
def test_the_installed_daemon_finds_an_installed_plugin(place: Place, toy: Path) -> None:
    daemon = [place.prefix / "bin" / "ringwrightd", "--check"]
    for setting in (f"node.data_dir={place.folder}", "keyspace.default.durability=none"):
        daemon += ["--set", setting]
    chosen = ["--set", "keyspace.default.engine=toy"]
    refused = place.run(*daemon, *chosen, code=2)
    assert "no engine named 'toy'" in refused
    path = f"plugins.path={toy / 'plugins'}"
    assert "keyspace.default.engine = \"toy\"" in place.run(*daemon, *chosen, "--set", path)
    place.run("cmake", "--install", toy, "--prefix", place.prefix)
    assert (place.library / "ringwright" / "plugins" / "ringwright_toy.so").exists()
    place.run(*daemon, *chosen)


@pytest.mark.skipif(not HAS_ROCKSDB, reason="the RocksDB plugin was not built")
def test_an_engine_that_is_known_but_absent_is_said_to_be(place: Place, toy: Path) -> None:
    bare = place.folder / "bare"
    (bare / "bin").mkdir(parents=True)
    shutil.copytree(place.library, bare / place.library.name, symlinks=True)
    shutil.copy(place.prefix / "bin" / "ringwrightd", bare / "bin")
    (bare / place.library.name / "ringwright" / "plugins" / "ringwright_rocksdb.so").unlink()
    told = place.run(
        bare / "bin" / "ringwrightd", "--check", "--set", f"node.data_dir={place.folder}",
        "--set", "keyspace.default.engine=rocksdb", code=2,
    )
    expected = "the engine 'rocksdb' is not there: ringwright_rocksdb.so was not found in "
    assert expected + str(bare) in told


def test_resolvers_come_from_a_plugin_of_another_name(place: Place, picks: Path) -> None:
    code = """
        import ringwright as rw
        config = {{"plugins.path": {path!r}, "plugins.load": "picks"}}
        with rw.Cluster.local(3, resolver={resolver!r}, config=config) as cluster:
            for value in (b"bb", b"ccc", b"d"):
                with cluster.client() as kv:
                    kv.put(b"key", value, context=rw.NO_CONTEXT, w=3)
            with cluster.client() as kv:
                assert kv.get(b"key", r=3).value == {expected!r}
        """
    path = str(picks / "plugins")
    for resolver, expected in (("longest", b"ccc"), ("greatest", b"d")):
        place.python(code.format(path=path, resolver=resolver, expected=expected))


@pytest.mark.skipif(not HAS_GTEST, reason="needs GoogleTest")
def test_the_example_of_a_transport_passes_its_tests(place: Place, lagging: Path) -> None:
    assert "[  PASSED  ] 10 tests" in place.run(lagging / "lagging_test")
    assert "100% tests passed" in place.run("ctest", "--test-dir", lagging)


LATE_PUTS_AND_GETS = """
    import time
    import ringwright as rw

    def seconds(call):
        start = time.monotonic()
        call()
        return time.monotonic() - start

    config = {{"plugins.path": {path!r}, "membership.suspect_after": "30s"}}
    with rw.Cluster.local(3, transport="lagging", timeout=60, config=config, **{more}) as cluster:
        kv = cluster.client()
        # To a node and back; for a second replica also from there to another node and back.
        for replicas, ways in ((1, 2), (2, 4)):
            assert seconds(lambda: kv.put(b"key", b"value", w=replicas)) >= ways * {latency}
            assert seconds(lambda: kv.get(b"key", r=replicas)) >= ways * {latency}
        assert kv.get(b"key").value == b"value"
        for node in cluster.nodes.values():
            counted = node.metrics()
            assert counted["ringwright_lagging_held_total"] > 0, counted
            assert counted["ringwright_lagging_dropped_total"] == 0, counted
    """


def test_a_transport_of_a_plugin_makes_requests_late(place: Place, lagging: Path) -> None:
    code = LATE_PUTS_AND_GETS.format(path=str(lagging / "plugins"), latency=0.025, more={})
    place.python(code, RINGWRIGHT_LAGGING="latency=25ms,jitter=5ms")


@pytest.mark.skipif(not HAS_THRIFT, reason="the Thrift plugin was not built")
def test_a_transport_of_a_plugin_stands_around_another_plugin(place: Place, lagging: Path) -> None:
    more = {"processes": True}
    code = LATE_PUTS_AND_GETS.format(path=str(lagging / "plugins"), latency=0.025, more=more)
    place.python(code, RINGWRIGHT_LAGGING="around=thrift,latency=25ms")


def test_a_transport_of_a_plugin_refuses_wrong_options(place: Place, lagging: Path) -> None:
    code = f"""
        import ringwright as rw
        try:
            rw.Cluster.local(3, transport="lagging", config={{"plugins.path": {str(lagging / "plugins")!r}}})
        except rw.InvalidRequestError as error:
            print(error, end="")
        """
    told = place.python(code, RINGWRIGHT_LAGGING="latencey=25ms")
    assert told == (
        "RINGWRIGHT_LAGGING: the transport 'lagging' has no option 'latencey'; did you mean 'latency'?"
    )
    assert "say how late envelopes are" in place.python(code)
    told = place.python(code, RINGWRIGHT_LAGGING="latency=25ms,around=lopback")
    assert "no transport named 'lopback'; did you mean 'loopback'?" in told


def test_the_decorator_of_the_guide_counts(place: Place) -> None:
    guide = (ROOT / "docs" / "writing_a_plugin.md").read_text()
    source = place.folder / "counting"
    source.mkdir()
    for kind, name, mark in (("cpp", "counting.cc", "ForwardingEngine"), ("cmake", "CMakeLists.txt", "")):
        blocks = re.findall(rf"```{kind}\n(.*?)```", guide, re.DOTALL)
        (source / name).write_text(next(block for block in blocks if mark in block))
    tree = place.build(source)
    told = place.python(
        """
        import ringwright as rw
        with rw.Cluster.local(1, engine="counting(memory)") as cluster, cluster.client() as kv:
            kv.put(b"key", b"value")
        """,
        RINGWRIGHT_PLUGIN_PATH=str(tree / "plugins"),
    )
    assert "counting: 1 operations" in told


def compile_plugin(place: Place, source: Path, name: str, *options: str) -> Path:
    """Without CMake, so that everything about the file can be wrong."""
    file = place.folder / f"ringwright_{name}.so"
    compiler = os.environ.get("CXX", "g++")
    place.run(
        compiler, "-std=c++20", "-fPIC", "-shared", f"-I{place.include}", *options, source,
        "-o", file,
    )
    return file


def refusal_of(place: Place, file: Path) -> str:
    """What a process says that is asked to load the file, and lives on."""
    return place.python(
        f"""
        import ringwright as rw
        from ringwright import _core
        try:
            _core.load_plugin_at({str(file)!r})
        except rw.InvalidRequestError as error:
            print(error, end="")
        """
    )


def test_another_sanitizer_is_refused_and_does_not_end_the_process(place: Place) -> None:
    source = ROOT / "tests" / "support" / "plugins" / "odd_plugin.cc"
    told = refusal_of(place, compile_plugin(place, source, "asan", "-fsanitize=address"))
    assert "ringwright_asan.so is refused: it was built for '" in told
    assert "sanitizer address' (" in told
    assert "sanitizer none' (" in told


def test_an_older_string_is_refused(place: Place) -> None:
    source = ROOT / "tests" / "support" / "plugins" / "odd_plugin.cc"
    told = refusal_of(place, compile_plugin(place, source, "old", "-D_GLIBCXX_USE_CXX11_ABI=0"))
    assert "cxx11abi=0" in told
    assert "cxx11abi=1" in told


def test_a_library_that_is_no_plugin_is_refused(place: Place) -> None:
    told = refusal_of(place, (place.library / "libringwright.so").resolve())
    assert "it has no manifest of Ringwright" in told


def test_a_plugin_of_another_copy_of_the_library_is_refused(place: Place, toy: Path) -> None:
    """As when a process that loaded the library of a wheel meets a plugin that brings its own."""
    soname = next(place.library.glob("libringwright.so.*.*.*")).name.rpartition(".")[0]
    other = soname[:-3] + "9.9"
    folder = place.folder / "two_copies"
    folder.mkdir()
    for file, name in (
        (place.library / soname, other),
        (toy / "plugins" / "ringwright_toy.so", "ringwright_toy.so"),
    ):
        patched = file.read_bytes().replace(soname.encode() + b"\0", other.encode() + b"\0")
        (folder / name).write_bytes(patched)
    code = f"""
        import ringwright as rw
        from ringwright import _core
        try:
            _core.load_plugin_at({str(folder / "ringwright_toy.so")!r})
        except rw.InvalidRequestError as error:
            print(error, end="")
        """
    told = place.python(code, LD_LIBRARY_PATH=str(folder))
    assert f"it is linked with another copy of Ringwright, {folder / other}" in told


def test_headers_need_nothing_else(place: Place) -> None:
    headers = [
        header.relative_to(place.include)
        for header in sorted(place.include.rglob("*.h"))
        if "tests" not in header.parts
    ]
    assert Path("engine/storage_engine.h") in headers
    assert Path("replication/transport/transport_factory.h") in headers
    everything = place.folder / "everything.cc"
    everything.write_text("".join(f"#include <{header}>\n" for header in headers))
    place.run("g++", "-std=c++20", "-fsyntax-only", "-Wall", f"-I{place.include}", everything)


@pytest.mark.parametrize(("wanted", "is_found"), [("0.1", True), ("0.2", False), ("1.0", False)])
def test_versions(place: Place, wanted: str, is_found: bool) -> None:
    source = place.folder / f"wants_{wanted}"
    source.mkdir()
    (source / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.25)\n"
        "project(wants LANGUAGES CXX)\n"
        f"find_package(ringwright {wanted} REQUIRED)\n"
    )
    told = place.run(
        "cmake", "-S", source, "-B", source / "build", f"-DCMAKE_PREFIX_PATH={place.prefix}",
        code=0 if is_found else 1,
    )
    assert is_found or "compatible with requested version" in told


def test_a_new_engine_builds_and_loads(place: Place) -> None:
    source = place.folder / "my_store"
    place.ringwright("engine", "new", "my_store", "--dir", str(source))
    options = () if HAS_GTEST else ("-DCMAKE_DISABLE_FIND_PACKAGE_GTest=ON",)
    tree = place.build(source, *options)
    if HAS_GTEST:
        assert "100% tests passed" in place.run("ctest", "--test-dir", tree)
    place.python(
        PUT_AND_GET.replace('"toy"', '"my_store"').format(
            config={"plugins.path": str(tree / "plugins")}, more={}
        )
    )


# Documents have the deadlines that are built in; a machine that is busy needs others.
PATIENT = {"RINGWRIGHT_CLIENT__TIMEOUT": "60s", "RINGWRIGHT_MEMBERSHIP__SUSPECT_AFTER": "30s"}


def run_readme(place: Place, example: Path, plugins: Path) -> list[str]:
    """What each Python block says. Settings must be known, and files named that there are."""
    text = (example / "README.md").read_text()
    text = text.replace("/where/the/plugin/lies", str(plugins)).replace("build/plugins", str(plugins))
    blocks: Callable[[str], list[str]] = lambda kind: re.findall(
        rf"```{kind}\n(.*?)```", text, re.DOTALL
    )
    found = {"RINGWRIGHT_PLUGIN_PATH": str(plugins)}
    told = [place.python(code, **found, **PATIENT) for code in blocks("python")]
    for toml in blocks("toml"):
        settings = _core.Settings()
        settings.add_toml(toml, "README.md")
    table = text[text.index("| file |") :]
    assert set(re.findall(r"`(\w+\.\w+)`", table)) == {
        file.name
        for file in example.iterdir()
        if file.name not in ("README.md", "CMakeLists.txt") and file.is_file()
    }
    return told


def test_the_readme_of_the_example_is_true(place: Place, toy: Path) -> None:
    assert run_readme(place, toy.parent, toy / "plugins") == ["b'value'\n"]
    assert rw.__version__


def test_the_readme_of_the_transport_is_true(place: Place, lagging: Path) -> None:
    (told,) = run_readme(place, lagging.parent, lagging / "plugins")
    times = re.fullmatch(r"w=1: (\d+) ms\nw=2: (\d+) ms\n", told)
    assert times, told
    assert int(times[1]) >= 40
    assert int(times[2]) >= 80
    shown = (lagging.parent / "README.md").read_text()
    constants = (lagging.parent / "lagging_transport.h").read_text()
    assert "at most 65536 of them" in shown
    assert "held_max = 65536;" in constants


def test_the_guide_to_transports_is_true(place: Place, lagging: Path) -> None:
    guide = (ROOT / "docs" / "writing_a_plugin.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```", guide, re.DOTALL)
    code = next(block for block in blocks if 'transport="lagging"' in block)
    code = code.replace("build/plugins", str(lagging / "plugins"))
    assert place.python(code, **PATIENT) == "b'value'\n"
