#include "replication/runtime/data_directory.h"

#include <gtest/gtest.h>

#include "replication/runtime/parts.h"
#include "replication/runtime/temporary_directory.h"

namespace ringwright {
namespace {

Manifest example() {
  Manifest manifest;
  manifest.node = {0x0123456789abcdef, 0xfedcba9876543210};
  manifest.cluster = "lab";
  manifest.keyspaces = {{"carts", "faulty(memory)", "lww", "key-1"},
                        {"default", "memory", "siblings", "key-1"}};
  return manifest;
}

TEST(ManifestTest, TheTextIsTheFormat) {
  const Bytes text = encode_manifest(example());
  EXPECT_EQ(text.substr(0, text.rfind("checksum ")),
            "ringwright-data 1\n"
            "node 01234567-89ab-cdef-fedc-ba9876543210\n"
            "cluster lab\n"
            "partitioner hash\n"
            "keyspace carts faulty(memory) lww key-1\n"
            "keyspace default memory siblings key-1\n");
  EXPECT_EQ(*decode_manifest(text, "MANIFEST"), example());
}

TEST(ManifestTest, EveryChangedByteAndEveryCutIsNoticed) {
  const Bytes text = encode_manifest(example());
  for (std::size_t i = 0; i < text.size(); ++i) {
    Bytes changed = text;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    EXPECT_FALSE(decode_manifest(changed, "MANIFEST").has_value()) << i;
    EXPECT_FALSE(decode_manifest(text.substr(0, i), "MANIFEST").has_value()) << i;
  }
}

TEST(ManifestTest, ANewerFormatIsAMismatch) {
  const auto refused = decode_manifest("ringwright-data 2\nsomething new\n", "MANIFEST");
  EXPECT_EQ(refused.status().code(), Code::mismatch);
}

class DataDirectoryTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::move(*TemporaryDirectory::make("ringwright-test-"));
    wanted_.cluster = "lab";
    auto keyspace = std::make_shared<Keyspace>();
    keyspace->resolver = *registry_with_parts().create<ConflictResolver>("vector_clock");
    wanted_.keyspaces = {keyspace};
  }
  Result<DataDirectory> open() {
    return DataDirectory::open(make_posix_disk(folder_->path() + "/node1"), wanted_, random_);
  }

  std::unique_ptr<TemporaryDirectory> folder_;
  DataDirectory::Wanted wanted_;
  SystemRandom random_;
};

TEST_F(DataDirectoryTest, TheNodeKeepsItsId) {
  const NodeId id = open()->node();
  EXPECT_EQ(open()->node(), id);
  wanted_.node = id;
  EXPECT_TRUE(open().has_value());
  wanted_.node = NodeId{1, 2};
  EXPECT_EQ(open().status().code(), Code::mismatch);
}

TEST_F(DataDirectoryTest, AnEmptyDirectoryBecomesThatOfAGivenNodeOnlyOnRequest) {
  wanted_.node = NodeId{1, 2};
  EXPECT_EQ(open().status().code(), Code::mismatch);
  wanted_.may_create = true;
  EXPECT_EQ(open()->node(), (NodeId{1, 2}));
  EXPECT_EQ(open()->node(), (NodeId{1, 2}));
  wanted_.node = NodeId{1, 3};
  const Status refused = open().status();
  EXPECT_EQ(refused.code(), Code::mismatch);
  EXPECT_NE(refused.message().find("node.id"), std::string::npos) << refused.message();
}

TEST_F(DataDirectoryTest, OneHolderAtATime) {
  const auto first = open();
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(open().status().code(), Code::locked);
}

TEST_F(DataDirectoryTest, AForeignDirectoryIsLeftAlone) {
  const auto disk = make_posix_disk(folder_->path() + "/node1");
  ASSERT_TRUE(disk->make_directories("").is_ok());
  ASSERT_TRUE(disk->replace("photo.jpg", "x").is_ok());
  EXPECT_EQ(open().status().code(), Code::mismatch);
  EXPECT_FALSE(*disk->exists("MANIFEST"));
}

}  // namespace
}  // namespace ringwright
