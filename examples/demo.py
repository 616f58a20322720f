"""The main job on real data: every record of the Debian package index, stored three times.

Loads the index into a three-node cluster on each engine and on a mix of them, reads it back, crashes a node in the middle
of a load, first in one process and then with three processes, of which SIGKILL ends one, makes a
conflict and merges it, and runs a hundred seeds of the simulation. Every claim it
prints is checked; the exit status is 1 if one does not hold.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import ringwright as rw

MIXED = "mixed"  # each node has an engine of its own
ENGINES = ("memory", "rocksdb", MIXED)
BATCH = 2000  # records handed over in one call
SAMPLE = 2000  # single requests timed for p50 and p99
SEEDS = 100

Item = tuple[bytes, bytes]


class CheckFailed(Exception):
    """Something that the demo claims does not hold."""


def check(holds: bool, claim: str) -> None:
    if not holds:
        raise CheckFailed(claim)


class Progress:
    """One line on stderr, redrawn; silent when stderr is not a terminal."""

    def __init__(self, title: str, total: int) -> None:
        self.title, self.total, self.done = title, total, 0
        self.shown = sys.stderr.isatty()

    def add(self, count: int) -> None:
        self.done += count
        if self.shown:
            filled = 32 * self.done // max(self.total, 1)
            bar = "#" * filled + "." * (32 - filled)
            sys.stderr.write(f"\r{self.title:<34} [{bar}] {self.done}/{self.total}")
            sys.stderr.flush()

    def __enter__(self) -> Progress:
        self.add(0)
        return self

    def __exit__(self, *_: object) -> None:
        if self.shown:
            sys.stderr.write("\r\x1b[K")


def package_index() -> tuple[str, bytes]:
    """The records that this machine has, and where they come from."""
    if shutil.which("apt-cache"):
        found = subprocess.run(["apt-cache", "dumpavail"], capture_output=True, check=False)
        if found.returncode == 0 and found.stdout.strip():
            return "apt-cache dumpavail", found.stdout
    status = Path("/var/lib/dpkg/status")
    return str(status), status.read_bytes()


def parse(index: bytes) -> Iterator[Item]:
    """`name=version/architecture` -> the record's bytes, as the index has them."""
    for record in index.split(b"\n\n"):
        fields = dict(
            line.split(b": ", 1)
            for line in record.split(b"\n")
            if line.startswith((b"Package: ", b"Version: ", b"Architecture: "))
        )
        if b"Package" in fields:
            name = fields[b"Package"] + b"=" + fields.get(b"Version", b"")
            yield name + b"/" + fields.get(b"Architecture", b""), record


def batches(items: Sequence[Item]) -> Iterator[Sequence[Item]]:
    for start in range(0, len(items), BATCH):
        yield items[start : start + BATCH]


def percentile(sorted_times: Sequence[float], share: float) -> float:
    return sorted_times[min(len(sorted_times) - 1, int(share * len(sorted_times)))]


def timed_sample(kv: rw.Client, items: Sequence[Item], write: bool) -> list[float]:
    """Seconds of each of SAMPLE requests, one at a time, sorted."""
    times = []
    for key, value in items[:: max(1, len(items) // SAMPLE)]:
        start = time.perf_counter()
        if write:
            kv.put(key, value)
        else:
            kv.get(key)
        times.append(time.perf_counter() - start)
    return sorted(times)


def verify(kv: rw.Client, items: Sequence[Item], title: str) -> None:
    """Every record is there, once, with exactly the bytes that were put."""
    with Progress(title, len(items)) as progress:
        for batch in batches(items):
            found = kv.get_many([key for key, _ in batch])
            for key, value in batch:
                record = found[key]
                check(record is not None, f"{key!r} is readable")
                check(record.value == value, f"{key!r} has the value that was put")
            progress.add(len(batch))


def directory_bytes(path: Path) -> int:
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


def engine_of(name: str) -> str | dict[str, str]:
    """What `Cluster.local` takes for one of ENGINES."""
    if name != MIXED:
        return name
    there = {engine["name"] for engine in rw.engines() if "error" not in engine}
    second = "wiredtiger" if "wiredtiger" in there else "memory"
    return {"node1": "rocksdb", "node2": second, "node3": "memory"}


def load_and_read(engine: str, items: Sequence[Item]) -> list[str]:
    """One row of the table."""
    with rw.Cluster.local(
        nodes=3, engine=engine_of(engine), n=3, r=2, w=2, name=f"demo-{engine}"
    ) as cluster:
        with cluster.client() as kv:
            start = time.perf_counter()
            with Progress(f"{engine}: load", len(items)) as progress:
                for batch in batches(items):
                    kv.put_many(batch)
                    progress.add(len(batch))
            load_s = time.perf_counter() - start
            start = time.perf_counter()
            verify(kv, items, f"{engine}: read back")
            read_s = time.perf_counter() - start
            puts = timed_sample(kv, items, write=True)
            gets = timed_sample(kv, items, write=False)
            on_disk = directory_bytes(Path(cluster.directory))
    return [
        engine,
        f"{len(items):,}",
        f"{sum(len(key) + len(value) for key, value in items) / 1e6:.1f}",
        f"{len(items) / load_s:,.0f}",
        f"{len(items) / read_s:,.0f}",
        f"{percentile(puts, 0.5) * 1e6:.0f} / {percentile(puts, 0.99) * 1e6:.0f}",
        f"{percentile(gets, 0.5) * 1e6:.0f} / {percentile(gets, 0.99) * 1e6:.0f}",
        f"{on_disk / 1e6:.1f}",
    ]


def print_table(rows: Sequence[Sequence[str]]) -> None:
    head = ["engine", "records", "MB", "load/s", "read/s", "put p50/p99 us", "get p50/p99 us",
            "MB on disk (3 copies)"]
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    for row in [head, *rows]:
        cells = [cell.ljust(width) if i == 0 else cell.rjust(width)
                 for i, (cell, width) in enumerate(zip(row, widths))]
        print("  " + "  ".join(cells))
    print("  rates: batches over one client, 64 requests in flight; p50, p99: one request at a time;"
          "\n  n=3 r=2 w=2, durability os: an acknowledged write survives the death of the process.")


def crash_story(engine: str, items: Sequence[Item], processes: bool) -> None:
    """A node dies in the middle of a load; what was acknowledged stays readable."""
    acknowledged: list[Item] = []
    refused = 0
    title = f"{engine}: crash"
    with rw.Cluster.local(
        nodes=3, engine=engine_of(engine), n=3, r=2, w=2, name=f"demo-crash-{engine}",
        processes=processes
    ) as cluster:
        victim = cluster.nodes["node3"]
        pid = victim.pid
        with cluster.client() as kv, Progress(f"{title}: load", len(items)) as progress:
            half = len(items) // 2
            killer: threading.Thread | None = None
            for batch in batches(items):
                if killer is None and progress.done >= half:
                    killer = threading.Thread(target=cluster.kill, args=("node3",))
                    killer.start()  # strikes while the batch is on its way
                result = kv.put_many(batch, on_error="collect")
                failed = set(result.errors)
                refused += len(failed)
                acknowledged += [item for item in batch if item[0] not in failed]
                progress.add(len(batch))
            check(killer is not None, "node3 was killed in the middle of the load")
            killer.join()
            check(not victim.is_up, "node3 is down")
            if processes:
                check(pid is not None and not Path(f"/proc/{pid}").exists(), "its process is gone")
            verify(kv, acknowledged, f"{title}: read back on two nodes")
            cluster.restart("node3")
            check(victim.is_up, "node3 is up again")
            if processes:
                check(victim.pid != pid, "node3 is another process now")
            verify(kv, acknowledged, f"{title}: read back on three nodes")
    check(len(acknowledged) > len(items) // 2, "the load went on after the crash")
    how = f"process {pid} ended by SIGKILL" if processes else "node3 killed"
    print(f"  {engine + ':':<9}{how} half-way: {len(acknowledged):,} of {len(items):,} puts "
          f"acknowledged, {refused:,} not;\n           every acknowledged record read back, byte "
          "for byte, without node3 and again after its restart")


def have_processes() -> bool:
    """Whether nodes can be processes here: the daemon and the transport between them are built."""
    try:
        with rw.Cluster.local(nodes=1, processes=True, name="demo-probe"):
            return True
    except rw.InvalidRequestError as error:
        print(f"  left out: {error}")
        return False


def clock_text(context: rw.Context) -> str:
    """A clock as `node:counter`, the node by the first digits of its id."""
    events = context.to_dict()["events"]
    return ", ".join(f"{actor[:8]}:{counter}" for actor, counter in sorted(events.items()))


def cart_story() -> None:
    """Two sides of a cut change one cart; both versions survive and are merged."""
    with rw.Cluster.local(nodes=3, engine="rocksdb", n=3, r=2, w=2, name="demo-cart") as cluster:
        with cluster.client() as kv:
            kv.put(b"cart", b"eggs")
            seen = kv.get(b"cart")
            check(seen is not None and seen.value == b"eggs", "the cart holds eggs")
            with cluster.partition(["node1"], ["node2", "node3"]):
                with cluster.client(node="node1") as one, cluster.client(node="node2") as other:
                    one.put(b"cart", b"eggs, milk", context=seen.context, w=1)
                    other.put(b"cart", b"eggs, butter", context=seen.context, w=1)
            both = kv.get(b"cart", r=3)
            check(both is not None and both.in_conflict, "the cart has two siblings")
            print("  the cart after the cut:")
            for sibling in both.siblings:
                print(f"    {sibling.value.decode():<14} by {sibling.origin}  "
                      f"clock {clock_text(sibling.context)}")
            goods = sorted({good for sibling in both.siblings
                            for good in sibling.value.split(b", ")})
            kv.put(b"cart", b", ".join(goods), context=both.context)
            merged = kv.get(b"cart", r=3)
            check(merged is not None and not merged.in_conflict, "one cart after the merge")
            check(merged.value == b"butter, eggs, milk", "nothing was lost from the cart")
            print(f"  merged: {merged.value.decode()}  clock {clock_text(merged.context)}")


def simulation_story(seeds: int) -> None:
    operations = 0
    with Progress("simulation", seeds) as progress:
        for seed in range(seeds):
            run = rw.Simulation.swarm(seed)
            check(not run.violations, f"seed {seed} breaks no promise: {run.violations}")
            operations += len(run.history)
            progress.add(1)
    first, second = rw.Simulation.swarm(7), rw.Simulation.swarm(7)
    check(first.digest == second.digest, "one seed twice gives one digest")
    print(f"  {seeds} seeds, {operations:,} operations under faults: no acknowledged write lost, "
          f"no dot twice\n  seed 7 twice: digest {first.digest} and {second.digest}")


def run(limit: int | None, seeds: int) -> None:
    source, index = package_index()
    items = list(dict(parse(index)).items())[:limit]
    check(len(items) > 0, f"{source} has records")
    print(f"\n{len(items):,} package records from {source}")
    print("\n1. Load, and read back")
    print_table([load_and_read(engine, items) for engine in ENGINES])
    print(f"  mixed: {', '.join(f'{node} on {name}' for node, name in engine_of(MIXED).items())}")
    print("\n2. Crash a node in the middle of a load")
    crash_story("rocksdb", items, processes=False)
    print("\n3. The same with nodes that are processes, over sockets")
    if have_processes():
        for engine in ENGINES:
            crash_story(engine, items, processes=True)
    print("\n4. Two sides of a cut")
    cart_story()
    print("\n5. The same code in a deterministic simulation")
    simulation_story(seeds)
    print("\nEvery check passed.")


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    arguments.add_argument("--records", type=int, default=None, help="at most so many records")
    arguments.add_argument("--seeds", type=int, default=SEEDS, help="seeds of the simulation")
    chosen = arguments.parse_args()
    try:
        run(chosen.records, chosen.seeds)
    except CheckFailed as failed:
        print(f"\nCHECK FAILED: {failed}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
