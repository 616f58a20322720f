"""A pool of connections to one node, over what the Thrift compiler generates: copy and change it."""

import itertools
import queue
import secrets
import time

from ringwright_kv import KV
from ringwright_kv.ttypes import KVError
from thrift.protocol.TBinaryProtocol import TBinaryProtocolAccelerated
from thrift.Thrift import TException
from thrift.transport.TSocket import TSocket
from thrift.transport.TTransport import TFramedTransport


class Connection:
    def __init__(self, host, port, timeout_s):
        socket = TSocket(host, port)
        socket.setTimeout(1000 * timeout_s)
        self.transport = TFramedTransport(socket)
        self.transport.open()
        self.client = KV.Client(TBinaryProtocolAccelerated(self.transport))

    def call(self, method, request):
        try:
            answer = getattr(self.client, method)(request)
        except KVError as refusal:
            answer = refusal
        asked = (request.request_id, getattr(request, "key", b""))
        if asked != (answer.request_id, getattr(answer, "key", b"")):
            raise TException("this is the answer of an earlier call")
        return answer


class Pool:
    """For any number of threads; each connection serves one of them at a time."""

    def __init__(self, host, port, size=8, timeout_s=2.0):  # above the requests' timeout_ms
        self._open = lambda: Connection(host, port, timeout_s)
        self._client_id = secrets.token_bytes(16)
        self._request_ids = itertools.count(1)
        self._idle = queue.LifoQueue()
        for _ in range(size):
            self._idle.put(None)  # opened when it is first needed

    def call(self, method, request, attempts=3):
        """Sends the request under an id of its own, and again under the same one if that helps."""
        request.request_id = next(self._request_ids)
        if hasattr(request, "client_id"):
            request.client_id = self._client_id  # a put that comes twice is stored once
        while True:
            attempts -= 1
            try:
                answer = self._call_once(method, request)
            except (TException, OSError):  # refused, cut, timed out, or not our answer
                if attempts == 0:
                    raise
                continue
            if not isinstance(answer, KVError):
                return answer
            if attempts == 0 or not (answer.retryable or answer.outcome_unknown):
                raise answer
            time.sleep(answer.retry_after_ms / 1000)

    def _call_once(self, method, request):
        connection = self._idle.get()
        try:
            connection = connection or self._open()
            return connection.call(method, request)
        except BaseException:
            # The answer may still come, and the next call would take it for its own.
            if connection:
                connection.transport.close()
            connection = None
            raise
        finally:
            self._idle.put(connection)
