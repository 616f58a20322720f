"""The parts that a cluster can be made of."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from . import _core
from .errors import Error

__all__ = ["EngineSpec", "engines"]

# What the registry calls them, and what they are called here.
ENGINE_KINDS = {"engine": "engine", "engine decorator": "decorator"}


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


def engines() -> list[dict[str, Any]]:
    """The storage engines and decorators that there are, as plain rows sorted by name.

    Each row has "name"; "kind", which is "engine" or "decorator"; "origin": "built-in", the plugin's
    path, or "python:module.Class"; "version" of Ringwright or of the plugin; "library", the third
    party's behind it, such as "RocksDB 7.8.3"; "licence"; and "remarks": sentences that belong beside
    every figure of the engine. A plugin that cannot be loaded, and an engine that this installation
    is known to lack, has the reason as "error" and nothing but name, kind and origin. Looking loads
    every plugin that is found.
    """
    failed = []
    for name in _core.plugin_names():
        try:
            _core.load_plugin(name)
        except Error as error:
            failed.append({"name": name, "kind": "plugin", "origin": "plugin", "error": str(error)})
    for kind, name, why in _core.absent_plugins():
        if kind == "engine":
            failed.append({"name": name, "kind": kind, "origin": "absent", "error": why})
    plugins = {plugin["path"]: plugin for plugin in _core.plugins()}
    found = [
        {
            "name": name,
            "kind": ENGINE_KINDS[kind],
            "origin": origin,
            **_facts(origin, plugins),
        }
        for kind, name, origin in _core.parts()
        if kind in ENGINE_KINDS
    ]
    return sorted(found + failed, key=lambda engine: str(engine["name"]))


def probe(name: str) -> dict[str, Any]:
    """What an engine can do: {"durabilities", "merge", "non_blocking"}; opens it to learn that."""
    with tempfile.TemporaryDirectory(prefix="ringwright-probe-") as folder:
        return _core.probe_engine(name, folder)


def _facts(origin: str, plugins: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    if origin in plugins:
        return {key: plugins[origin][key] for key in ("version", "library", "licence", "remarks")}
    # Whoever wrote a class in Python has not said.
    is_ours = not origin.startswith("python:")
    version, licence = (_core.__version__, "Apache-2.0") if is_ours else ("", "")
    return {"version": version, "library": "", "licence": licence, "remarks": []}
