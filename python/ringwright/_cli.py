"""The command `ringwright`.

Results go to stdout: a table on a terminal, tab-separated lines elsewhere, with `-o json` one JSON
document, also when the command fails. Everything that is said besides goes to stderr.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from . import _control, _core, _engine_check
from ._engines import register_named
from ._new_engine import new_engine
from ._parts import engines, probe
from .errors import (
    AuthError,
    ConflictError,
    ConnectionError,
    Error,
    InvalidRequestError,
    TimeoutError,
    UnavailableError,
)

OK = 0
FAILED = 1
USAGE = 2
SIBLINGS = 4
UNAVAILABLE = 5
TIMED_OUT = 6
NOT_CONNECTED = 7
CHECK_FAILED = 8
INTERRUPTED = 130

ENDING_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class UsageError(Exception):
    """The command line is wrong as written."""


class CheckFailedError(Exception):
    """What was to be checked does not hold."""

    def __init__(self, error: Error) -> None:
        super().__init__(str(error))
        self.error = error


class Parser(argparse.ArgumentParser):
    """Raises instead of printing and exiting: in JSON mode an error is a document too."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}\n{self.format_usage().strip()}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    as_json = _wants_json(words)
    try:
        chosen = make_parser().parse_args(words)
        run: Callable[[argparse.Namespace], int] = chosen.run
        return run(chosen)
    except UsageError as error:
        return _fail(as_json, USAGE, str(error), {"code": "usage"})
    except CheckFailedError as failed:
        return _fail(as_json, CHECK_FAILED, str(failed), _fields(failed.error))
    except Error as error:
        return _fail(as_json, exit_code_of(error), str(error), _fields(error))
    except OSError as error:
        return _fail(as_json, FAILED, str(error), {"code": "failed"})
    except KeyboardInterrupt:
        return _fail(as_json, INTERRUPTED, "interrupted", {"code": "interrupted"})


def exit_code_of(error: Error) -> int:
    """The exit code of a command that this error ended."""
    if isinstance(error, InvalidRequestError):
        return USAGE
    if isinstance(error, ConflictError):
        return SIBLINGS
    if isinstance(error, UnavailableError):
        return UNAVAILABLE
    if isinstance(error, TimeoutError) and error.outcome_unknown:
        return TIMED_OUT
    if isinstance(error, (ConnectionError, AuthError)):
        return NOT_CONNECTED
    return FAILED


def make_parser() -> argparse.ArgumentParser:
    parser = Parser(prog="ringwright", description="Replicated key-value stores of your own make.")
    _add_output(parser, "table")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    serve = _command(commands, "serve", "run one node until SIGTERM drains it", run_serve)
    serve.add_argument("--config", type=Path, metavar="FILE", help="the node's configuration, TOML")
    serve.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="SECTION.KEY=VALUE",
        help="outranks the environment and the file; may be repeated",
    )
    _add_parts(serve)
    serve.add_argument("--control-fd", type=int, metavar="FD", help=argparse.SUPPRESS)
    serve.add_argument(
        "--check", action="store_true", help="check the configuration, show every value, and end"
    )

    _command(commands, "version", "show the version", run_version)

    engine = commands.add_parser("engine", help="storage engines")
    _add_output(engine, argparse.SUPPRESS)
    actions = engine.add_subparsers(title="commands", metavar="COMMAND", required=True)
    listing = _command(
        actions, "list", "show the engines that this installation has", run_engine_list
    )
    listing.add_argument(
        "--probe",
        action="store_true",
        help="open each in a temporary folder, to see its durability classes and capabilities",
    )
    new = _command(actions, "new", "write the sources of a new engine in C++", run_engine_new)
    new.add_argument("name", metavar="NAME", help="what it is to be called")
    new.add_argument("--dir", type=Path, metavar="DIR", help="where to; by default NAME")
    _add_parts(listing)
    check = _command(
        actions, "check", "test an engine by the suite that every engine passes", run_engine_check
    )
    _engine_check.add_arguments(check)
    _add_parts(check)
    return parser


def _command(
    commands: Any, name: str, help: str, run: Callable[[argparse.Namespace], int]
) -> argparse.ArgumentParser:
    made: argparse.ArgumentParser = commands.add_parser(name, help=help, description=help)
    _add_output(made, argparse.SUPPRESS)
    made.set_defaults(run=run)
    return made


def _add_parts(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--import",
        dest="modules",
        action="append",
        default=[],
        metavar="MODULE",
        help="a Python module to import first, such as one that registers parts",
    )
    parser.add_argument(
        "--engine",
        dest="engines",
        action="append",
        default=[],
        metavar="NAME=MODULE:CLASS",
        help="a storage engine written in Python, and its name",
    )


def _add_output(parser: argparse.ArgumentParser, default: str) -> None:
    """Before and after the sub-command; the one behind it must not reset the one before it."""
    parser.add_argument("-o", "--output", choices=("table", "json"), default=default)


def _wants_json(words: Sequence[str]) -> bool:
    """Whether errors are to be JSON, also those of a command line that cannot be read."""
    for at, word in enumerate(words):
        if word in ("-ojson", "-o=json", "--output=json"):
            return True
        if word in ("-o", "--output") and words[at + 1 : at + 2] == ["json"]:
            return True
    return False


# The commands.


def run_version(chosen: argparse.Namespace) -> int:
    if chosen.output == "json":
        _show_json({"version": _core.__version__})
    else:
        print(_core.__version__)
    return OK


def run_engine_list(chosen: argparse.Namespace) -> int:
    import_parts(chosen.modules, chosen.engines)
    rows = engines()
    if chosen.probe:
        for row in rows:
            if row["kind"] == "engine" and "error" not in row:
                _add_probe(row)
    if chosen.output == "json":
        _show_json({"engines": rows})
        return OK
    head = ["name", "kind", "library", "licence", "origin", "remarks"]
    if chosen.probe:
        head[-1:] = ["durability", "can", "remarks"]
    _show_table(head, [[_cell_of(row, column) for column in head] for row in rows])
    return OK


def _add_probe(row: dict[str, Any]) -> None:
    try:
        row.update(probe(row["name"]))
    except Error as error:
        row["probe_error"] = str(error)


def _cell_of(row: Mapping[str, Any], column: str) -> str:
    if column == "remarks":
        told = [row[problem] for problem in ("error", "probe_error") if problem in row]
        return "; ".join([*told, *row.get("remarks", ())])
    if column == "durability":
        return " ".join(row.get("durabilities", ()))
    if column == "can":
        return " ".join(able for able in ("merge", "non_blocking") if row.get(able))
    return str(row.get(column, ""))


def run_engine_new(chosen: argparse.Namespace) -> int:
    folder = chosen.dir or Path(chosen.name)
    files = new_engine(chosen.name, folder)
    if chosen.output == "json":
        _show_json({"directory": str(folder), "files": [str(file) for file in files]})
        return OK
    for file in files:
        print(file)
    print(f"Next: {folder / 'README.md'} says how to build, test and use it.", file=sys.stderr)
    return OK


def run_engine_check(chosen: argparse.Namespace) -> int:
    import_parts(chosen.modules, chosen.engines)
    as_json = chosen.output == "json"
    check = _engine_check.run(
        chosen, lambda error: _fail(as_json, CHECK_FAILED, str(error), _fields(error))
    )
    if as_json:
        _show_json(_engine_check.document(check))
    else:
        _show_table(
            ("test", "verdict", "seconds"),
            [(each.test, each.verdict, f"{each.seconds:.3f}") for each in check.outcomes],
        )
        print(check, file=sys.stderr)
    return OK if check else CHECK_FAILED


def import_parts(modules: Sequence[str], named: Sequence[str]) -> None:
    """Makes known what is written in Python: modules that register it, and engines by name."""
    for module in modules:
        try:
            importlib.import_module(module)
        except ImportError as error:
            raise UsageError(f"--import {module}: {error}") from error
    for text in named:
        register_named(text)


def run_serve(chosen: argparse.Namespace) -> int:
    import_parts(chosen.modules, chosen.engines)
    settings = _serve_settings(chosen)
    if chosen.check:
        return _check(settings, chosen.output == "json")
    # Blocked before the first native thread is made, so that none of them takes the signals.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING_SIGNALS)
    try:
        if chosen.control_fd is not None:
            _control.end_with_parent(chosen.control_fd)
        node = _core.Node.open(settings, True)
        try:
            if chosen.control_fd is not None:
                _control.announce(chosen.control_fd, node.addresses())
            if chosen.output == "json":
                _show_json({"name": node.name(), "pid": os.getpid(), **node.addresses()})
            else:
                serves = f"{node.name()} serves clients at {node.addresses()['client']}"
                print(serves, file=sys.stderr, flush=True)
            signal.sigwait(ENDING_SIGNALS)
            # A second one ends the process at once.
            for number in ENDING_SIGNALS:
                signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        finally:
            node.stop()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return OK


def _serve_settings(chosen: argparse.Namespace) -> _core.Settings:
    settings = _core.Settings()
    if chosen.config is not None:
        try:
            text = chosen.config.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"{chosen.config} cannot be read: {error}") from error
        settings.add_toml(text, str(chosen.config))
    settings.add_environment(dict(os.environ))
    for assignment in chosen.set:
        settings.assign(assignment)
    return settings.for_node()


def _check(settings: _core.Settings, as_json: bool) -> int:
    entries = settings.entries()
    if not as_json:
        _show_table(
            ("setting", "value", "from"), [(key, value, origin) for key, value, origin, _ in entries]
        )
    try:
        settings.check_node()
    except Error as error:
        raise CheckFailedError(error) from error
    if as_json:
        shown = [{"key": k, "value": v, "origin": o} for k, v, o, _ in entries]
        _show_json({"ok": True, "settings": shown})
    return OK


# How results and errors look.


def _show_json(document: Mapping[str, Any]) -> None:
    print(json.dumps(document, indent=2 if sys.stdout.isatty() else None), flush=True)


def _show_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Aligned on a terminal; elsewhere tab-separated, without a head."""
    if not sys.stdout.isatty():
        for row in rows:
            print("\t".join(row))
        return
    widths = [max(len(row[at]) for row in [head, *rows]) for at in range(len(head))]
    for row in [[name.upper() for name in head], *rows]:
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print(line.rstrip())


def _fields(error: Error) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "code": error.code,
        "retryable": error.retryable,
        "outcome_unknown": error.outcome_unknown,
    }
    for name in ("node", "required", "alive", "received"):
        value = getattr(error, name, None)
        if value:
            fields[name] = value
    return fields


def _fail(as_json: bool, code: int, message: str, fields: Mapping[str, Any]) -> int:
    if as_json:
        _show_json({"ok": False, "error": {**fields, "message": message}})
    else:
        with contextlib.suppress(OSError):
            print(f"ringwright: {message}", file=sys.stderr)
    return code
