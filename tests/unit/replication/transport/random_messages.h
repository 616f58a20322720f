#pragma once

#include "engine/base/random.h"
#include "replication/transport/message.h"

namespace ringwright {

// Arbitrary bytes, mostly short, at most `bytes_max`.
inline Bytes random_bytes(Random& random, std::size_t bytes_max) {
  Bytes bytes(random.below(random.chance(0.2) ? bytes_max + 1 : bytes_max / 8 + 1), '\0');
  for (char& byte : bytes) byte = static_cast<char>(random.next());
  return bytes;
}

// Of every magnitude: small numbers and the largest are as likely as those between.
inline std::uint64_t random_number(Random& random) { return random.next() >> random.below(64); }
inline std::uint32_t random_number32(Random& random) {
  return static_cast<std::uint32_t>(random.next() >> (32 + random.below(32)));
}

inline Level random_level(Random& random) {
  return {static_cast<std::uint8_t>(random.below(Level::all + 1))};
}
inline Code random_code(Random& random) {
  return static_cast<Code>(random.below(static_cast<std::uint64_t>(Code::mismatch) + 1));
}
inline RequestId random_request(Random& random) {
  return {random.next(), random.next(), random_number(random)};
}
inline Dot random_dot(Random& random) {
  return {{{random.next(), random.next()}, random.next(), random_number(random)},
          random_number(random)};
}

inline PutRequest random_put(Random& random, std::size_t bytes_max) {
  PutRequest put;
  put.operation = random.next();
  put.keyspace = random_bytes(random, 20);
  put.key = random_bytes(random, 40);
  put.value = random_bytes(random, bytes_max);
  put.tombstone = random.chance(0.5);
  put.forwarded = random.chance(0.5);
  put.context = random_bytes(random, bytes_max);
  put.w = random_level(random);
  put.ttl_us = random_number(random);
  put.request = random_request(random);
  put.timeout = static_cast<Nanoseconds>(random.next());
  return put;
}

inline ClientReply random_client_reply(Random& random, std::size_t bytes_max) {
  ClientReply reply;
  reply.operation = random.next();
  reply.outcome = static_cast<Outcome>(random.below(3));
  reply.code = random_code(random);
  reply.message = random_bytes(random, 60);
  reply.required = random_number32(random);
  reply.received = random_number32(random);
  reply.coordinator = {random.next(), random.next()};
  reply.key = random_bytes(random, 40);
  reply.request = random_request(random);
  const std::size_t siblings = random.below(5);
  for (std::size_t i = 0; i < siblings; ++i)
    reply.siblings.push_back({random_bytes(random, bytes_max), random_dot(random), random.next()});
  reply.context = random_bytes(random, bytes_max);
  reply.dot = random_dot(random);
  return reply;
}

inline Fragment random_fragment(Random& random, std::size_t bytes_max) {
  return {
      random.next(),      random.next(), random_number32(random),        random_number32(random),
      random.chance(0.5), random.next(), random_bytes(random, bytes_max)};
}

inline ReplicaWrite random_replica_write(Random& random, std::size_t bytes_max) {
  return {random.next(),
          random_bytes(random, 20),
          random_bytes(random, 40),
          random.chance(0.5) ? RowKind::data : RowKind::fallback,
          static_cast<WritePurpose>(random.below(4)),
          random_bytes(random, bytes_max)};
}

// Of the type with this number.
inline Message random_message(Random& random, std::size_t type, std::size_t bytes_max) {
  switch (type) {
    case 0:
      return GetRequest{random.next(), random_bytes(random, 20), random_bytes(random, 40),
                        random_level(random), static_cast<Nanoseconds>(random.next())};
    case 1:
      return random_put(random, bytes_max);
    case 2:
      return random_client_reply(random, bytes_max);
    case 3:
      return ReplicaRead{random.next(), random_bytes(random, 20), random_bytes(random, 40)};
    case 4:
      return ReplicaReadReply{random.next(), random_code(random), random_bytes(random, 60),
                              random_bytes(random, bytes_max)};
    case 5:
      return random_replica_write(random, bytes_max);
    case 6:
      return ReplicaWriteReply{random.next(), random_code(random), random_bytes(random, 60)};
    case 7:
      return Ping{};
    case 8:
      return Pong{};
    case 10: {
      ReplicaWriteAcks acks;
      acks.operations.resize(random.below(20));
      for (OperationId& operation : acks.operations) operation = random.next();
      return acks;
    }
    default:
      return random_fragment(random, bytes_max);
  }
}

}  // namespace ringwright
