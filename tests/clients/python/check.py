"""What tests/clients/test_stock_clients.py asks of a client, over the generated code alone."""

import secrets
import sys
import time

from ringwright_kv import KV
from ringwright_kv.ttypes import (
    ClientInfo,
    Consistency,
    ErrorCode,
    GetManyRequest,
    GetRequest,
    KVError,
    PutItem,
    PutManyRequest,
    PutRequest,
    RemoveRequest,
    TopologyRequest,
)
from thrift.protocol.TBinaryProtocol import TBinaryProtocol, TBinaryProtocolAccelerated
from thrift.protocol.TCompactProtocol import TCompactProtocol, TCompactProtocolAccelerated
from thrift.transport.TSocket import TSocket
from thrift.transport.TTransport import TFramedTransport, TTransportException

PROTOCOLS = {
    "binary": TBinaryProtocol,
    "compact": TCompactProtocol,
    # Without the fallback a missing extension is an error, not the same test twice.
    "binary-accelerated": lambda to: TBinaryProtocolAccelerated(to, fallback=False),
    "compact-accelerated": lambda to: TCompactProtocolAccelerated(to, fallback=False),
}
BYTES = bytes(range(256))  # neither text nor free of zeros
next_id = 2**60  # more than a double holds


def request_id():
    global next_id
    next_id += 1
    return next_id


def connect(host, port, protocol, timeout_ms=10_000):
    socket = TSocket(host, port)
    socket.setTimeout(timeout_ms)
    transport = TFramedTransport(socket)
    transport.open()
    return KV.Client(PROTOCOLS[protocol](transport))


def checked(answer, request):
    assert answer.request_id == request.request_id, answer
    if hasattr(request, "key"):
        assert answer.key == request.key, answer
    return answer


def values(answer):
    return sorted(sibling.value for sibling in answer.siblings)


def refusal(call, request):
    try:
        call(request)
    except KVError as error:
        return checked(error, request)
    raise AssertionError(f"no error: {request}")


def greet(kv):
    info = kv.hello(ClientInfo(protocol_level=1, protocol_level_min=1, name="check"))
    assert (info.protocol_level, info.cluster, info.unordered_replies) == (1, "lab", False), info
    assert info.node == "node1" and info.version and info.frame_bytes_max == 15 * 1024 * 1024, info
    try:
        kv.hello(ClientInfo(protocol_level=9, protocol_level_min=9, name="check"))
    except KVError as error:
        assert error.code == ErrorCode.MISMATCH, error
    else:
        raise AssertionError("level 9 was agreed upon")

    request = TopologyRequest(request_id=request_id())
    topology = checked(kv.topology(request), request)
    assert [member.name for member in topology.members] == ["node1", "node2", "node3"], topology
    assert all(len(member.id) == 16 and member.client_address for member in topology.members)
    assert len(topology.owners) == 256 and set(topology.owners) == {0, 1, 2}
    assert len(topology.ring_hash) == 16 and int(topology.ring_hash, 16)
    spaces = {space.name: space for space in topology.keyspaces}
    default = spaces["default"]
    assert (default.n, default.r, default.w, default.record_kind) == (3, 2, 2, "siblings"), default
    assert spaces["last"].record_kind == "lww"


def one_key(kv, key):
    def get(**more):
        request = GetRequest(request_id=request_id(), key=key, **more)
        return checked(kv.get(request), request)

    def put(value, **more):
        request = PutRequest(request_id=request_id(), key=key, value=value, **more)
        return checked(kv.put(request), request)

    absent = get()
    assert absent.siblings == [], absent
    first = put(BYTES, context=absent.context)
    read = get(consistency=Consistency.ALL)
    assert values(read) == [BYTES] and read.coordinator == "node1", read
    (sibling,) = read.siblings
    assert sibling.event == first.event and sibling.origin, sibling
    assert abs(sibling.timestamp_us / 1e6 - time.time()) < 3600, sibling

    put(b"left", context=first.context)
    put(b"right", context=first.context)
    both = get(r=3)
    assert values(both) == [b"left", b"right"], both
    merged = put(b"both", context=both.context, consistency=Consistency.ALL, client_id=b"c" * 16)
    assert values(get()) == [b"both"]

    put(b"blind")  # no context: concurrent with all that is there
    assert values(get()) == [b"blind", b"both"]
    request = RemoveRequest(request_id=request_id(), key=key, context=merged.context)
    checked(kv.remove(request), request)
    assert values(get()) == [b"blind"], "only what the context had seen may go"
    request = RemoveRequest(request_id=request_id(), key=key, context=get().context)
    checked(kv.remove(request), request)
    assert values(get(r=3)) == []


def many_keys(kv, prefix):
    keys = [prefix + BYTES[200 + i : 202 + i] for i in range(20)]
    request = PutManyRequest(
        request_id=request_id(), items=[PutItem(key=key, value=b"of " + key) for key in keys]
    )
    request.items.append(PutItem(key=b"k" * 1025, value=b""))
    stored = checked(kv.put_many(request), request).results
    assert len(stored) == 21
    assert [item.response.key for item in stored[:20]] == keys and not stored[0].error
    assert stored[20].response is None and stored[20].error.code == ErrorCode.INVALID, stored[20]

    gone = PutItem(key=keys[3], remove=True, context=stored[3].response.context)
    request = PutManyRequest(request_id=request_id(), items=[gone])
    assert checked(kv.put_many(request), request).results[0].response.key == keys[3]
    request = GetManyRequest(request_id=request_id(), keys=keys + [b""], consistency=Consistency.ALL)
    found = checked(kv.get_many(request), request).results
    assert len(found) == 21 and found[20].error.code == ErrorCode.INVALID, found[20]
    for i, key in enumerate(keys):
        assert found[i].response.key == key
        assert values(found[i].response) == ([] if i == 3 else [b"of " + key])


def refusals(kv, key):
    error = refusal(kv.get, GetRequest(request_id=request_id(), key=key, keyspace="nowhere"))
    assert error.code == ErrorCode.INVALID and "nowhere" in error.message, error
    assert not error.retryable and not error.outcome_unknown, error
    error = refusal(kv.put, PutRequest(request_id=request_id(), key=key, value=b"", w=4))
    assert error.code == ErrorCode.INVALID and not error.outcome_unknown, error
    large = PutRequest(request_id=request_id(), key=key, value=bytes(2**20 + 1))
    assert refusal(kv.put, large).code == ErrorCode.INVALID
    assert refusal(kv.get_many, GetManyRequest(request_id=request_id(), keys=[])).key == b""

    largest = PutRequest(request_id=request_id(), key=key, value=secrets.token_bytes(2**20))
    checked(kv.put(largest), largest)
    request = GetRequest(request_id=request_id(), key=key)
    assert values(kv.get(request)) == [largest.value]


def more_than_a_frame(kv, prefix):
    """Half of it each way: what an answer cannot hold is refused item by item."""
    keys = [prefix + b"-large-%d" % i for i in range(20)]
    value = secrets.token_bytes(2**20)
    for half in (keys[:10], keys[10:]):
        items = [PutItem(key=key, value=value) for key in half]
        request = PutManyRequest(request_id=request_id(), items=items)
        assert all(item.response for item in checked(kv.put_many(request), request).results)
    request = GetManyRequest(request_id=request_id(), keys=keys)
    found = checked(kv.get_many(request), request).results
    held = [item.response for item in found if item.response]
    left_out = [item.error for item in found if item.error]
    assert 10 < len(held) < 15 and all(values(each) == [value] for each in held), len(held)
    assert all(
        each.code == ErrorCode.INVALID and "fewer keys" in each.message and each.key in keys
        for each in left_out
    ), left_out


def scenario(host, port, protocol):
    kv = connect(host, port, protocol)
    prefix = f"python-{protocol}-".encode() + secrets.token_bytes(8)
    greet(kv)
    one_key(kv, prefix)
    many_keys(kv, prefix)
    refusals(kv, prefix + b"-refused")
    if protocol == "binary":
        more_than_a_frame(kv, prefix)


def late(host, port, first, second):
    """A call that times out, and the next one on the same connection."""
    kv = connect(host, port, "binary", timeout_ms=300)
    kv.put(PutRequest(request_id=request_id(), key=first, value=b"late-a"))
    kv.put(PutRequest(request_id=request_id(), key=second, value=b"late-b"))
    say("ready")
    asked = request_id()
    try:
        kv.get(GetRequest(request_id=asked, key=first))
    except TTransportException as error:
        assert error.type == TTransportException.TIMED_OUT, error
        say("timed out")
    request = GetRequest(request_id=request_id(), key=second)
    answer = kv.get(request)
    if answer.request_id == asked and answer.key == first:
        say("the earlier answer")
    else:
        say(b"|".join(values(checked(answer, request))).decode())


def late_pool(host, port, first, second):
    """The same through the pool of the example."""
    from pool import Pool

    pool = Pool(host, port, size=1, timeout_s=0.3)
    pool.call("put", PutRequest(key=first, value=b"late-a"))
    pool.call("put", PutRequest(key=second, value=b"late-b"))
    say("ready")
    try:
        pool.call("get", GetRequest(key=first), attempts=1)
    except TTransportException as error:
        assert error.type == TTransportException.TIMED_OUT, error
        say("timed out")
    say(b"|".join(values(pool.call("get", GetRequest(key=second)))).decode())


def say(line):
    """Tells the test, and waits until it says to go on."""
    print(line, flush=True)
    sys.stdin.readline()


mode, host, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
if mode.startswith("late"):
    keys = [(name + sys.argv[4]).encode() for name in ("late-a-", "late-b-")]
    {"late": late, "late-pool": late_pool}[mode](host, port, *keys)
else:
    scenario(host, port, mode)
    print("passed")
