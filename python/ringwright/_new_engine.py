"""The sources of a new storage engine, to be built outside of this package."""

from __future__ import annotations

import re
from pathlib import Path

from . import _core
from .errors import InvalidRequestError

# A complete engine of this name, which a new one is a copy of.
TEMPLATE = Path(__file__).parent / "_engine_template"
TEMPLATE_NAME = "toy"
NAME_LENGTH_MAX = 32


def new_engine(name: str, folder: Path) -> list[Path]:
    """Writes the sources of an engine into a folder, which is made; returns the files."""
    _check_name(name)
    if not TEMPLATE.is_dir():
        raise InvalidRequestError(f"this installation lacks the template {TEMPLATE}")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InvalidRequestError(f"{folder} is there already: choose another with --dir")
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for source in sorted(TEMPLATE.iterdir()):
        if source.is_file():
            target = folder / _renamed(source.name, name)
            target.write_text(_renamed(source.read_text(encoding="utf-8"), name), encoding="utf-8")
            written.append(target)
    return written


def _check_name(name: str) -> None:
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or len(name) > NAME_LENGTH_MAX:
        raise InvalidRequestError(
            f"{name!r} is no name for an engine: write a lower-case letter and up to "
            f"{NAME_LENGTH_MAX - 1} more letters, digits and '_'"
        )
    taken = {part for _, part, _ in _core.parts()} | set(_core.plugin_names())
    if name in taken:
        raise InvalidRequestError(f"there is a part named {name!r} already: choose another name")


def _renamed(text: str, name: str) -> str:
    class_name = "".join(word.capitalize() for word in name.split("_"))
    return text.replace(TEMPLATE_NAME, name).replace(TEMPLATE_NAME.capitalize(), class_name)
