"""python example.py HOST PORT"""

import sys

from pool import Pool
from ringwright_kv.ttypes import GetRequest, KVError, PutRequest, RemoveRequest

pool = Pool(sys.argv[1], int(sys.argv[2]))

# A context says what a put replaces; without one it is concurrent with all that is there.
pool.call("put", PutRequest(key=b"cart-python", value=b"eggs"))
pool.call("put", PutRequest(key=b"cart-python", value=b"milk"))
seen = pool.call("get", GetRequest(key=b"cart-python"))
values = sorted(sibling.value for sibling in seen.siblings)
print("siblings:", b" ".join(values).decode())

# Merge what concurrent writers left, and replace all that was read.
merged = PutRequest(key=b"cart-python", value=b", ".join(values), context=seen.context)
written = pool.call("put", merged)
print("merged:", pool.call("get", GetRequest(key=b"cart-python")).siblings[0].value.decode())

# The context of a put covers it, so that the same client can go on without reading again.
pool.call("remove", RemoveRequest(key=b"cart-python", context=written.context))
gone = pool.call("get", GetRequest(key=b"cart-python"))
print("deleted:", len(gone.siblings), "siblings")

try:
    pool.call("get", GetRequest(key=b"cart-python", keyspace="nowhere"))
except KVError as error:
    retryable, unknown = (("no", "yes")[flag] for flag in (error.retryable, error.outcome_unknown))
    print("refused:", error.message)
    print(f"worth another try: {retryable}, may have happened: {unknown}")
