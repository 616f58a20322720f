"""From what a user writes to the settings of a cluster."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from . import _core
from ._parts import EngineSpec
from .errors import InvalidRequestError

Config = Mapping[str, Any] | Path | str
# One for all nodes, or one for each node that has its own.
Engine = str | EngineSpec | Mapping[str, str | EngineSpec]


def make_settings(
    config: Config | None,
    name: str,
    engine: Engine | None,
    keyspace: Mapping[str, object],
    others: Mapping[str, object],
) -> _core.Settings:
    """Of a cluster of this machine, whose name is "default" when nobody gives another."""
    settings = _core.Settings()
    settings.add_values({"cluster.name": "default"})
    _add_outside(settings, config)
    if name != "default":
        others = {**others, "cluster.name": name}
    _add_arguments(settings, engine, keyspace, others)
    return settings


def make_node_settings(
    config: Config | None, engine: str | EngineSpec | None, others: Mapping[str, object]
) -> _core.Settings:
    """Of one node, as ringwrightd would understand them."""
    settings = _core.Settings()
    _add_outside(settings, config)
    _add_arguments(settings, engine, {}, others)
    return settings.for_node()


def _add_outside(settings: _core.Settings, config: Config | None) -> None:
    """Built-in values < config < environment."""
    if config is not None:
        _add_config(settings, config)
    settings.add_environment(dict(os.environ))


def _add_arguments(
    settings: _core.Settings,
    engine: Engine | None,
    keyspace: Mapping[str, object],
    others: Mapping[str, object],
) -> None:
    """They outrank all else; None says nothing.

    `keyspace` holds settings of the keyspace "default", `others` whole keys.
    """
    chosen = dict(others)
    chosen.update({f"keyspace.default.{key}": value for key, value in keyspace.items()})
    chosen.update(_engine_settings(engine))
    for key, value in chosen.items():
        if value is not None:
            settings.set(key, _text_of(value, key))


def _engine_settings(engine: Engine | None) -> dict[str, object]:
    """Which engine the keyspace "default" has, on which node, and the options of each."""
    if engine is None:
        return {}
    if isinstance(engine, (str, EngineSpec)):
        places = {"keyspace.default.engine": engine}
    else:
        places = {f"keyspace.default.engine_on.{node}": each for node, each in engine.items()}
    chosen: dict[str, object] = {}
    for key, each in places.items():
        spec = each if isinstance(each, EngineSpec) else EngineSpec(each)
        chosen[key] = spec.name
        for name, value in _engine_options(spec).items():
            if chosen.setdefault(name, value) != value:
                raise InvalidRequestError(
                    f"{name} = {value!r} on one node and {chosen[name]!r} on another: an engine has "
                    "the same options on all nodes of a cluster"
                )
    return chosen


def _engine_options(engine: EngineSpec) -> dict[str, object]:
    """Each option under whose it is: one that begins with a decorator's name and a dot is its."""
    *decorators, innermost = [name.strip(" )") for name in engine.name.split("(")]
    options: dict[str, object] = {}
    for key, value in engine.options.items():
        owner, dot, option = key.partition(".")
        if not dot or owner not in decorators:
            owner, option = innermost, key
        options[f"engine.{owner}.{option}"] = value
    return options


def value_of(settings: _core.Settings, wanted: str) -> str:
    """What a key is worth; empty when there is no such key."""
    return next((value for key, value, _, _ in settings.entries() if key == wanted), "")


def _add_config(settings: _core.Settings, config: Config) -> None:
    if isinstance(config, Path):
        settings.add_toml(config.read_text(encoding="utf-8"), str(config))
    elif isinstance(config, str):
        settings.add_toml(config, "config")
    elif isinstance(config, Mapping):
        settings.add_values(_flat(config, ""))
    else:
        raise TypeError(f"config must be a mapping, a Path or TOML text, not {config!r}")


def _flat(table: Mapping[str, Any], prefix: str) -> dict[str, str]:
    """{"keyspace": {"default": {"n": 3}}} and {"keyspace.default.n": 3} are the same."""
    flat = {}
    for key, value in table.items():
        if not isinstance(key, str):
            raise TypeError(f"the names of settings are strings, not {key!r}")
        if isinstance(value, Mapping):
            flat.update(_flat(value, f"{prefix}{key}."))
        else:
            flat[prefix + key] = _text_of(value, prefix + key)
    return flat


def _text_of(value: object, key: str) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (str, int, float, os.PathLike)):
        return os.fspath(value) if isinstance(value, os.PathLike) else str(value)
    raise InvalidRequestError(f"{key} = {value!r}: write a string, a number or a truth value")
