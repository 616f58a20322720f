"""A node as a process of its own: ringwrightd."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import ringwright as rw

DEADLINE = 30.0


def program() -> Path:
    """The daemon beside the package: of an installation, or of a build tree."""
    package = Path(rw.__file__).parent
    for place in (package / "bin" / "ringwrightd", package.parents[1] / "ringwrightd"):
        if place.exists():
            return place
    raise FileNotFoundError("ringwrightd was not built")


def comes_true(condition: Callable[[], bool]) -> bool:
    give_up = time.monotonic() + DEADLINE
    while not condition():
        if time.monotonic() > give_up:
            return False
        time.sleep(0.01)
    return True


class Daemon:
    """One ringwrightd, ended with the object. `log` is complete once it has ended."""

    def __init__(self, log: Path, *arguments: str, env: dict[str, str] | None = None) -> None:
        self.control, theirs = socket.socketpair()
        self.control.settimeout(DEADLINE)
        self._log = log
        command = [str(program()), "--control-fd", str(theirs.fileno()), *arguments]
        with theirs, log.open("wb") as stderr:
            self.process = subprocess.Popen(
                command, stderr=stderr, pass_fds=[theirs.fileno()], env=dict(os.environ, **env or {})
            )
        self.addresses: dict[str, Any] = {}

    @property
    def log(self) -> str:
        return self._log.read_text()

    def wait_until_ready(self) -> dict[str, Any]:
        line = b""
        while not line.endswith(b"\n"):
            piece = self.control.recv(4096)
            assert piece, self.log
            line += piece
        self.addresses = json.loads(line)
        return self.addresses

    def ask(self, path: str, method: str = "GET", body: bytes | None = None) -> tuple[int, str]:
        request = urllib.request.Request(
            f"http://{self.addresses['admin']}{path}", method=method, data=body
        )
        try:
            with urllib.request.urlopen(request, timeout=DEADLINE) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code, refused.read().decode()

    def wait(self) -> int:
        return self.process.wait(timeout=DEADLINE)

    def close(self) -> None:
        self.control.close()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(timeout=DEADLINE)


HAS_THRIFT = (program().parent / "plugins" / "ringwright_thrift.so").exists() or (
    program().parents[1] / "plugins" / "ringwright_thrift.so"
).exists()
needs_thrift = pytest.mark.skipif(not HAS_THRIFT, reason="the Thrift transport was not built")


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Daemon]]:
    """Starts daemons on ports of the system's choice, each a cluster of itself alone."""
    started: list[Daemon] = []

    def one(*assignments: str, config: str = "", env: dict[str, str] | None = None) -> Daemon:
        file = tmp_path / f"node{len(started)}.toml"
        file.write_text(
            config
            or f"""
            [node]
            name = "one"
            data_dir = "{tmp_path / "data"}"
            [listen]
            client = "127.0.0.1:0"
            peer = "127.0.0.1:0"
            admin = "127.0.0.1:0"
            [transport]
            kind = "loopback"
            """
        )
        arguments = [word for assignment in assignments for word in ("--set", assignment)]
        log = tmp_path / f"log{len(started)}"
        started.append(Daemon(log, "--config", str(file), *arguments, env=env))
        return started[-1]

    yield one
    for daemon in started:
        daemon.close()


def test_it_says_where_it_is_and_answers_there(start: Callable[..., Daemon]) -> None:
    daemon = start("cluster.name=lab")
    addresses = daemon.wait_until_ready()
    assert set(addresses) == {"client", "peer", "admin", "pid"}
    assert addresses["pid"] == daemon.process.pid
    assert daemon.ask("/livez")[0] == 200
    assert daemon.ask("/readyz") == (200, '{"status":"ready","reasons":[]}\n')
    code, text = daemon.ask("/status")
    status = json.loads(text)
    assert code == 200
    assert (status["name"], status["condition"]) == ("one", "up")
    assert status["members"] == {"one": "alive"}
    assert {engine["durability"] for engine in status["engines"]} == {"disk"}
    health = json.loads(daemon.ask("/health?verbose")[1])
    assert health["status"] == "ok" and health["reasons"] == []
    assert [check["name"] for check in health["checks"]][:2] == ["node", "member one"]
    assert "checks" not in json.loads(daemon.ask("/health")[1])
    assert daemon.ask("/nowhere")[0] == 404
    assert daemon.ask("/livez", "PUT", b"")[0] == 405
    assert daemon.ask("/faults")[0] == 403
    assert daemon.ask("/faults", "PUT", b'{"links":[]}')[0] == 403


def test_status_has_the_keys_of_a_node_of_a_local_cluster(
    start: Callable[..., Daemon], cluster: rw.Cluster
) -> None:
    daemon = start()
    daemon.wait_until_ready()
    shown = json.loads(daemon.ask("/status")[1])
    assert set(shown) == set(cluster._checked().node_status("node1"))
    # Their metrics have the same names, too.
    pages = daemon.ask("/metrics")[1]
    names = {line.rsplit(" ", 1)[0] for line in pages.splitlines() if not line.startswith("#")}
    wanted = {name.partition("{")[0] for name in cluster.nodes["node1"].metrics()}
    assert {name for name in wanted if "_total" not in name} <= {n.partition("{")[0] for n in names}
    assert 'ringwright_engine_disk_bytes{keyspace="default"}' in names


def test_metrics_are_in_prometheus_format(start: Callable[..., Daemon]) -> None:
    daemon = start("log.format=json")
    daemon.wait_until_ready()
    text = daemon.ask("/metrics")[1]
    assert text.endswith("\n")
    name = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
    sample = re.compile(
        rf'({name})(?:\{{(?:[a-zA-Z_]\w*="(?:[^"\\\n]|\\[\\"n])*",?)*\}})? (-?[0-9.e+-]+|NaN)'
    )
    family = ""
    families: dict[str, str] = {}
    values: dict[str, float] = {}
    for line in text.splitlines():
        if line.startswith("# HELP "):
            family = line.split(" ")[2]
            assert family not in families, line
        elif line.startswith("# TYPE "):
            assert line.split(" ")[2] == family
            families[family] = line.split(" ")[3]
        else:
            read = sample.fullmatch(line)
            kinds = ("_bucket", "_sum", "_count") if families[family] == "histogram" else ("",)
            assert read and read[1] in {family + kind for kind in kinds}, line
            assert line.rsplit(" ", 1)[0] not in values, line
            values[line.rsplit(" ", 1)[0]] = float(read[2])
    assert values['ringwright_ring_nodes{state="alive"}'] == 1
    assert values["ringwright_malformed_counters"] == 0
    assert values["process_resident_memory_bytes"] > 1 << 20
    assert values["process_open_fds"] > 3
    assert abs(values["process_start_time_seconds"] - time.time()) < 3600
    for known, kind in families.items():
        assert (kind == "counter") == known.endswith("_total"), known


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_drains_it(start: Callable[..., Daemon], number: int) -> None:
    daemon = start("log.format=json")
    daemon.wait_until_ready()
    daemon.process.send_signal(number)
    assert daemon.wait() == 0
    events = [json.loads(line)["event"] for line in daemon.log.splitlines()]
    assert events == ["node_starting", "node_ready", "node_draining", "node_stopped"]


def test_it_comes_back_as_the_same_node(start: Callable[..., Daemon]) -> None:
    ids = []
    for _ in range(2):
        daemon = start()
        daemon.wait_until_ready()
        ids.append(json.loads(daemon.ask("/status")[1])["id"])
        daemon.process.send_signal(signal.SIGTERM)
        assert daemon.wait() == 0
    assert ids[0] == ids[1]
    other = start("cluster.name=elsewhere")
    assert other.wait() == 1
    assert "belongs to cluster 'local' and not to 'elsewhere'" in other.log


def test_it_does_not_outlive_who_started_it(start: Callable[..., Daemon]) -> None:
    daemon = start()
    daemon.wait_until_ready()
    daemon.control.close()
    assert daemon.wait() != 0
    assert "node_draining" not in daemon.log


def test_words_over_the_control_descriptor_mean_nothing(start: Callable[..., Daemon]) -> None:
    daemon = start()
    daemon.wait_until_ready()
    daemon.control.sendall(b"hello" * 1000)
    assert daemon.ask("/readyz")[0] == 200
    assert daemon.process.poll() is None


def test_a_wrong_configuration_ends_it_with_two(start: Callable[..., Daemon]) -> None:
    for assignment, words in {
        "listen.amdin=127.0.0.1:0": "did you mean 'listen.admin'?",
        "keyspace.default.resolver=mine": "`ringwright serve`",
        "listen.admin=0.0.0.0:0": "listen.insecure=true",
        "node.data_dir=": "node.data_dir is not set",
        "transport.kind=trift": "transport.kind: no transport named 'trift'",
    }.items():
        daemon = start(assignment)
        assert daemon.wait() == 2
        assert words in daemon.log
    daemon = start(config="[node]\nnmae = 'x'\n")
    assert daemon.wait() == 2
    assert "did you mean 'node.name'?" in daemon.log


def test_a_taken_port_is_named(start: Callable[..., Daemon]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        daemon = start(f"listen.admin={address}")
        assert daemon.wait() == 1
    assert f"listen.admin: {address} is taken by another process" in daemon.log


def test_a_port_that_is_kept_can_be_listened_at(start: Callable[..., Daemon]) -> None:
    with socket.socket() as kept:
        kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        kept.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{kept.getsockname()[1]}"
        for _ in range(2):
            daemon = start(f"listen.admin={address}")
            assert daemon.wait_until_ready()["admin"] == address
            daemon.process.kill()
            assert daemon.wait() == -signal.SIGKILL


def test_the_environment_outranks_the_file_and_set_outranks_it(
    start: Callable[..., Daemon],
) -> None:
    env = {"RINGWRIGHT_NODE__NAME": "two", "RINGWRIGHT_NODE__SHARDS": "2"}
    daemon = start("node.shards=3", env=env)
    daemon.wait_until_ready()
    status = json.loads(daemon.ask("/status")[1])
    assert (status["name"], status["shards"]) == ("two", 3)


def test_check_shows_values_and_their_origin(tmp_path: Path) -> None:
    file = tmp_path / "node.toml"
    file.write_text(f'[node]\ndata_dir = "{tmp_path}/data"\n[transport]\nkind = "loopback"\n')
    command = [str(program()), "--config", str(file), "--check", "--set=node.shards=2"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert 'node.shards = "2"  (set)' in lines
    assert 'transport.kind = "loopback"  (file)' in lines
    assert 'keyspace.default.durability = "disk"  (built-in)' in lines
    assert not (tmp_path / "data").exists()
    done = subprocess.run(
        [*command, "--set=keyspace.default.n=3"], capture_output=True, text=True, timeout=DEADLINE
    )
    assert done.returncode == 2 and "keyspace.default.n = 3" in done.stderr


def test_every_key_is_documented(tmp_path: Path) -> None:
    page = Path(__file__).parents[2] / "docs" / "configuration.md"
    documented = set()
    for row in re.findall(r"^\| (`[^|]*) \|", page.read_text(), re.MULTILINE):
        keys = re.findall(r"`([^`]+)`", row)
        section = keys[0].rpartition(".")[0]
        documented |= {section + key if key.startswith(".") else key for key in keys}
    command = [str(program()), "--check", "--set=member.node1.weight=1"]
    command.append("--set=keyspace.default.engine_on.node1=memory")
    done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE)
    known = {
        re.sub(r"^(keyspace|member)\.[^.]+", r"\1.<name>", line.split(" ")[0]).replace(
            ".engine_on.node1", ".engine_on.<node>"
        )
        for line in done.stdout.splitlines()
    }
    assert len(known) > 30
    assert known <= documented
    assert {key for key in documented if re.fullmatch(r"[a-z]+\.[a-z_.<>]+", key)} - known == {
        "engine.<name>.<option>"
    }


def test_options() -> None:
    def run(*arguments: str) -> tuple[int, str, str]:
        done = subprocess.run(
            [str(program()), *arguments], capture_output=True, text=True, timeout=DEADLINE
        )
        return done.returncode, done.stdout, done.stderr

    assert run("--version") == (0, f"ringwrightd {rw.__version__}\n", "")
    assert run("--help")[0] == 0
    code, _, said = run("--confg", "x")
    assert code == 2 and "did you mean '--config'?" in said
    assert run("--config")[0] == 2
    assert run("--config", "/nowhere.toml")[0] == 2
    assert run("--control-fd", "x")[0] == 2


def test_the_service_manager_is_told(tmp_path: Path, start: Callable[..., Daemon]) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.settimeout(DEADLINE)
        manager.bind(str(tmp_path / "notify"))
        daemon = start(env={"NOTIFY_SOCKET": str(tmp_path / "notify")})
        assert manager.recv(100) == b"READY=1"
        daemon.process.send_signal(signal.SIGTERM)
        assert manager.recv(100) == b"STOPPING=1"
        assert daemon.wait() == 0


def test_faults_are_shown_and_replaced(start: Callable[..., Daemon]) -> None:
    daemon = start("dev.faults=true")
    daemon.wait_until_ready()
    assert daemon.ask("/faults") == (200, '{"links":[]}\n')
    for body, words in {
        b"{": "no JSON",
        b"[]": "not of the form",
        b'{"links":[{"from":"one"}]}': "lacks `from` or `to`",
        b'{"links":[{"from":"one","to":"two"}]}': "no member 'two'",
        b'{"links":[{"from":"one","to":"one"}]}': "no link to itself",
        b'{"links":[{"from":"one","to":"two","ctu":true}]}': "unknown key 'ctu'",
        b'{"links":[{"from":"one","to":"two","delay_ms":-1}]}': "delay_ms is no whole number",
    }.items():
        code, text = daemon.ask("/faults", "PUT", body)
        assert code == 400 and words in json.loads(text)["error"]
    assert daemon.ask("/faults", "PUT", b'{"links":[]}') == (200, '{"links":[]}\n')
    assert "faults_changed" in daemon.log


@pytest.fixture
def three(tmp_path: Path, start: Callable[..., Daemon]) -> Iterator[Callable[..., Daemon]]:
    """Starts a member of a cluster of three over sockets, by its number; also a second time."""
    kept: list[socket.socket] = []

    def keep() -> str:
        kept.append(socket.socket())
        kept[-1].setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        kept[-1].bind(("127.0.0.1", 0))
        return f"127.0.0.1:{kept[-1].getsockname()[1]}"

    places = {f"node{i}": (keep(), keep()) for i in (1, 2, 3)}
    members = "".join(
        f'[member.{name}]\nclient = "{client}"\npeer = "{peer}"\n'
        for name, (client, peer) in places.items()
    )

    def member(number: int, *assignments: str) -> Daemon:
        name = f"node{number}"
        client, peer = places[name]
        config = f"""
            [cluster]
            name = "lab"
            [node]
            name = "{name}"
            data_dir = "{tmp_path / name}"
            [listen]
            client = "{client}"
            peer = "{peer}"
            admin = "127.0.0.1:0"
            [log]
            format = "json"
            [dev]
            faults = true
            """
        daemon = start(*assignments, config=config + members)
        assert daemon.wait_until_ready()["client"] == client
        return daemon

    yield member
    for one in kept:
        one.close()


def sees(daemon: Daemon, **members: str) -> Callable[[], bool]:
    def holds() -> bool:
        seen = json.loads(daemon.ask("/status")[1])["members"]
        return all(seen[name] == state for name, state in members.items())

    return holds


@needs_thrift
def test_three_nodes_find_each_other_and_miss_who_is_killed(three: Callable[..., Daemon]) -> None:
    daemons = [three(1), three(2), three(3)]
    for daemon in daemons:
        assert comes_true(sees(daemon, node1="alive", node2="alive", node3="alive")), daemon.log
    daemons[2].process.kill()
    daemons[2].wait()
    assert comes_true(sees(daemons[0], node2="alive", node3="suspect"))
    code, text = daemons[0].ask("/health")
    health = json.loads(text)
    assert (code, health["status"]) == (200, "degraded")
    assert health["reasons"] == ["Member node3 is suspect."]
    daemons[1].process.kill()
    daemons[1].wait()
    assert comes_true(sees(daemons[0], node2="suspect", node3="suspect"))
    code, text = daemons[0].ask("/health")
    assert (code, json.loads(text)["status"]) == (503, "failing")
    assert daemons[0].ask("/readyz")[0] == 200
    three(3)
    assert comes_true(sees(daemons[0], node2="suspect", node3="alive"))
    events = [json.loads(line) for line in daemons[0].log.splitlines()]
    changes = [
        (event["fields"]["member"], event["fields"]["to"])
        for event in events
        if event["event"] == "member_state_changed"
    ]
    assert changes[-1] == ("node3", "alive")
    assert ("node2", "suspect") in changes and ("node3", "suspect") in changes


@needs_thrift
def test_a_cut_that_one_side_knows_of_parts_both(three: Callable[..., Daemon]) -> None:
    daemons = [three(1), three(2), three(3)]
    for daemon in daemons:
        assert comes_true(sees(daemon, node1="alive", node2="alive", node3="alive")), daemon.log
    links = [
        {"from": a, "to": b, "cut": True, "delay_ms": 0}
        for a, b in (("node1", "node2"), ("node2", "node1"))
    ]
    code, text = daemons[0].ask("/faults", "PUT", json.dumps({"links": links}).encode())
    assert (code, json.loads(text)) == (200, {"links": links})
    assert json.loads(daemons[1].ask("/faults")[1]) == {"links": []}
    assert comes_true(sees(daemons[0], node2="suspect", node3="alive"))
    assert comes_true(sees(daemons[1], node1="suspect", node3="alive"))
    assert sees(daemons[2], node1="alive", node2="alive")()
    assert json.loads(daemons[0].ask("/health")[1])["reasons"] == [
        "Member node2 is suspect.",
        "2 links are faulty on purpose.",
    ]
    assert daemons[0].ask("/faults", "PUT", b'{"links":[]}')[0] == 200
    for daemon in daemons[:2]:
        assert comes_true(sees(daemon, node1="alive", node2="alive", node3="alive")), daemon.log


@needs_thrift
def test_a_taken_client_port_is_named(start: Callable[..., Daemon]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        daemon = start("transport.kind=thrift", f"listen.client={address}")
        assert daemon.wait() == 1
    assert address in daemon.log and "node_failed" in daemon.log


@needs_thrift
def test_a_member_with_other_settings_is_refused_by_name(three: Callable[..., Daemon]) -> None:
    first = three(1)
    other = three(2, "keyspace.default.r=1")

    def refused() -> bool:
        events = [json.loads(line) for line in first.log.splitlines()]
        events += [json.loads(line) for line in other.log.splitlines()]
        return any(
            event["event"] == "peer_refused" and "[keyspace.default]" in event["message"]
            for event in events
        )

    assert comes_true(refused), first.log + other.log
    assert comes_true(sees(first, node2="suspect"))
