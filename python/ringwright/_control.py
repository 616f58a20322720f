"""The descriptor that joins a node to the process which started it, as ringwrightd knows it."""

from __future__ import annotations

import fcntl
import json
import os
import resource
import threading
from collections.abc import Mapping

from .errors import InvalidRequestError


def end_with_parent(descriptor: int) -> None:
    """From now on this process ends at once when the other end is closed.

    Whoever wanted the node is then gone; what it acknowledged is as durable as it promised.
    """
    try:
        flags = fcntl.fcntl(descriptor, fcntl.F_GETFD)
        fcntl.fcntl(descriptor, fcntl.F_SETFD, flags | fcntl.FD_CLOEXEC)
    except OSError as error:
        raise InvalidRequestError(f"--control-fd = {descriptor} is not open") from error
    # As ringwrightd: a node may have many connections and files.
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    threading.Thread(target=_watch, args=(descriptor,), daemon=True).start()


def announce(descriptor: int, addresses: Mapping[str, str]) -> None:
    """The node serves: one line."""
    line = json.dumps({**addresses, "pid": os.getpid()}) + "\n"
    os.write(descriptor, line.encode())


def _watch(descriptor: int) -> None:
    # What is said means nothing; only its end does.
    try:
        while os.read(descriptor, 256):
            pass
    finally:
        os._exit(1)
