#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "engine/storage_engine.h"

namespace ringwright {

// Iterators for engines that have no cursor of their own to wrap.

// Never valid: nothing to see, or `status` says why.
std::unique_ptr<Iterator> make_empty_iterator(Status status);

// Over these rows in this order; at their end comes `status`.
std::unique_ptr<Iterator> make_rows_iterator(std::vector<std::pair<Bytes, Bytes>> rows,
                                             Status status = {});

}  // namespace ringwright
