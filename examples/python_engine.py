"""A storage engine in Python: a sorted dict, and a log of its writes.

    PYTHONPATH=examples ringwright engine check sorted_log --engine sorted_log=python_engine:SortedLog
    python examples/python_engine.py

The log only grows: an engine for more than a lesson would write it anew from time to time.
"""

from __future__ import annotations

import struct
import threading
import zlib
from bisect import bisect_left, insort
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import ringwright as rw

HEAD = struct.Struct("<II")  # of a batch in the log: length and checksum of what follows
OPERATION = struct.Struct("<?II")  # is it a put; lengths of key and row, which follow


class SortedLog(rw.Engine):
    """All rows in memory; a write is in the log, safe from the death of the process, before it is
    in the dict."""

    durability = "os"

    def open(self, path: Path, options: Mapping[str, str]) -> None:
        self._lock = threading.Lock()  # guards all below
        self._rows: dict[bytes, bytes] = {}
        self._keys: list[bytes] = []  # of the rows, sorted
        self._sequence = 0
        self._log = (path / "log").open("a+b", buffering=0)
        self._log.seek(0)
        log = self._log.read()
        end = 0
        while end + HEAD.size <= len(log):
            length, checksum = HEAD.unpack_from(log, end)
            body = log[end + HEAD.size : end + HEAD.size + length]
            if len(body) < length or zlib.crc32(body) != checksum:
                break  # the process died in the middle of this write
            self._apply(_decoded(body))
            end += HEAD.size + length
        self._log.truncate(end)

    def multi_get(self, keys: Sequence[bytes]) -> list[bytes | None]:
        with self._lock:
            return [self._rows.get(key) for key in keys]

    def write(self, batch: Sequence[rw.Op]) -> int:
        body = b"".join(
            OPERATION.pack(op.kind == "put", len(op.key), len(op.value)) + op.key + op.value
            for op in batch
        )
        record = HEAD.pack(len(body), zlib.crc32(body)) + body
        with self._lock:
            end = self._log.seek(0, 2)
            if self._log.write(record) != len(record):
                self._log.truncate(end)  # else what follows would be lost behind a half batch
                raise rw.NoSpaceError("the log takes no more")
            self._apply(batch)
            return self._sequence

    def iterate(
        self, start: bytes, stop: bytes | None, reverse: bool
    ) -> Iterable[tuple[bytes, bytes]]:
        with self._lock:  # the copy is the snapshot
            end = len(self._keys) if stop is None else bisect_left(self._keys, stop)
            keys = self._keys[bisect_left(self._keys, start) : end]
            rows = [(key, self._rows[key]) for key in keys]
        return reversed(rows) if reverse else rows

    def close(self) -> None:
        self._log.close()

    def _apply(self, batch: Iterable[rw.Op]) -> None:
        for kind, key, row in batch:
            if kind == "put":
                if key not in self._rows:
                    insort(self._keys, key)
                self._rows[key] = row
            elif self._rows.pop(key, None) is not None:
                del self._keys[bisect_left(self._keys, key)]
        self._sequence += 1


def _decoded(body: bytes) -> Iterable[rw.Op]:
    at = 0
    while at < len(body):
        is_put, key_length, row_length = OPERATION.unpack_from(body, at)
        at += OPERATION.size
        key, row = body[at : at + key_length], body[at + key_length : at + key_length + row_length]
        at += key_length + row_length
        yield rw.Op("put" if is_put else "remove", key, row)


if __name__ == "__main__":
    rw.register_engine("sorted_log", SortedLog)
    with rw.Cluster.local(nodes=3, engine="sorted_log") as cluster:
        kv = cluster.client()
        kv.put(b"cart", b"eggs", w=3)
        cluster.kill("node1")
        cluster.restart("node1")
        print(cluster.client(node="node1").get(b"cart").value)
