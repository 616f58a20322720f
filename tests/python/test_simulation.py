"""The same cluster in virtual time."""

from __future__ import annotations

import functools
import gc
import json
import threading
import weakref

import pytest
import ringwright as rw


def test_a_sibling_story() -> None:
    sim = rw.Simulation(seed=7, nodes=3, clients=2)
    sim.put("node1", b"cart", b"eggs")
    seen = sim.get("node2", b"cart")
    assert seen is not None
    assert seen.value == b"eggs"
    with sim.partition(["node1"], ["node2", "node3"]):
        sim.put("node1", b"cart", b"eggs, milk", context=seen.context, w=1)
        sim.put("node2", b"cart", b"eggs, butter", context=seen.context, w=1, client=1)
    sim.run_for(2.0)
    both = sim.get("node3", b"cart", r=3)
    assert both is not None
    assert both.in_conflict
    assert {s.value for s in both.siblings} == {b"eggs, milk", b"eggs, butter"}
    with pytest.raises(rw.ConflictError):
        _ = both.value
    sim.put("node3", b"cart", b"all", context=both.context)
    sim.delete("node1", b"cart", context=sim.get_record("node1", b"cart", r=3).context)
    sim.run_for(1.0)
    assert sim.get("node2", b"cart", r=3) is None
    row = sim.replica("node2", b"cart")
    assert row is not None
    assert [s.tombstone for s in row.siblings] == [True]
    assert row.damaged == 0
    assert sim.protocol_errors == []
    assert sim.now > 3.0


def scripted(seed: int) -> rw.Simulation:
    sim = rw.Simulation(seed=seed, nodes=5, clients=3, loss=0.05, clock_skew_max=0.2)
    sim.at(0.5, lambda: sim.cut("node1", "node2"))
    sim.at(1.0, lambda: sim.crash("node3"))
    sim.at(1.5, lambda: sim.restart("node3"))
    sim.at(2.0, lambda: sim.power_cut("node4"))
    sim.at(2.5, sim.heal)
    sim.at(2.6, lambda: sim.restart("node4"))
    for number in range(40):
        start = 0.1 * number
        node, client = number % 5, number % 3
        key = b"%d" % (number % 4)
        put = functools.partial(sim.start_put, node, key, b"%d" % number, client=client)
        sim.at(start, put)
    sim.run(until=10.0)
    return sim


def test_equal_seeds_give_equal_runs() -> None:
    one, same, other = scripted(11), scripted(11), scripted(12)
    assert one.digest == same.digest
    assert len(one.digest) == 16
    assert one.history == same.history
    assert list(one.history) == list(same.history)
    assert one.digest != other.digest
    assert one.counters == same.counters
    assert len(one.history) == 40
    assert {row["type"] for row in one.history} <= {"ok", "fail", "info"}


def test_a_history_is_plain_data() -> None:
    sim = rw.Simulation(seed=1)
    context = sim.put("node1", b"k", b"v")
    sim.get("node2", b"k")
    sim.delete("node3", b"\x00")
    put, get, delete = sim.history
    assert (put["kind"], put["key"], put["value"], put["type"]) == ("put", b"k", b"v", "ok")
    assert put["ctx_out"] == context
    assert put["coord"] == "node1"
    assert 0 <= put["invoke_t"] < put["return_t"]
    assert len(put["dots"]) == 1
    assert (get["kind"], get["read"]) == ("get", [b"v"])
    assert delete["kind"] == "del"
    lines = sim.history.to_json_lines().splitlines()
    assert [json.loads(line)["id"] for line in lines] == [1, 2, 3]
    assert rw.History.from_json_lines("\n".join(lines) + "\n") == sim.history
    assert sim.history[0:2] == list(sim.history)[:2]
    with pytest.raises(rw.InvalidRequestError, match="1"):
        rw.History.from_json_lines("nonsense\n")


def test_operations_go_on_while_time_passes() -> None:
    sim = rw.Simulation(seed=2, delay_min=0.01)
    put = sim.start_put("node1", b"k", b"v")
    assert not put.done
    assert put.outcome == "unknown"
    with pytest.raises(rw.InvalidRequestError, match="not done"):
        put.context()
    assert not sim.run_until_done(put, until=0.101)
    assert sim.now == 0.101
    assert sim.run_until_done(put)
    assert put.outcome == "ok"
    assert put.tries == 1
    get = sim.start_get("node2", b"k")
    sim.run_for(1.0)
    assert get.record().value == b"v"
    assert get.record().context >= put.context()
    with pytest.raises(rw.InvalidRequestError, match="context"):
        put.record()
    assert "put" in repr(put)


def test_failures_are_the_same_errors() -> None:
    sim = rw.Simulation(seed=4, nodes=3)
    sim.crash("node2")
    sim.crash("node3")
    sim.run_for(3.0)
    with pytest.raises(rw.UnavailableError) as failed:
        sim.put("node1", b"k", b"v", w=3)
    assert failed.value.required == 3
    with pytest.raises(rw.TimeoutError) as silent:
        sim.put("node2", b"k", b"v", timeout=0.1)
    assert silent.value.outcome_unknown
    assert sim.put("node2", b"k", b"v", w=1, retry_through=["node1"])


def test_lives_of_nodes() -> None:
    sim = rw.Simulation(seed=5, nodes=3)
    sim.put("node1", b"k", b"1", w=3)
    backup = sim.backup("node1")
    sim.put("node1", b"k", b"2", w=3)
    sim.restore("node1", backup)
    assert not sim.is_up("node1")
    with pytest.raises(rw.UnavailableError):
        sim.replica("node1", b"k")
    sim.restart("node1")
    row = sim.replica("node1", b"k")
    assert row is not None
    assert [s.value for s in row.siblings] == [b"1"]
    assert sim.get_record("node2", b"k", r=3).value == b"2"
    sim.run_for(1.0)
    assert sim.clone("node2") == "clone1"
    assert sim.nodes == ("node1", "node2", "node3", "clone1")
    assert sim.get_record("clone1", b"k", r=1).value == b"2"
    sim.wipe("node3")
    sim.restart("node3")
    assert sim.replica("node3", b"k") is None
    sim.stop(1)
    assert not sim.is_up("node2")
    assert set(sim.primaries(b"k")) == {"node1", "node2", "node3"}
    assert sim.preference_list(b"k") == sim.primaries(b"k")


def test_remembered_contexts() -> None:
    sim = rw.Simulation(seed=6, clients=2)
    sim.put("node1", b"k", b"1")
    sim.put("node2", b"k", b"2")
    assert sim.get_record("node3", b"k", r=3).value == b"2"
    sim.put("node3", b"k", b"3", client=1)
    sim.put("node3", b"k", b"4", context=rw.NO_CONTEXT)
    assert len(sim.get_record("node3", b"k", r=3).siblings) == 3
    sim.forget_contexts()
    sim.put("node3", b"k", b"5")
    assert len(sim.get_record("node3", b"k", r=3).siblings) == 4


def test_an_exception_of_a_scripted_action_leaves_with_run() -> None:
    sim = rw.Simulation(seed=8)
    ran = []
    sim.at(1.0, lambda: ran.append(1))
    sim.at(2.0, lambda: 1 // 0)
    sim.at(3.0, lambda: ran.append(3))
    with pytest.raises(ZeroDivisionError):
        sim.run(until=5.0)
    assert ran == [1]
    assert sim.now == 5.0
    sim.at(6.0, lambda: sim.run_for(1.0))
    with pytest.raises(rw.InvalidRequestError, match="start operations"):
        sim.run(until=7.0)


def test_one_thread_at_a_time() -> None:
    sim = rw.Simulation(seed=9)
    failed: list[BaseException] = []

    def intrude() -> None:
        try:
            _ = sim.now
        except rw.Error as error:
            failed.append(error)

    def action() -> None:
        thread = threading.Thread(target=intrude)
        thread.start()
        thread.join()

    sim.at(1.0, action)
    sim.run(until=2.0)
    assert [type(error) for error in failed] == [rw.InvalidRequestError]


def test_a_dropped_simulation_keeps_nothing_alive() -> None:
    sim = rw.Simulation(seed=1)
    sim.at(1.0, lambda: sim.now)
    gone = weakref.ref(sim)
    del sim
    gc.collect()
    assert gone() is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"nodes": 0}, "nodes=0"),
        ({"nodes": 2, "n": 3}, "n=3"),
        ({"r": 4}, "r=4"),
        ({"resolver": "vector_clok"}, "vector_clock"),
        ({"fan_out": "some"}, "fan_out"),
        ({"durability": "hard"}, "disk"),
        ({"los": 0.1}, "'loss'"),
        ({"loss": 1.5}, "0 to 1"),
        ({"loss": -0.1}, "loss"),
        ({"clients": 0}, "clients"),
        ({"partitions": 2}, "partitions"),
        ({"seed": -1}, "seed"),
        ({"ping_interval": 0.0}, "ping_interval"),
        ({"shards": 1000}, "shards"),
    ],
)
def test_wrong_options(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(rw.InvalidRequestError) as refused:
        rw.Simulation(**arguments)  # type: ignore[arg-type]
    assert message in str(refused.value)


def test_wrong_arguments() -> None:
    sim = rw.Simulation(seed=1, nodes=3)
    with pytest.raises(rw.InvalidRequestError, match="did you mean 'node"):
        sim.crash("node4")
    with pytest.raises(rw.InvalidRequestError):
        sim.crash(3)
    with pytest.raises(rw.InvalidRequestError):
        sim.restore("node1", 0)
    with pytest.raises(rw.InvalidRequestError, match="client"):
        sim.put("node1", b"k", b"v", client=1)
    with pytest.raises(TypeError, match="encode"):
        sim.put("node1", "k", b"v")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="group"):
        sim.partition("node1", "node2")
    with pytest.raises(TypeError):
        rw.Simulation(sloppy=1)
    with pytest.raises(TypeError):
        rw.Simulation(clients=1.5)


def test_a_swarm_run_is_decided_by_its_seed() -> None:
    one, same = rw.Simulation.swarm(21), rw.Simulation.swarm(21)
    assert one.digest == same.digest
    assert one.history == same.history
    assert one.parameters == same.parameters
    assert one.violations == same.violations == []
    assert one.ok
    assert len(one.digest) == 16
    assert len(one.history) > 0
    assert rw.Simulation.swarm(22).digest != one.digest


def test_limits_of_a_swarm_run() -> None:
    small = rw.Simulation.swarm(5, operations_min=10, operations_max=12)
    assert small.ok
    with pytest.raises(rw.InvalidRequestError):
        rw.Simulation.swarm(5, operations_min=10, operations_max=9)
    with pytest.raises(rw.InvalidRequestError):
        rw.Simulation.swarm(-5)
