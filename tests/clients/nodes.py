"""Three nodes as processes of their own, for clients of any language."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest
import ringwright as rw
from ringwright import _core

DEADLINE = 60.0
NAMES = ("node1", "node2", "node3")


def program() -> Path:
    """The daemon beside the package: of an installation, or of a build tree."""
    try:
        _core.load_plugin("thrift")
    except rw.Error as error:
        pytest.skip(str(error))
    package = Path(rw.__file__).parent
    for place in (package / "bin" / "ringwrightd", package.parents[1] / "ringwrightd"):
        if place.exists():
            return place
    pytest.skip("ringwrightd was not built")


def reserve() -> socket.socket:
    """Keeps a port: nobody else is given it, a daemon can bind it."""
    kept = socket.socket()
    kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    kept.bind(("127.0.0.1", 0))
    return kept


def address_of(kept: socket.socket) -> str:
    return f"127.0.0.1:{kept.getsockname()[1]}"


def wait_until(condition: Callable[[], bool], otherwise: str) -> None:
    give_up = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < give_up, otherwise
        time.sleep(0.01)


class Node:
    """One ringwrightd. It ends when `control` is closed, so also when the tests are killed."""

    def __init__(self, config: Path, log: Path) -> None:
        self._log = log
        self._control, theirs = socket.socketpair()
        command = [str(program()), "--config", str(config), "--control-fd", str(theirs.fileno())]
        with theirs, log.open("wb") as stderr:
            self._process = subprocess.Popen(command, stderr=stderr, pass_fds=[theirs.fileno()])
        self.client = ""
        self._admin = ""

    def wait_until_ready(self) -> None:
        self._control.settimeout(DEADLINE)
        line = b""
        while not line.endswith(b"\n"):
            piece = self._control.recv(4096)
            assert piece, f"a node ended before it was ready:\n{self._log.read_text()}"
            line += piece
        addresses = json.loads(line)
        self.client, self._admin = addresses["client"], addresses["admin"]

    def status(self) -> dict[str, Any]:
        with urllib.request.urlopen(f"http://{self._admin}/status", timeout=DEADLINE) as answer:
            return dict(json.loads(answer.read()))

    def pause(self) -> None:
        """Returns when all of its threads stand still."""
        os.kill(self._process.pid, signal.SIGSTOP)
        tasks = Path(f"/proc/{self._process.pid}/task")
        wait_until(
            lambda: all(
                (task / "stat").read_text().rpartition(")")[2].split()[0] == "T"
                for task in tasks.iterdir()
            ),
            "the node does not stop",
        )

    def resume(self) -> None:
        os.kill(self._process.pid, signal.SIGCONT)

    def close(self) -> None:
        self._control.close()
        self._process.kill()
        self._process.wait(timeout=DEADLINE)


class Nodes:
    """A cluster `lab` of three, whose members all see each other when it is entered."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ports: list[socket.socket] = []
        self._nodes: dict[str, Node] = {}

    def __getitem__(self, name: str) -> Node:
        return self._nodes[name]

    def __enter__(self) -> Nodes:
        try:
            self._start()
            self.wait_until_all_are_alive()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        for node in self._nodes.values():
            node.close()
        for port in self._ports:
            port.close()

    def _start(self) -> None:
        listen: dict[str, tuple[str, str, str]] = {}
        for name in NAMES:
            kept = [reserve() for _ in range(3)]
            self._ports += kept
            client, peer, admin = map(address_of, kept)
            listen[name] = (client, peer, admin)
        members = "".join(
            f'[member.{name}]\nclient = "{client}"\npeer = "{peer}"\n'
            for name, (client, peer, _) in listen.items()
        )
        for name, (client, peer, admin) in listen.items():
            config = self._folder / f"{name}.toml"
            config.write_text(
                f'[cluster]\nname = "lab"\n'
                f'[node]\nname = "{name}"\ndata_dir = "{self._folder / name}"\n'
                f'[listen]\nclient = "{client}"\npeer = "{peer}"\nadmin = "{admin}"\n'
                f"{members}"
                f'[keyspace.default]\nengine = "memory"\nn = 3\nr = 2\nw = 2\ndurability = "os"\n'
                f'[keyspace.last]\nengine = "memory"\nn = 3\nr = 2\nw = 2\ndurability = "os"\n'
                f'resolver = "lww"\n'
            )
            self._nodes[name] = Node(config, self._folder / f"{name}.log")
        for node in self._nodes.values():
            node.wait_until_ready()

    def wait_until_all_are_alive(self) -> None:
        """Each sees each: after a pause a node suspects the others until it has heard them again."""
        wait_until(
            lambda: all(
                set(node.status()["members"].values()) == {"alive"}
                for node in self._nodes.values()
            ),
            "the nodes do not find each other",
        )
