#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "engine/plugin_loader.h"

namespace ringwright::durability {

// The engines with files of their own that are here.
inline std::vector<std::string> durable_engines() {
  std::vector<std::string> engines{"memory"};
  const std::vector<std::string> plugins = plugin_names(registry());
  for (const char* const name : {"rocksdb", "wiredtiger"})
    if (std::find(plugins.begin(), plugins.end(), name) != plugins.end()) engines.push_back(name);
  return engines;
}

inline std::string engine_test_name(const testing::TestParamInfo<std::string>& info) {
  return info.param;
}

}  // namespace ringwright::durability
