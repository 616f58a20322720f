"""A cluster whose nodes are processes of this machine."""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import weakref
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from . import _core, _life
from ._arguments import BytesLike, nearest
from ._calls import Target
from ._configuration import value_of
from ._engines import import_words
from .errors import ClosedError, Error, InvalidRequestError, TimeoutError

PROGRAM = "ringwrightd"

READY_DEADLINE_S = 20.0  # from the start of a process to its first word
STOP_DEADLINE_S = 15.0  # of a clean stop
SIGNAL_DEADLINE_S = 5.0  # until a process stands still, or is gone
ADMIN_DEADLINE_S = 5.0  # of one question to the admin port
POLL_S = 0.002
LOG_LINES_SHOWN = 10
LOG_BYTES_READ = 16 * 1024

# What the nodes of one cluster share; the rest is each one's own, or of the cluster object.
SHARED_SECTIONS = (
    "cluster", "node", "keyspace", "engine", "plugins", "membership", "client", "log",
)
OWN_KEYS = frozenset(("cluster.nodes", "node.data_dir", "node.name", "node.id"))


def find_program() -> str:
    """The path of ringwrightd: beside the package, in its build tree, or on the PATH."""
    package = Path(__file__).parent
    # Not resolved: in a build tree the files are links into the source.
    for place in (package / "bin" / PROGRAM, package.parents[1] / PROGRAM):
        if os.access(place, os.X_OK) and place.is_file():
            return str(place)
    found = shutil.which(PROGRAM)
    if found is None:
        raise InvalidRequestError(
            f"there is no program {PROGRAM!r} beside the package {package} nor on the PATH: build "
            "it, or leave processes=True out"
        )
    return found


def find_command(engines: Iterable[str]) -> list[str]:
    """What a node is run by: ringwrightd, or Python where one of the engines is written in it."""
    words = import_words(engines)
    if not words:
        return [find_program()]
    return [sys.executable, "-m", "ringwright", "serve", *words]


class ProcessNode:
    """One child process, with the ports that are kept for it while it does not run."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.folder = folder
        self.config = folder / "node.toml"
        self.log = folder / f"{PROGRAM}.log"
        self.process: subprocess.Popen[bytes] | None = None
        self.condition = "stopped"
        self.failure = ""
        self.last_status: dict[str, Any] = {}
        self._control: socket.socket | None = None
        self._kept = {kind: _kept_port() for kind in ("client", "peer", "admin")}
        self.addresses = {
            kind: "{}:{}".format(*kept.getsockname()) for kind, kept in self._kept.items()
        }

    def write_config(self, shared: str, members: str) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        own = {
            "node.name": self.name,
            "node.data_dir": str(self.folder / "data"),
            **{f"listen.{kind}": address for kind, address in self.addresses.items()},
            "dev.faults": "true",
        }
        self.config.write_text(shared + members + _toml(own.items()), encoding="utf-8")

    def spawn(self, program: Sequence[str]) -> None:
        """Starts the process; `wait_ready` must follow."""
        ours, theirs = socket.socketpair()
        # What the file says must not be changed by what it was made from.
        environment = {
            name: value
            for name, value in os.environ.items()
            if not (name.startswith("RINGWRIGHT_") and "__" in name)
        }
        if program[0] == sys.executable:
            environment["PYTHONPATH"] = os.pathsep.join(map(os.path.abspath, sys.path))
        with theirs, self.log.open("ab") as log:
            try:
                self.process = subprocess.Popen(
                    [*program, "--config", str(self.config), "--control-fd", str(theirs.fileno())],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=log,
                    pass_fds=[theirs.fileno()],
                    env=environment,
                    # An interrupt from the terminal is for the parent, which then ends its nodes.
                    start_new_session=True,
                )
            except BaseException:
                ours.close()
                raise
        self._control = ours
        self.condition = "starting"
        self.failure = ""

    def wait_ready(self, until: float) -> None:
        """Until the process serves; raises Error with its last words when it does not."""
        assert self._control is not None
        line = b""
        try:
            while not line.endswith(b"\n"):
                self._control.settimeout(max(until - time.monotonic(), POLL_S))
                piece = self._control.recv(4096)
                if not piece:
                    raise self._start_failed("ended before it served")
                line += piece
        except OSError:
            reason = f"did not serve within {READY_DEADLINE_S:g} s"
            raise self._start_failed(reason) from None
        json.loads(line)
        self.condition = "up"

    def _start_failed(self, reason: str) -> Error:
        self.end(signal.SIGKILL, SIGNAL_DEADLINE_S)
        self.condition = "failed"
        self.failure = f"{self.name} {reason}"
        shown = self.last_log_lines()
        error = Error(f"{self.failure}; {self.log} ends with:\n{shown}")
        error.code = "failed"
        error.node = self.name
        return error

    def last_log_lines(self) -> str:
        with suppress(OSError), self.log.open("rb") as log:
            log.seek(max(log.seek(0, os.SEEK_END) - LOG_BYTES_READ, 0))
            lines = log.read().decode(errors="replace").splitlines()
            return "\n".join(lines[-LOG_LINES_SHOWN:])
        return ""

    @property
    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def note_death(self) -> None:
        """Looks whether the process has ended by itself."""
        if self.process is None or self.is_running or self.condition not in ("up", "paused"):
            return
        self.condition = "failed"
        self.failure = (
            f"{self.name} ended by itself with status {self.process.returncode}; {self.log} ends "
            f"with:\n{self.last_log_lines()}"
        )

    def end(self, how: signal.Signals, deadline: float) -> bool:
        """Sends the signal and waits until the process is gone; in the end it is killed.

        False when it had to be.
        """
        process = self.process
        if process is None:
            return True
        in_time = True
        if process.poll() is None:
            process.send_signal(how)
            # A process that stands still hears SIGKILL only.
            process.send_signal(signal.SIGCONT)
            try:
                process.wait(deadline)
            except subprocess.TimeoutExpired:
                in_time = False
                process.kill()
                process.wait()
        if self._control is not None:
            self._control.close()
            self._control = None
        return in_time

    def pause(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)
        until = time.monotonic() + SIGNAL_DEADLINE_S
        options = os.WSTOPPED | os.WNOHANG | os.WNOWAIT
        while os.waitid(os.P_PID, self.process.pid, options) is None:
            if time.monotonic() > until:
                raise TimeoutError(f"{self.name} did not stand still in {SIGNAL_DEADLINE_S:g} s")
            time.sleep(POLL_S)
        self.condition = "paused"

    def resume(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)
        self.condition = "up"

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """One question to the admin port; raises OSError when it gives no answer."""
        text = self.fetch(method, path, body)
        return json.loads(text) if text.strip() else None

    def fetch(self, method: str, path: str, body: Any = None) -> str:
        """As `ask`, and the answer as it comes."""
        host, _, port = self.addresses["admin"].rpartition(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=ADMIN_DEADLINE_S)
        try:
            connection.request(method, path, None if body is None else json.dumps(body))
            answer = connection.getresponse()
            text = answer.read().decode(errors="replace")
        except http.client.HTTPException as error:
            raise OSError(f"{self.name} answered strangely: {error}") from error
        finally:
            connection.close()
        if answer.status == 400:
            raise InvalidRequestError(json.loads(text)["error"])
        if answer.status != 200:
            raise Error(f"{self.name} refused {method} {path}: {text}")
        return text

    def forget(self) -> None:
        """In a forked child: the process must notice the death of its parent, not of us."""
        if self._control is not None:
            self._control.close()
        for kept in self._kept.values():
            kept.close()

    def release(self) -> None:
        for kept in self._kept.values():
            kept.close()


def _absolute(key: str, value: str) -> str:
    """The value with its paths made absolute: a node may be started again from another folder."""
    if key == "plugins.path":
        return ":".join(os.path.abspath(folder) for folder in value.split(":") if folder)
    if key == "plugins.load":
        names = (name.strip() for name in value.split(","))
        return ",".join(os.path.abspath(name) if "/" in name else name for name in names)
    return value


class ProcessCluster:
    """Starts, stops and disturbs the processes; to `Cluster` the same as one of this process."""

    def __init__(self, settings: _core.Settings, name: str) -> None:
        if value_of(settings, "transport.kind") == "loopback":
            settings.set("transport.kind", "thrift")
        settings.check()
        self._settings = settings
        self._transport = value_of(settings, "transport.kind")
        self._keyspaces = settings.keyspaces()
        self._programs = {
            name: find_command(self._engines_of(name))
            for name in _names(int(value_of(settings, "cluster.nodes")))
        }
        self._lock = threading.RLock()  # guards what follows; held while nodes start and end
        self._closed = False
        self._groups: list[list[str]] = []
        self._cuts: set[tuple[str, str]] = set()
        self._delays: dict[tuple[str, str], float] = {}
        self._clients: weakref.WeakSet[_core.Client | _core.AsyncClient] = weakref.WeakSet()
        self._nodes: dict[str, ProcessNode] = {}
        chosen = value_of(settings, "node.data_dir")
        self._is_temporary = not chosen
        self._directory = Path(chosen or tempfile.mkdtemp(prefix="ringwright-")).absolute()
        self._generation = _life.generation()
        _life.tell_of_fork(self)
        try:
            self._start_all()
            # Knows the ring, and that is all it is asked for.
            self._watcher = self.target(_core.ClientChoice("default", "", None, None)).open()
        except BaseException:
            self.close()
            raise

    def _engines_of(self, node: str) -> list[str]:
        """The engine of each keyspace on that node."""
        values = {key: value for key, value, _, _ in self._settings.entries()}
        return [
            values.get(f"keyspace.{keyspace['name']}.engine_on.{node}", keyspace["engine"])
            for keyspace in self._keyspaces
        ]

    def _start_all(self) -> None:
        for name in self._programs:
            self._nodes[name] = ProcessNode(name, self._directory / name)
        nodes = list(self._nodes.values())
        shared = _toml(self._shared_settings())
        members = _toml(
            (f"member.{node.name}.{kind}", node.addresses[kind])
            for node in nodes
            for kind in ("client", "peer")
        )
        for node in nodes:
            node.write_config(shared, members)
            node.spawn(self._programs[node.name])
        until = time.monotonic() + READY_DEADLINE_S
        for node in nodes:
            node.wait_ready(until)

    def _shared_settings(self) -> Iterable[tuple[str, str]]:
        for key, value, origin, _ in self._settings.entries():
            section = key.partition(".")[0]
            # A node's built-in values are others: its keyspaces say all of theirs.
            wanted = section == "keyspace" or (section in SHARED_SECTIONS and origin != "built-in")
            if key == "transport.kind" or (wanted and key not in OWN_KEYS):
                yield key, _absolute(key, value)

    # Clients.

    def target(self, choice: _core.ClientChoice) -> Target:
        timeout = choice.timeout
        if timeout is None:
            timeout = self._settings.duration("client.timeout")
        retries = choice.retries
        if retries is None:
            retries = int(value_of(self._settings, "client.retries"))
        endpoints = tuple(node.addresses["client"] for node in self._nodes.values())
        return Target(
            endpoints, choice.keyspace, choice.node, timeout, retries, self._transport
        )

    def client(self, choice: _core.ClientChoice) -> _core.Client:
        core = self.target(choice).open()
        self._add_client(core)
        return core

    def async_client(self, choice: _core.ClientChoice) -> _core.AsyncClient:
        core = self.target(choice).open_async()
        self._add_client(core)
        return core

    def _add_client(self, core: _core.Client | _core.AsyncClient) -> None:
        with self._lock:
            if not self._closed:
                self._clients.add(core)
                return
        core.close()
        raise ClosedError("the cluster is closed")

    # What is there.

    def ring(self) -> dict[str, Any]:
        return self._watcher.ring()

    def place(
        self, keyspace: str, key: BytesLike
    ) -> tuple[int, int, list[dict[str, Any]]]:
        with self._lock:
            down = [node.name for node in self._nodes.values() if not node.is_running]
        return self._watcher.place(keyspace, key, down)

    def keyspaces(self) -> list[dict[str, Any]]:
        return self._keyspaces

    def directory(self) -> str:
        return str(self._directory)

    def status(self) -> list[dict[str, Any]]:
        return [self.node_status(name) for name in self._nodes]

    def node_status(self, node: str) -> dict[str, Any]:
        found = self._find(node)
        with self._lock:
            found.note_death()
            condition = found.condition
        if condition == "up":
            try:
                found.last_status = _status_of_page(found.ask("GET", "/status"))
                return found.last_status
            except OSError as error:
                # It may be ending just now.
                with self._lock:
                    found.note_death()
                    condition = found.condition
                    failure = found.failure or f"its admin port does not answer: {error}"
                return self._known_status(found, condition, failure)
        return self._known_status(found, condition, found.failure)

    def node_metrics(self, node: str) -> dict[str, float]:
        status = self.node_status(node)
        if status["condition"] != "up":
            return {**status["counters"], "ringwright_up": 0.0}
        page = self._find(node).fetch("GET", "/metrics")
        lines = [line for line in page.splitlines() if line and not line.startswith("#")]
        return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}

    def _known_status(self, node: ProcessNode, condition: str, failure: str) -> dict[str, Any]:
        """What can be said of a node that cannot be asked."""
        members = self._watcher.ring()["members"] if hasattr(self, "_watcher") else []
        ids = {member["name"]: member["id"] for member in members}
        status = {
            "name": node.name,
            "id": ids.get(node.name, str(0)),
            "condition": condition,
            "failure": failure,
            "address": node.addresses["client"],
            "shards": 0,
            "directory": str(node.folder / "data"),
            "members": {},
            "counters": {},
            "engines": [],
            "may_hold_fallback_rows": node.last_status.get("may_hold_fallback_rows", False),
        }
        if condition == "paused" and node.last_status:
            status = {**node.last_status, "condition": condition}
        return status

    def pid(self, node: str) -> int | None:
        found = self._find(node)
        return found.process.pid if found.process is not None and found.is_running else None

    def admin_address(self, node: str) -> str:
        return self._find(node).addresses["admin"]

    # Lives of nodes.

    def stop(self, node: str) -> None:
        found = self._find(node)
        with self._lock:
            self._check_open()
            if not found.is_running:
                return
            in_time = found.end(signal.SIGTERM, STOP_DEADLINE_S)
            found.condition = "stopped" if in_time else "killed"
        if not in_time:
            raise TimeoutError(f"{node} did not stop in {STOP_DEADLINE_S:g} s, and was killed")

    def kill(self, node: str) -> None:
        found = self._find(node)
        with self._lock:
            self._check_open()
            if found.is_running:
                found.end(signal.SIGKILL, SIGNAL_DEADLINE_S)
                found.condition = "killed"

    def restart(self, node: str) -> None:
        found = self._find(node)
        with self._lock:
            self._check_open()
            if found.is_running:
                return
            found.end(signal.SIGKILL, SIGNAL_DEADLINE_S)
            found.spawn(self._programs[node])
            found.wait_ready(time.monotonic() + READY_DEADLINE_S)
            self._send_faults(found)

    def pause(self, node: str) -> None:
        self.node_status(node)  # what is shown of it from now on
        found = self._running(node)
        with self._lock:
            self._check_open()
            if found.condition != "paused":
                found.pause()

    def resume(self, node: str) -> None:
        found = self._running(node)
        with self._lock:
            self._check_open()
            if found.condition == "paused":
                found.resume()
                self._send_faults(found)

    def change_engine(
        self, node: str, keyspace: str, paused: bool | None, faults: Mapping[str, str]
    ) -> None:
        found = self._running(node)
        if found.condition == "paused":
            raise InvalidRequestError(f"{node} stands still: resume it first")
        change: dict[str, Any] = {"keyspace": keyspace, "faults": dict(faults)}
        if paused is not None:
            change["paused"] = paused
        found.ask("POST", "/faults", {"engines": [change]})

    # Links.

    def partition(self, groups: Sequence[Sequence[str]]) -> None:
        seen: set[str] = set()
        for name in (name for group in groups for name in group):
            self._find(name)
            if name in seen:
                raise InvalidRequestError(f"{name!r} is in two groups; a node is on one side only")
            seen.add(name)
        with self._lock:
            self._check_open()
            self._groups = [list(group) for group in groups]
            self._send_all_faults()

    def cut(self, source: str, target: str) -> None:
        self._find(source), self._find(target)
        with self._lock:
            self._check_open()
            self._cuts.add((source, target))
            self._send_all_faults()

    def delay(self, source: str, target: str, delay: float) -> None:
        self._find(source), self._find(target)
        if delay < 0:
            raise InvalidRequestError("a delay is not negative")
        with self._lock:
            self._check_open()
            self._delays[source, target] = delay
            self._send_all_faults()

    def heal(self) -> None:
        with self._lock:
            self._check_open()
            self._groups = []
            self._cuts.clear()
            self._delays.clear()
            self._send_all_faults()

    def _faults(self) -> dict[str, Any]:
        cut = set(self._cuts)
        for group in self._groups:
            others = {name for other in self._groups if other is not group for name in other}
            cut.update((name, other) for name in group for other in others)
        links = [
            {
                "from": source,
                "to": target,
                "cut": (source, target) in cut,
                "delay_ms": round(self._delays.get((source, target), 0) * 1000),
            }
            for source, target in sorted(cut | self._delays.keys())
        ]
        return {"links": links}

    def _send_all_faults(self) -> None:
        for node in self._nodes.values():
            # One that stands still is told when it goes on.
            if node.is_running and node.condition == "up":
                self._send_faults(node)

    def _send_faults(self, node: ProcessNode) -> None:
        try:
            node.ask("PUT", "/faults", self._faults())
        except OSError as error:
            raise Error(f"{node.name} cannot be told which links are cut: {error}") from error

    # The end.

    def is_closed(self) -> bool:
        return self._closed

    def close(self) -> None:
        if self._generation != _life.generation():
            return
        with self._lock:
            self._closed = True
            clients = list(self._clients)
            self._clients.clear()
            for core in clients:
                core.close()
            if hasattr(self, "_watcher"):
                self._watcher.close()
            # A temporary directory is about to go: nothing in it is worth a flush.
            how = signal.SIGKILL if self._is_temporary else signal.SIGTERM
            running = [node for node in self._nodes.values() if node.is_running]
            for node in running:
                assert node.process is not None
                node.process.send_signal(how)
                node.process.send_signal(signal.SIGCONT)
            for node in self._nodes.values():
                node.end(how, STOP_DEADLINE_S)
                node.condition = "stopped"
                node.release()
            if self._is_temporary:
                shutil.rmtree(self._directory, ignore_errors=True)

    def forget(self) -> None:
        """In a forked child."""
        for node in self._nodes.values():
            node.forget()

    def _find(self, name: str) -> ProcessNode:
        found = self._nodes.get(name)
        if found is None:
            meant = nearest(name, list(self._nodes))
            raise InvalidRequestError(f"there is no node {name!r}; did you mean {meant!r}?")
        return found

    def _running(self, name: str) -> ProcessNode:
        found = self._find(name)
        with self._lock:
            self._check_open()
            if not found.is_running:
                raise InvalidRequestError(f"{name} does not run: restart it first")
        return found

    def _check_open(self) -> None:
        if self._closed:
            raise ClosedError("the cluster is closed")


def _names(count: int) -> list[str]:
    return [f"node{number}" for number in range(1, count + 1)]


def _status_of_page(page: dict[str, Any]) -> dict[str, Any]:
    """The page /status as the status of a node of this process."""
    for engine in page["engines"]:
        engine["damaged"] = [
            (_bytes_of(found["start"]), _bytes_of(found["stop"])) for found in engine["damaged"]
        ]
    return page


def _bytes_of(key: str) -> bytes:
    """A key as the page /status escapes it."""

    def unescaped(found: re.Match[str]) -> str:
        return "\\" if found[0] == "\\\\" else chr(int(found[0][2:], 16))

    return re.sub(r"\\\\|\\x[0-9a-f]{2}", unescaped, key).encode("latin-1")


def _kept_port() -> socket.socket:
    """A port of this machine that nobody else gets: bound, but not listening.

    A child binds it as well and listens, as both set SO_REUSEADDR; while none does, connections
    are refused.
    """
    kept = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    kept.bind(("127.0.0.1", 0))
    return kept


def _toml(entries: Iterable[tuple[str, str]]) -> str:
    """Flat keys with quoted values, which every setting can be read from."""
    return "".join(f"{key} = {json.dumps(value)}\n" for key, value in entries)
