#include <gtest/gtest.h>
#include <rocksdb/version.h>

#include <algorithm>
#include <fstream>
#include <iterator>

#include "engine/engine_remarks.h"
#include "engine/engine_stack.h"
#include "engine/registry.h"
#include "plugins/rocksdb/library_remarks.h"

namespace ringwright {
namespace {

std::string loaded_library() {
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);)
    if (const auto at = line.find('/'); at != line.npos && line.find("librocksdb") != line.npos)
      return line.substr(at);
  return {};
}

bool any_says(const std::vector<std::string>& remarks, std::string_view part) {
  return std::any_of(remarks.begin(), remarks.end(),
                     [&](const std::string& remark) { return remark.find(part) != remark.npos; });
}

// By another way than the code: what the file has in it, whatever build of RocksDB this machine
// has.
TEST(RocksdbLibraryRemarks, agree_with_the_bytes_of_the_library) {
  const std::string path = loaded_library();
  ASSERT_FALSE(path.empty());
  std::ifstream file(path, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(file)), {});
  const auto remarks = rocksdb_library_remarks();
  EXPECT_EQ(any_says(remarks, "assertions"), bytes.find("DBImpl::WriteImpl:") != bytes.npos)
      << "a test hook's name is in the file only where the hooks are";
  EXPECT_FALSE(any_says(remarks, "compiled for"));
  EXPECT_FALSE(any_says(remarks, "does not show"));
  for (const std::string& remark : remarks)
    EXPECT_TRUE(remark.starts_with("RocksDB " + rocksdb::GetRocksVersionAsString() + " (/"))
        << remark;
}

TEST(RocksdbLibraryRemarks, say_what_cannot_be_told) {
  EXPECT_TRUE(any_says(remarks_on_rocksdb("/nowhere/librocksdb.so", "7.8.3"), "does not show"));
  EXPECT_TRUE(any_says(remarks_on_rocksdb(loaded_library(), "1.2.3"), "compiled for"));
}

TEST(RocksdbLibraryRemarks, are_known_to_whoever_compares_engines) {
  ASSERT_TRUE(make_engine_stack(registry(), "faulty(rocksdb)"));
  const auto told = rocksdb_library_remarks();
  EXPECT_EQ(registry().remarks("engine", "rocksdb"), told);
  const auto of_stack = engine_remarks(registry(), "faulty( rocksdb )");
  ASSERT_EQ(of_stack.size(), told.size());
  for (std::size_t i = 0; i < told.size(); ++i) EXPECT_EQ(of_stack[i], "rocksdb: " + told[i]);
  EXPECT_TRUE(engine_remarks(registry(), "memory").empty());
  EXPECT_TRUE(engine_remarks(registry(), "").empty());
}

}  // namespace
}  // namespace ringwright
