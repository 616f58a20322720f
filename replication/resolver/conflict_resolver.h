#pragma once

#include <string_view>
#include <vector>

#include "replication/transport/message.h"
#include "replication/version/record.h"

namespace ringwright {

class Registry;

// Reduces what a reader sees. It stands above merging: it runs in a coordinator after a quorum read
// or in a client, within the request's deadline, never in a replica's write, a merge or a
// compaction; what it makes is stored only when somebody puts it with that read's context.
// Laws: pure; the order of the siblings does not matter; resolving a result again changes nothing.
class ConflictResolver {
 public:
  static constexpr std::string_view kind = "resolver";
  virtual ~ConflictResolver() = default;
  virtual std::string_view name() const = 0;
  // The record kind that a keyspace with this resolver has.
  virtual RecordKind record_kind() const = 0;
  // `siblings` are live values, at least two. A subset of them, or new values.
  virtual std::vector<ShownSibling> resolve(ByteView key,
                                            std::vector<ShownSibling> siblings) const = 0;
};

// `vector_clock`: keeps concurrent values as siblings. `lww`: the record keeps only the last.
void register_builtin_resolvers(Registry& registry);

}  // namespace ringwright
