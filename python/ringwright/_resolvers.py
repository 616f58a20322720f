"""Reducing siblings on the client's side, and checking that it is done lawfully."""

from __future__ import annotations

import itertools
import random
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from ._records import NO_CONTEXT, Record, Sibling
from .errors import InvalidRequestError

__all__ = ["Report", "Resolver", "resolver_laws"]


class Resolver(ABC):
    """Reduces the siblings that a get finds. Subclass it and write `resolve`.

    It runs in the client, in the thread of the get, after a quorum has answered, and only when
    there are at least two siblings; several threads may call it at once. What it returns is shown,
    not
    stored: a put with the record's context stores it. An exception of it reaches the caller of the
    get as it is.

    Laws, which `resolver_laws` checks: equal siblings give equal outcomes; their order does not
    matter; resolving an outcome again changes nothing.
    """

    @abstractmethod
    def resolve(self, key: bytes, siblings: Sequence[Sibling]) -> Sequence[Sibling | bytes]:
        """Some of the siblings, or new values, or both: at least one."""


def resolve_record(
    record: Record, by: Resolver | Callable[[Sequence[Sibling]], bytes]
) -> Record:
    """The record with its siblings reduced; itself when it is not in conflict."""
    if not record.in_conflict:
        return record
    outcome: Sequence[Sibling | bytes]
    if isinstance(by, Resolver):
        outcome = by.resolve(record.key, record.siblings)
    else:
        outcome = [by(record.siblings)]
    if isinstance(outcome, (str, bytes, bytearray)) or not isinstance(outcome, Sequence):
        raise TypeError(f"a resolver returns a list of siblings or bytes, not {outcome!r}")
    if not outcome:
        raise InvalidRequestError(
            f"the resolver left no sibling of {record.key!r}: delete the key instead"
        )
    siblings = tuple(_sibling_of(item, record) for item in outcome)
    return replace(record, siblings=siblings, resolved=True)


def _sibling_of(item: Sibling | bytes, record: Record) -> Sibling:
    if isinstance(item, Sibling):
        if item not in record.siblings:
            raise InvalidRequestError("a resolver returns given siblings, or bytes as new values")
        return item
    if not isinstance(item, (bytes, bytearray, memoryview)):
        raise TypeError(f"a resolver returns siblings or bytes, not {item!r}")
    latest = max(sibling.timestamp for sibling in record.siblings)
    return Sibling(bytes(item), record.context, latest, "resolver")


@dataclass(frozen=True)
class Report:
    """What a check found. True in a condition when all is well.

    Attributes:
        ok: no law was broken.
        checks: how many comparisons were made.
        law: the law that was broken; empty when none was.
        counter_example: the values that show it, and what came of them; empty when there is none.
    """

    ok: bool
    checks: int
    law: str = ""
    counter_example: str = ""

    def __bool__(self) -> bool:
        return self.ok

    def __str__(self) -> str:
        if self.ok:
            return f"all laws hold in {self.checks} checks"
        return f"{self.law}: {self.counter_example}"


SAMPLE_VALUES = (b"", b"a", b"b", b"ab", b"a,b", b"1", b"2", b"10", b"\x00\xff")
PERMUTATIONS_MAX = 120


def resolver_laws(
    resolver: Resolver,
    samples: Iterable[Sequence[bytes | Sibling]] | None = None,
    *,
    key: bytes = b"key",
) -> Report:
    """Checks the laws of a resolver and stops at the first counter-example.

    Args:
        resolver: what to check.
        samples: lists of at least two concurrent values, as bytes or siblings; give ones that your
            resolver understands. By default pairs and triples of a few short values.
        key: handed to the resolver.

    Each sample is resolved in all orders (in 120 drawn ones when there are more), twice in the same
    order, and its outcome once more. An exception of the resolver breaks the law "total".
    """
    if samples is None:
        samples = itertools.chain(
            itertools.combinations(SAMPLE_VALUES, 2), itertools.combinations(SAMPLE_VALUES, 3)
        )
    checks = 0
    for sample in samples:
        record = _sample_record(key, sample)
        for law, shown, expected, found in _comparisons(resolver, record):
            checks += 1
            if expected != found:
                example = f"{shown} gave {_shown(found)}, but {_shown(expected)} was expected"
                return Report(False, checks, law, example)
    if checks == 0:
        raise InvalidRequestError("there is no sample to check the resolver with")
    return Report(True, checks)


_Outcome = Counter[bytes] | Exception


def _comparisons(
    resolver: Resolver, record: Record
) -> Iterable[tuple[str, str, _Outcome, _Outcome]]:
    """(law, what was resolved, expected, found) for each comparison."""
    shown = _values(record.siblings)
    try:
        first = resolve_record(record, resolver)
    except Exception as error:
        yield "total", shown, Counter(), error
        return
    expected = _counted(first)
    yield "pure", shown, expected, _outcome(resolver, record)
    yield "idempotent", _values(first.siblings), expected, _outcome(resolver, first)
    for order in _orders(record.siblings):
        found = _outcome(resolver, replace(record, siblings=order))
        yield "order does not matter", _values(order), expected, found


def _orders(siblings: tuple[Sibling, ...]) -> Iterable[tuple[Sibling, ...]]:
    if len(siblings) <= 5:
        return itertools.permutations(siblings)
    draw = random.Random(len(siblings))
    return (tuple(draw.sample(siblings, len(siblings))) for _ in range(PERMUTATIONS_MAX))


def _outcome(resolver: Resolver, record: Record) -> _Outcome:
    try:
        return _counted(resolve_record(record, resolver))
    except Exception as error:
        return error


def _counted(record: Record) -> Counter[bytes]:
    return Counter(sibling.value for sibling in record.siblings)


def _values(siblings: Sequence[Sibling]) -> str:
    return repr([sibling.value for sibling in siblings])


def _shown(outcome: _Outcome) -> str:
    return repr(outcome) if isinstance(outcome, Exception) else repr(sorted(outcome.elements()))


def _sample_record(key: bytes, sample: Sequence[bytes | Sibling]) -> Record:
    siblings = tuple(
        value
        if isinstance(value, Sibling)
        else Sibling(bytes(value), NO_CONTEXT, float(place), f"node{place}")
        for place, value in enumerate(sample, start=1)
    )
    if len(siblings) < 2:
        raise InvalidRequestError("a sample has at least two siblings")
    return Record(key, siblings, NO_CONTEXT)
