#include "engine/base/library_version.h"

namespace ringwright {

std::string_view library_version() { return RINGWRIGHT_VERSION; }

}  // namespace ringwright
