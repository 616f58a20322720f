"""A resolver that unites carts, checked before it is used.

Run it with the package on the path: python examples/resolver.py
"""

from __future__ import annotations

from collections.abc import Sequence

import ringwright as rw


class UniteCarts(rw.Resolver):
    """A cart is a list of items, one a line; united carts have the items of all."""

    def resolve(self, key: bytes, siblings: Sequence[rw.Sibling]) -> Sequence[rw.Sibling | bytes]:
        items = {item for sibling in siblings for item in sibling.value.splitlines()}
        return [b"\n".join(sorted(items))]


def add(item: bytes, cart: bytes | None) -> bytes:
    return b"\n".join(sorted({*(cart or b"").splitlines(), item}))


def main() -> None:
    resolver = UniteCarts()
    print(rw.resolver_laws(resolver, [[b"eggs", b"milk"], [b"eggs\nmilk", b"milk", b"tea"]]))
    with rw.Cluster.local(nodes=3, resolver=resolver) as cluster:
        for item in (b"eggs", b"milk", b"tea"):
            with cluster.client() as stranger:
                stranger.put(b"cart", item, context=rw.NO_CONTEXT)
        kv = cluster.client(r=3)
        raw = kv.with_options(resolver=None).get_record(b"cart")
        print(f"{len(raw.siblings)} siblings, one cart:")
        kv.update(b"cart", lambda cart: add(b"butter", cart))
        print(kv[b"cart"].decode())


if __name__ == "__main__":
    main()
