#!/usr/bin/env python3
"""Checks that a library is needed by one file alone.

What links WiredTiger is under the GPL as a whole, so only its plugin may; and nobody links the plugin.
Reads what each ELF file says that it needs, as the loader does. Prints one line for each violation
and exits with 1 if there is any.

Usage: linkage.py --library <part of a library's name> --only <file> <file or folder>...
"""

import argparse
import struct
import sys
from pathlib import Path

ELF_MAGIC = b"\x7fELF"
DYNAMIC, LOAD = 2, 1  # segments
NEEDED, STRING_TABLE = 1, 5  # entries of the first


def needed_by(path):
    """The libraries that a 64-bit little-endian ELF file needs; None for another kind of file."""
    content = path.read_bytes()
    if content[:4] != ELF_MAGIC or content[4:6] != b"\x02\x01":
        return None
    at, entry_size, count = (
        struct.unpack_from("<Q", content, 32)[0],
        *struct.unpack_from("<HH", content, 54),
    )
    segments = []
    for i in range(count):
        kind, _, offset, address, _, size = struct.unpack_from(
            "<IIQQQQ", content, at + i * entry_size
        )
        segments.append((kind, offset, address, size))
    entries = []
    for kind, offset, _, size in segments:
        if kind == DYNAMIC:
            entries = list(struct.iter_unpack("<QQ", content[offset : offset + size]))
    strings = next((value for tag, value in entries if tag == STRING_TABLE), None)
    for kind, offset, address, size in segments:
        if strings is not None and kind == LOAD and address <= strings < address + size:
            names = offset + strings - address
            return [
                content[names + value : content.index(b"\0", names + value)].decode()
                for tag, value in entries
                if tag == NEEDED
            ]
    return []


def files_of(paths):
    for path in map(Path, paths):
        if path.is_dir():
            yield from sorted(file for file in path.rglob("*") if file.is_file())
        else:
            yield path


def violations(library, only, paths):
    holder_needs_it = False
    for file in files_of(paths):
        for needed in needed_by(file) or []:
            if library in needed and file.resolve() == only.resolve():
                holder_needs_it = True
            elif library in needed or needed == only.name:
                yield f"{file} links {needed}"
    if not holder_needs_it:
        yield f"{only} was not found, or does not link {library}: is this the right check?"


def main(arguments):
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--library", required=True)
    parser.add_argument("--only", required=True, type=Path)
    parser.add_argument("paths", nargs="+")
    options = parser.parse_args(arguments)
    found = list(violations(options.library, options.only, options.paths))
    for violation in found:
        print(violation)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
