"""The parts that a cluster can be made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from . import _core
from .errors import Error

__all__ = ["EngineSpec", "engines"]


@dataclass(frozen=True)
class EngineSpec:
    """A storage engine with its options.

    Attributes:
        name: an engine ("rocksdb"), or a stack of decorators around one ("slow(rocksdb)").
        options: of the innermost engine, and of a decorator under its name:
            {"slow.read_latency": "2ms", "write_buffer_size": "16MiB"}. An unknown one is refused
            when a cluster opens it.
    """

    name: str
    options: Mapping[str, str | int | bool] = field(default_factory=dict)


def engines() -> list[dict[str, str]]:
    """The storage engines of this process, by name: {"name", "origin"}.

    The origin is "built-in" or the path of the plugin. A plugin that cannot be loaded has an
    "error" as well. Looking loads every plugin that is found.
    """
    failed = []
    for name in _core.plugin_names():
        try:
            _core.load_plugin(name)
        except Error as error:
            failed.append({"name": name, "origin": "plugin", "error": str(error)})
    found = [
        {"name": name, "origin": origin}
        for kind, name, origin in _core.parts()
        if kind == "engine"
    ]
    return sorted(found + failed, key=lambda engine: engine["name"])
