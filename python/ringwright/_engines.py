"""Storage engines written in Python, and how an engine gets its name."""

from __future__ import annotations

import importlib
import inspect
import os
import re
import sys
import traceback
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Literal, NamedTuple, TypeVar

from . import _core
from .errors import EngineError, Error, InvalidRequestError

__all__ = ["Engine", "EngineStats", "Op", "register_engine"]

_T = TypeVar("_T")

DURABILITIES = ("none", "os", "disk")
FORMAT_MAX = 2**32 - 1
ROWS_AT_ONCE = 256
MESSAGE_MAX = 500

# What an engine's error may mean to its caller; any other is an I/O error.
READ_CODES = frozenset(
    ("invalid", "overloaded", "busy", "no_space", "corrupt", "locked", "closed", "mismatch")
)
# Of a write: certainly nothing happened. Any other leaves it in doubt.
REFUSED_CODES = frozenset(("invalid", "overloaded", "busy", "no_space", "closed"))


class Op(NamedTuple):
    """One operation of a batch.

    Attributes:
        kind: "put" or "remove".
        key: of the row.
        value: the row of a put; empty of a remove.
    """

    kind: Literal["put", "remove"]
    key: bytes
    value: bytes


@dataclass(frozen=True)
class EngineStats:
    """What an engine holds.

    Attributes:
        approximate_keys: about how many rows.
        disk_bytes: what it occupies on disk.
        memory_bytes: what it occupies in memory.
    """

    approximate_keys: int = 0
    disk_bytes: int = 0
    memory_bytes: int = 0


class Engine(ABC):
    """A storage engine: an ordered map of bytes, in a directory of one node. Subclass it.

    Write `open`, `multi_get`, `write`, `iterate` and `close`; the other methods have defaults that
    are right and slow. `register_engine` gives the class a name; each node makes one instance,
    without arguments, for each keyspace that uses it.

    Threads: the methods are called from native threads, several at once: guard what they share with
    a lock. `open` comes first, `close` last. Calls hold the interpreter's lock, so do not wait in
    one for a call to the same cluster.

    Errors: raise a `ringwright.Error` to say what is meant: `EngineBusyError`, `NoSpaceError`,
    `CorruptionError`, `ClosedError`, `InvalidRequestError`. Of a write all but `CorruptionError`
    promise that nothing happened; any other exception leaves the write in doubt. Any other of a
    read is an I/O error; no exception ever means that a row is absent.

    After a crash it must hold a prefix of its writes in their order: as its class says, those of a
    dead process ("os"), and those that `sync` covered after a loss of power ("disk").

    Attributes:
        durability: the strongest class it has: "none", "os" or "disk".
        options: the names of its options; one that is not here is refused before `open`.
        format: of its files; a directory of a higher format is refused before `open`.
        name: under which it is registered; set before `open`.
        path: its folder; set before `open`.
    """

    durability: ClassVar[Literal["none", "os", "disk"]] = "none"
    options: ClassVar[Sequence[str]] = ()
    format: ClassVar[int] = 1
    name: str = ""
    path: Path
    _options: Mapping[str, str]

    @abstractmethod
    def open(self, path: Path, options: Mapping[str, str]) -> None:
        """Makes ready what the folder holds.

        The folder exists, is this instance's alone while it is open, and is empty at first.
        """

    @abstractmethod
    def multi_get(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """The row of each key, in their order; None: there is none."""

    @abstractmethod
    def write(self, batch: Sequence[Op]) -> int:
        """Applies all of the batch, in its order, or nothing; later calls see it.

        Returns the sequence of this write, which grows with each, also over a reopening.
        """

    @abstractmethod
    def iterate(
        self, start: bytes, stop: bytes | None, reverse: bool
    ) -> Iterable[tuple[bytes, bytes]]:
        """The rows with start <= key < stop, as they are when the first one is asked for.

        That is at once. Keys go up as bytes compare, or down with `reverse`. A `stop` of None is
        behind the last key. Later writes are neither seen nor held up. A generator that is no
        longer needed is closed.
        """

    @abstractmethod
    def close(self) -> None:
        """Gives everything back; called once. It need not flush: `durability` promises no more."""

    def sync(self, sequence: int) -> None:
        """Brings every write up to this sequence to the disk; asked of the class "disk" alone.

        After an exception other than `NoSpaceError` no write is sent any more.
        """
        raise EngineError(f"the engine {self.name!r} has no sync")

    def drop_range(self, start: bytes, stop: bytes | None) -> None:
        """Removes the rows with start <= key < stop. By default: iterates and writes."""
        keys = (key for key, _ in self.iterate(start, stop, False))
        for some in _pieces(keys):
            self.write([Op("remove", key, b"") for key in some])

    def flush(self) -> None:  # noqa: B027 (nothing to do is right for most)
        """Moves to where it rests what is only in memory or in a log. By default: nothing."""

    def checkpoint(self, path: Path) -> None:
        """Makes a copy that `open` understands in this folder, which is empty.

        By default another instance writes all rows there; one of durability "none" cannot.
        """
        if self.durability == "none":
            raise InvalidRequestError(
                f"the engine {self.name!r} keeps nothing on disk, so it has no checkpoint"
            )
        rows = iter(self.iterate(b"", None, False))
        copy = _open(type(self), self.name, str(path), self._options)
        try:
            sequence = 0
            for some in _pieces(rows):
                sequence = copy.write([Op("put", key, row) for key, row in some])
            if self.durability == "disk" and sequence:
                copy.sync(sequence)
        finally:
            copy.close()

    def approximate_bytes(self, start: bytes, stop: bytes | None) -> int:
        """About what the rows with start <= key < stop occupy. By default: adds them up."""
        return sum(len(key) + len(row) for key, row in self.iterate(start, stop, False))

    def pressure(self) -> float:
        """0: at ease; 1: the next write may stall. Asked after each write."""
        return 0.0

    def stats(self) -> EngineStats:
        """By default: counts the rows and the bytes of its files, or of its rows without files.

        Asked for every status of the node, so an engine of many rows should know its own figures.
        """
        count = size = 0
        for key, row in self.iterate(b"", None, False):
            count += 1
            size += len(key) + len(row)
        on_disk = sum(file.stat().st_size for file in self.path.rglob("*") if file.is_file())
        return EngineStats(count, on_disk, 0 if on_disk else size)

    def _checkpoint(self, path: str) -> None:
        self.checkpoint(Path(path))


def _pieces(items: Iterable[_T]) -> Iterator[list[_T]]:
    source = iter(items)
    while some := list(islice(source, ROWS_AT_ONCE)):
        yield some


_registered: dict[str, type[Engine]] = {}


def register_engine(name: str, factory: type[Engine] | str | Path) -> None:
    """Makes a storage engine known in this process, for `engine=name` and stacks like faulty(name).

    The same class may be registered again, such as by running a notebook's cell again.

    Args:
        name: small letters, digits and underscores; names its directories, so keep it.
        factory: a subclass of `Engine`; or the path of a plugin, a `.so` file that brings an engine
            of that name.

    Raises:
        InvalidRequestError: the name is taken or malformed, or the factory is not what it must be.
    """
    if not isinstance(name, str) or not re.fullmatch(r"[a-z0-9_]+", name):
        raise InvalidRequestError(
            f"the name of an engine has small letters, digits and underscores, unlike {name!r}"
        )
    if isinstance(factory, (str, Path)):
        _load_plugin(name, factory)
        return
    _check_class(factory)
    origin = f"python:{factory.__module__}.{factory.__qualname__}"
    _check_free(name, origin)
    _core.register_engine(
        name,
        factory,
        factory.durability,
        factory.format,
        list(factory.options),
        factory.pressure is not Engine.pressure,
        origin,
    )
    _registered[name] = factory


def _load_plugin(name: str, path: str | Path) -> None:
    if not os.path.isfile(path):
        raise InvalidRequestError(
            f"there is no file {str(path)!r}: give a subclass of Engine, or the path of a plugin"
        )
    real = os.path.realpath(path)
    _core.load_plugin_at(real)
    brought = [part[1] for part in _core.parts() if part[0] == "engine" and part[2] == real]
    if name not in brought:
        told = ", ".join(map(repr, brought)) or "none"
        raise InvalidRequestError(
            f"the plugin {real} brings no engine {name!r}; its engines: {told}"
        )


def _check_class(factory: type[Engine]) -> None:
    if not inspect.isclass(factory) or not issubclass(factory, Engine):
        raise InvalidRequestError(
            f"an engine is a subclass of ringwright.Engine, or the path of a plugin, not {factory!r}"
        )
    shown = factory.__qualname__
    missing = sorted(getattr(factory, "__abstractmethods__", ()))
    if missing:
        raise InvalidRequestError(f"the engine class {shown} lacks {', '.join(missing)}")
    if factory.durability not in DURABILITIES:
        raise InvalidRequestError(
            f"{shown}.durability is one of {', '.join(DURABILITIES)}, not {factory.durability!r}"
        )
    if factory.durability == "disk" and factory.sync is Engine.sync:
        raise InvalidRequestError(f"{shown} has durability 'disk', so it must have its own sync")
    options = factory.options
    if isinstance(options, str) or not all(isinstance(option, str) for option in options):
        raise InvalidRequestError(f"{shown}.options is a list of names, not {options!r}")
    number = factory.format
    if not isinstance(number, int) or isinstance(number, bool) or not 0 < number <= FORMAT_MAX:
        raise InvalidRequestError(f"{shown}.format is a number from 1 on, not {number!r}")


def _check_free(name: str, origin: str) -> None:
    taken = {part[1]: (part[0], part[2]) for part in _core.parts() if part[0].startswith("engine")}
    kind, known = taken.get(name, ("engine", "a plugin"))
    if name not in taken and name not in _core.plugin_names():
        return
    if known != origin:
        raise InvalidRequestError(
            f"{name!r} is the name of another {kind} already ({known}): choose one of your own"
        )


def registered(name: str) -> type[Engine] | None:
    """The class behind a name; None: it is not one of Python."""
    return _registered.get(name)


# What child processes must know.


def import_words(descriptions: Iterable[str]) -> list[str]:
    """Arguments that make `ringwright serve` know the Python engines in these descriptions.

    Empty when there is none among them.

    Raises:
        InvalidRequestError: one of them cannot be imported by another process.
    """
    names = {innermost_name(description) for description in descriptions}
    words: list[str] = []
    for name in sorted(names & _registered.keys()):
        words += ["--engine", f"{name}={_importable(name, _registered[name])}"]
    return words


def innermost_name(description: str) -> str:
    """The engine within its decorators: "memory" of "faulty(memory)"."""
    return description.rpartition("(")[2].partition(")")[0].strip()


def _importable(name: str, kind: type[Engine]) -> str:
    module, path = kind.__module__, kind.__qualname__
    found: object = sys.modules.get(module)
    has_file = getattr(found, "__spec__", None) is not None and module != "__main__"
    for word in path.split("."):
        found = getattr(found, word, None)
    if not has_file or found is not kind:
        raise InvalidRequestError(
            f"the engine {name!r} is the class {path} of {module}, which another process cannot "
            "import: put it at the top of a module of its own, a file such as my_engine.py, import "
            "it from there, and register that"
        )
    return f"{module}:{path}"


def register_named(text: str) -> None:
    """As the command line says it: NAME=MODULE:CLASS."""
    name, equals, place = text.partition("=")
    module, colon, path = place.partition(":")
    if not (name and equals and module and colon and path):
        raise InvalidRequestError(f"--engine takes NAME=MODULE:CLASS, not {text!r}")
    try:
        found: object = importlib.import_module(module)
        for word in path.split("."):
            found = getattr(found, word)
    except (ImportError, AttributeError) as error:
        raise InvalidRequestError(f"--engine {text}: {error}") from error
    register_engine(name, found)  # type: ignore[arg-type]


# What the native part calls.


def _open(kind: type[Engine], name: str, path: str, options: Mapping[str, str]) -> Engine:
    engine = kind()
    engine.name = name
    engine.path = Path(path)
    engine._options = dict(options)
    engine.open(engine.path, options)
    return engine


def _failure(
    name: str, method: str, error: BaseException, trace: TracebackType | None
) -> tuple[str, str]:
    """The code of what a method raised, and a sentence."""
    known = error.code if isinstance(error, Error) else ""
    if method == "write":
        code = known if known in REFUSED_CODES else "in_doubt"
    else:
        code = known if known in READ_CODES else "io_error"
    if code == known:
        return code, str(error)[:MESSAGE_MAX]
    frames = traceback.extract_tb(trace)
    where = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    shown = f"{type(error).__name__}: {error}"[:MESSAGE_MAX]
    return code, f"{method} of the engine {name!r} raised {shown}{where}"
