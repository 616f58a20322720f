/**
 * How the nodes of one cluster speak to each other: framed, strict binary. A connection carries the
 * messages of one node to another, after a `hello` in which both show who they are.
 */
namespace cpp ringwright.idl

struct KeyspaceDigest {
  1: string name,
  2: i64 digest                    // of the settings that all members must share
}

struct PeerIdentity {
  1: i32 protocol_min,
  2: i32 protocol_max,
  3: i32 record_format_min,        // of the records that it can read
  4: i32 record_format_max,
  5: string cluster,
  6: binary node,                  // 16 bytes: who it is
  7: i64 ring_epoch,
  8: i64 ring_hash,
  9: list<KeyspaceDigest> keyspaces
}

struct PeerHello {
  1: PeerIdentity caller,
  2: binary target                 // 16 bytes: whom the caller means to reach
}

struct PeerWelcome {
  1: PeerIdentity server,
  2: i32 protocol
}

exception PeerRefused {
  1: string reason,                // "cluster", "ring", "keyspace", "protocol", "record format", "node"
  2: string message
}

service Peer {
  PeerWelcome hello(1: PeerHello hello) throws (1: PeerRefused refused),
  /** A checksum, then messages of the codec `native`, each behind its length (u32, little-endian;
   *  docs/formats.md). */
  oneway void deliver(1: binary batch)
}
