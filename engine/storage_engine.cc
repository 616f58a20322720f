#include "engine/storage_engine.h"

namespace ringwright {

std::string_view durability_name(Durability durability) {
  switch (durability) {
    case Durability::none:
      return "none";
    case Durability::os:
      return "os";
    case Durability::disk:
      return "disk";
  }
  return "none";
}

Result<Durability> parse_durability(std::string_view name) {
  for (const Durability each : {Durability::none, Durability::os, Durability::disk})
    if (name == durability_name(each)) return each;
  return Status{Code::invalid, "durability '" + std::string(name) + "' is not none, os or disk"};
}

}  // namespace ringwright
