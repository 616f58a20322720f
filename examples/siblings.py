"""Two people change one cart on two sides of a cut network; nothing is lost.

Run it with the package on the path: python examples/siblings.py
"""

from __future__ import annotations

import ringwright as rw


def main() -> None:
    with rw.Cluster.local(nodes=3, n=3, r=2, w=2) as cluster:
        kv = cluster.client()
        kv.put(b"cart", b"eggs")
        seen = kv.get_record(b"cart")
        with cluster.partition(["node1"], ["node2", "node3"]):
            with cluster.client(node="node1") as left, cluster.client(node="node2") as right:
                left.put(b"cart", b"eggs, milk", context=seen.context, w=1)
                right.put(b"cart", b"eggs, butter", context=seen.context, w=1)
        both = kv.get_record(b"cart", r=3)
        for sibling in both.siblings:
            print(f"{sibling.value.decode():15} written through {sibling.origin}")
        items = {item for s in both.siblings for item in s.value.split(b", ")}
        kv.put(b"cart", b", ".join(sorted(items)), context=both.context)
        print("agreed:", kv[b"cart"].decode())


if __name__ == "__main__":
    main()
