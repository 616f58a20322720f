#include <gtest/gtest.h>

#include <string>
#include <variant>

#include "plugins/thrift/generated_codec.h"

namespace ringwright::wire {
namespace {

// hello({1, 1, "a longer name"}), as a client's library writes it: the name is longer than all that
// comes behind it.
std::string compact_hello(const std::string& name) {
  return std::string("\x82\x21\x00\x05hello\x1c\x15\x02\x15\x02\x18", 15) +
         static_cast<char>(name.size()) + name + std::string(2, '\0');
}

TEST(CompactProtocol, AStringMayBeTheLastThatAFrameHolds) {
  const std::string name = "a longer name";
  const std::string frame = compact_hello(name);
  Protocol protocol = Protocol::binary;
  ASSERT_TRUE(generated::sniff(frame, protocol));
  ASSERT_EQ(protocol, Protocol::compact);
  const auto call = generated::decode_call(frame, protocol);
  ASSERT_TRUE(call) << call.error().message();
  ASSERT_EQ(call->method, Method::hello);
  EXPECT_EQ(std::get<HelloCall>(call->call).name, name);
}

TEST(CompactProtocol, ALengthBeyondTheFrameIsRefused) {
  std::string frame = compact_hello("a longer name");
  frame[15] = 'x';  // 120 bytes
  EXPECT_FALSE(generated::decode_call(frame, Protocol::compact));
}

}  // namespace
}  // namespace ringwright::wire
