#include "plugins/thrift/client_session.h"

#include <gtest/gtest.h>

#include <set>

#include "engine/base/limits.h"
#include "plugins/thrift/thrift_memory.h"
#include "tests/plugins/thrift/node_harness.h"
#include "thrift_generated/KV.h"

namespace ringwright::wire {
namespace {

// The machine alone: frames and replies in, frames and requests out.
class ClientSessionTest : public ::testing::Test {
 protected:
  ClientSessionTest() : map_(test_map()), facts_{map_, 0, "test"} {
    session_ = std::make_unique<ClientSession>(facts_, counters_);
  }

  bool take(ByteView frame) {
    return session_->take_frame(frame.substr(4), out_,
                                [&](Message message) { requests_.push_back(std::move(message)); });
  }
  ClientReply reply_to(std::size_t index) { return *answer_everything(requests_.at(index)); }
  void answer(std::size_t index) { session_->take_reply(reply_to(index), out_); }
  void answer(ClientReply reply) { session_->take_reply(std::move(reply), out_); }

  // The frames that came out since the last call.
  std::vector<Bytes> frames() {
    std::vector<Bytes> found;
    ByteView left = out_;
    while (left.size() >= 4) {
      const std::size_t size = binary::frame_size(left.data());
      EXPECT_LE(size, limits::frame_bytes_max);
      EXPECT_LE(size, left.size() - 4);
      if (size > left.size() - 4) break;
      found.emplace_back(left.substr(4, size));
      left.remove_prefix(4 + size);
    }
    out_.clear();
    return found;
  }
  std::vector<std::int64_t> answered() {
    std::vector<std::int64_t> ids;
    for (const Bytes& frame : frames()) {
      const auto reply = read_reply(frame, *map_->ring);
      ids.push_back(reply ? reply->body.request_id : -1);
    }
    return ids;
  }

  template <typename Arguments>
  static Bytes call_frame(const std::string& method, const Arguments& arguments) {
    Bytes out;
    const std::size_t frame = binary::begin_frame(out);
    BinaryProtocol<OutputMemory> to(std::make_shared<OutputMemory>(out));
    to.writeMessageBegin(method, apache::thrift::protocol::T_CALL, 3);
    arguments.write(&to);
    binary::end_frame(out, frame);
    return out;
  }
  template <typename ResultStruct>
  static ResultStruct result_of(ByteView frame) {
    ResultStruct result;
    BinaryProtocol<InputMemory> in(
        std::make_shared<InputMemory>(frame, memory_limits(frame.size() + 1)));
    std::string name;
    auto type = apache::thrift::protocol::T_CALL;
    std::int32_t sequence = 0;
    in.readMessageBegin(name, type, sequence);
    EXPECT_EQ(type, apache::thrift::protocol::T_REPLY);
    result.read(&in);
    return result;
  }
  static Bytes get_many_frame(std::size_t keys, std::int64_t request_id = 50) {
    idl::KV_get_many_args arguments;
    arguments.request.request_id = request_id;
    for (std::size_t i = 0; i < keys; ++i)
      arguments.request.keys.push_back("key" + std::to_string(i % 7));
    return call_frame("get_many", arguments);
  }
  static Bytes put_many_frame(std::size_t items, const Bytes& value) {
    idl::KV_put_many_args arguments;
    arguments.request.request_id = 60;
    for (std::size_t i = 0; i < items; ++i) {
      idl::PutItem item;
      item.key = "key" + std::to_string(i);
      item.value = value;
      arguments.request.items.push_back(item);
    }
    return call_frame("put_many", arguments);
  }

  std::shared_ptr<ClusterMap> map_;
  ServerFacts facts_;
  ClientCounters counters_;
  std::unique_ptr<ClientSession> session_;
  std::vector<Message> requests_;
  Bytes out_;
};

TEST_F(ClientSessionTest, AnswersLeaveInTheOrderOfTheCalls) {
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(take(get_frame("key", i + 1)));
  answer(2);
  answer(1);
  EXPECT_TRUE(answered().empty());
  answer(0);
  EXPECT_EQ(answered(), (std::vector<std::int64_t>{1, 2, 3}));
  EXPECT_EQ(session_->calls(), 0u);
  EXPECT_EQ(session_->bytes(), 0u);
}

TEST_F(ClientSessionTest, AnswersOvertakeOnceTheClientSaidSo) {
  ASSERT_TRUE(take(hello_frame(true)));
  EXPECT_EQ(frames().size(), 1u);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(take(get_frame("key", i + 1)));
  answer(2);
  EXPECT_EQ(answered(), (std::vector<std::int64_t>{3}));
  answer(0);
  answer(1);
  EXPECT_EQ(answered(), (std::vector<std::int64_t>{1, 2}));
  EXPECT_EQ(session_->bytes(), 0u);
}

// One slow request holds up nobody who asked not to be: what was answered is no longer under way.
TEST_F(ClientSessionTest, ASlowCallDoesNotFillTheConnectionOfAnUnorderedClient) {
  ASSERT_TRUE(take(hello_frame(true)));
  ASSERT_TRUE(take(put_frame("slow", Bytes(1000, 'x'), 1)));
  const std::size_t slow_bytes = session_->bytes();
  for (std::size_t i = 1; i < 20 * limits::connection_calls_max; ++i) {
    ASSERT_TRUE(take(get_frame("key", static_cast<std::int64_t>(i) + 1)));
    ASSERT_FALSE(session_->is_full(0)) << i;
    answer(i);
    ASSERT_EQ(session_->bytes(), slow_bytes);
    ASSERT_EQ(session_->calls(), 1u);
  }
  frames();
  answer(0);
  EXPECT_EQ(answered(), (std::vector<std::int64_t>{1}));
  EXPECT_EQ(session_->bytes(), 0u);
  EXPECT_EQ(session_->calls(), 0u);
}

TEST_F(ClientSessionTest, AnsweringTwiceOrForAnotherSessionChangesNothing) {
  ASSERT_TRUE(take(get_frame("a", 1)));
  ASSERT_TRUE(take(get_frame("b", 2)));
  answer(0);
  answer(0);
  EXPECT_EQ(answered(), (std::vector<std::int64_t>{1}));
  ClientReply stray = reply_to(1);
  stray.operation += OperationId{1} << 12;  // another one at its place
  answer(stray);
  stray.operation = reply_to(1).operation + 1;  // a call that has not come yet
  answer(stray);
  stray.operation = reply_to(1).operation | OperationId{1} << 56;
  answer(stray);
  EXPECT_TRUE(answered().empty());
  answer(1);
  answer(1);
  answer(0);
  EXPECT_EQ(answered(), (std::vector<std::int64_t>{2}));
}

// A shard takes a put whose name it has seen lately for one that the network repeated.
TEST_F(ClientSessionTest, NoTwoRequestsEverHaveOneName) {
  std::set<OperationId> names;
  constexpr std::size_t count = limits::request_window_count + 1000;
  for (std::size_t i = 0; i < count; ++i) {
    ASSERT_TRUE(take(get_frame("key", static_cast<std::int64_t>(i))));
    names.insert(std::get<GetRequest>(requests_.back()).operation);
    answer(0);
    requests_.clear();
    out_.clear();
  }
  EXPECT_EQ(names.size(), count);
}

TEST_F(ClientSessionTest, HelloInTheMiddleKeepsEveryAnswer) {
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(take(get_frame("key", i + 1)));
  answer(1);
  ASSERT_TRUE(take(hello_frame(true)));
  answer(2);
  answer(0);
  ASSERT_TRUE(take(hello_frame(false)));
  ASSERT_TRUE(take(get_frame("key", 4)));
  ASSERT_TRUE(take(get_frame("key", 5)));
  answer(4);
  answer(3);
  const auto ids = answered();
  EXPECT_EQ(ids.size(), 7u);
  for (std::int64_t id = 1; id <= 5; ++id) EXPECT_EQ(std::count(ids.begin(), ids.end(), id), 1);
  EXPECT_EQ(session_->calls(), 0u);
  EXPECT_EQ(session_->bytes(), 0u);
}

TEST_F(ClientSessionTest, BatchesHaveOneToTheBoundOfItems) {
  for (const std::size_t items : {std::size_t{0}, limits::batch_keys_max + 1, std::size_t{4096}}) {
    ASSERT_TRUE(take(get_many_frame(items)));
    const auto out = frames();
    ASSERT_EQ(out.size(), 1u);
    const auto result = result_of<idl::KV_get_many_result>(out[0]);
    ASSERT_TRUE(result.__isset.error) << items;
    EXPECT_EQ(result.error.code, idl::ErrorCode::INVALID);
    EXPECT_EQ(result.error.request_id, 50);
    EXPECT_NE(result.error.message.find("1024"), std::string::npos);
  }
  EXPECT_TRUE(requests_.empty());
  // Beyond what any list may hold it is malformed, and the connection goes on.
  ASSERT_TRUE(take(get_many_frame(4097)));
  EXPECT_EQ(frames().size(), 1u);
  ASSERT_TRUE(take(get_many_frame(limits::batch_keys_max)));
  ASSERT_EQ(requests_.size(), limits::batch_keys_max);
  EXPECT_TRUE(session_->is_full(0));
  for (std::size_t i = requests_.size(); i-- > 0;) answer(i);
  const auto out = frames();
  ASSERT_EQ(out.size(), 1u);
  const auto result = result_of<idl::KV_get_many_result>(out[0]);
  ASSERT_EQ(result.success.results.size(), limits::batch_keys_max);
  // Keys that occur twice are answered twice, each in its place.
  for (std::size_t i = 0; i < limits::batch_keys_max; ++i)
    EXPECT_EQ(result.success.results[i].response.key, "key" + std::to_string(i % 7));
  EXPECT_EQ(session_->calls(), 0u);
  EXPECT_EQ(session_->bytes(), 0u);
}

TEST_F(ClientSessionTest, BatchesAnswerInPlaceAmongOthers) {
  ASSERT_TRUE(take(get_frame("a", 1)));
  ASSERT_TRUE(take(get_many_frame(3)));
  ASSERT_TRUE(take(get_frame("b", 2)));
  for (const std::size_t i : {4u, 2u, 1u, 3u}) answer(i);
  EXPECT_TRUE(frames().empty());
  answer(0);
  EXPECT_EQ(frames().size(), 3u);
  EXPECT_EQ(session_->bytes(), 0u);
}

// What else is under way on the connection is no part of a batch's answer.
TEST_F(ClientSessionTest, ABatchIsNotRefusedForWhatOthersTake) {
  const Bytes value(1024 * 1024, 'v');
  for (int i = 0; i < 16; ++i) ASSERT_TRUE(take(put_frame("big", value, i + 1)));
  ASSERT_TRUE(take(get_many_frame(2)));
  answer(16);
  answer(17);
  for (std::size_t i = 0; i < 16; ++i) answer(i);
  const auto out = frames();
  ASSERT_EQ(out.size(), 17u);
  const auto result = result_of<idl::KV_get_many_result>(out[16]);
  ASSERT_EQ(result.success.results.size(), 2u);
  EXPECT_TRUE(result.success.results[0].__isset.response)
      << result.success.results[0].error.message;
}

// A put that happened is never said to have failed, however large the batch was.
TEST_F(ClientSessionTest, APutOfALargeBatchIsNotSaidToHaveFailed) {
  ASSERT_TRUE(take(put_many_frame(14, Bytes(1024 * 1024, 'v'))));
  for (std::size_t i = 14; i-- > 0;) {
    ClientReply reply = reply_to(i);
    reply.context = Bytes(100'000, 'c');
    answer(reply);
  }
  const auto out = frames();
  ASSERT_EQ(out.size(), 1u);
  const auto result = result_of<idl::KV_put_many_result>(out[0]);
  ASSERT_EQ(result.success.results.size(), 14u);
  for (const auto& item : result.success.results)
    EXPECT_TRUE(item.__isset.response) << item.error.message;
}

// Contexts that no frame holds together are left out; the puts have happened all the same.
TEST_F(ClientSessionTest, PutsWhoseContextsFillAFrameStillSucceed) {
  ASSERT_TRUE(take(put_many_frame(limits::batch_keys_max, "v")));
  for (std::size_t i = 0; i < limits::batch_keys_max; ++i) {
    ClientReply reply = reply_to(i);
    reply.context = Bytes(40'000, 'c');
    answer(reply);
  }
  const auto out = frames();
  ASSERT_EQ(out.size(), 1u);
  const auto result = result_of<idl::KV_put_many_result>(out[0]);
  ASSERT_EQ(result.success.results.size(), limits::batch_keys_max);
  std::size_t without = 0;
  for (const auto& item : result.success.results) {
    ASSERT_TRUE(item.__isset.response) << item.error.message;
    without += item.response.context.empty() ? 1 : 0;
  }
  EXPECT_GT(without, 0u);
  EXPECT_LT(without, limits::batch_keys_max);
}

TEST_F(ClientSessionTest, AnswersLargerThanAFrameAreErrors) {
  ASSERT_TRUE(take(get_many_frame(limits::batch_keys_max)));
  for (std::size_t i = 0; i < limits::batch_keys_max; ++i) {
    ClientReply reply = reply_to(i);
    reply.siblings[0].value = Bytes(100'000, 'v');
    answer(reply);
  }
  auto out = frames();  // checks the frame's size
  ASSERT_EQ(out.size(), 1u);
  const auto result = result_of<idl::KV_get_many_result>(out[0]);
  ASSERT_EQ(result.success.results.size(), limits::batch_keys_max);
  std::size_t errors = 0;
  for (const auto& item : result.success.results) {
    EXPECT_NE(item.__isset.response, item.__isset.error);
    errors += item.__isset.error ? 1 : 0;
    if (item.__isset.error) {
      EXPECT_EQ(item.error.code, idl::ErrorCode::INVALID);
    }
  }
  EXPECT_GT(errors, 0u);
  EXPECT_LT(errors, limits::batch_keys_max);

  requests_.clear();
  ASSERT_TRUE(take(get_frame("key", 7)));
  ClientReply reply = reply_to(0);
  for (int i = 0; i < 16; ++i) {
    reply.siblings.push_back(reply.siblings[0]);
    reply.siblings.back().value = Bytes(1024 * 1024, 'v');
  }
  answer(reply);
  out = frames();
  ASSERT_EQ(out.size(), 1u);
  const auto single = read_reply(out[0], *map_->ring);
  ASSERT_TRUE(single.has_value());
  EXPECT_EQ(single->body.reply.outcome, Outcome::failed);
  EXPECT_EQ(single->body.request_id, 7);
}

// The key that an error echoes is the client's, and as large as its frame allowed.
TEST_F(ClientSessionTest, AnErrorAboutAHugeKeyFitsAFrame) {
  const Bytes key(limits::frame_bytes_max - 100, 'k');
  GetRequest request;
  request.keyspace = "default";
  request.key = key;
  request.timeout = milliseconds(5);
  Bytes frame;
  fast::write_get_call(frame, 0, 9, request);
  ASSERT_LE(frame.size() - 4, limits::frame_bytes_max);
  ASSERT_TRUE(take(frame));
  ClientReply reply;
  reply.operation = std::get<GetRequest>(requests_.at(0)).operation;
  reply.outcome = Outcome::failed;
  reply.code = Code::invalid;
  reply.key = key;
  reply.message = Bytes(200, 'm');
  answer(reply);
  auto out = frames();
  ASSERT_EQ(out.size(), 1u);
  EXPECT_EQ(read_reply(out[0], *map_->ring)->body.request_id, 9);

  // And one that is refused at once.
  idl::KV_get_args arguments;
  arguments.request.request_id = 10;
  arguments.request.__set_key(key);
  arguments.request.__set_r(-1);
  frame = call_frame("get", arguments);
  ASSERT_LE(frame.size() - 4, limits::frame_bytes_max);
  ASSERT_TRUE(take(frame));
  out = frames();
  ASSERT_EQ(out.size(), 1u);
  EXPECT_EQ(read_reply(out[0], *map_->ring)->body.request_id, 10);
}

TEST_F(ClientSessionTest, AMethodNameAsLargeAsAFrameIsNotEchoedWhole) {
  Bytes body;
  binary::put_message_head(body, binary::MessageType::call,
                           Bytes(limits::frame_bytes_max - 13, '\x01'), 4);
  binary::put_stop(body);
  ASSERT_TRUE(take(framed(body)));
  const auto out = frames();
  ASSERT_EQ(out.size(), 1u);
  EXPECT_LT(out[0].size(), 4096u);
  EXPECT_EQ(read_reply(out[0], *map_->ring)->type, binary::MessageType::exception);
  EXPECT_EQ(read_reply(out[0], *map_->ring)->sequence, 4u);
}

TEST_F(ClientSessionTest, NeverMeansMoreThanItIsTold) {
  // Not even Thrift: the connection ends.
  EXPECT_FALSE(take(framed("GET / HTTP/1.1\r\n\r\n")));
  EXPECT_FALSE(take(framed(Bytes(1, '\x80'))));
  EXPECT_FALSE(take(framed(Bytes(1, '\x82'))));
  for (const auto type : {binary::MessageType::reply, binary::MessageType::exception,
                          binary::MessageType::oneway, static_cast<binary::MessageType>(9)}) {
    Bytes body;
    binary::put_message_head(body, type, "get", 1);
    binary::put_stop(body);
    EXPECT_FALSE(take(framed(body))) << static_cast<int>(type);
  }
  EXPECT_TRUE(frames().empty());
  EXPECT_TRUE(requests_.empty());
  EXPECT_EQ(session_->calls(), 0u);
}

TEST_F(ClientSessionTest, ANewerClientGetsTheLevelThatBothUnderstand) {
  ASSERT_TRUE(take(hello_frame(true, 1, 1000)));
  auto out = frames();
  ASSERT_EQ(out.size(), 1u);
  const auto answer_to_newer = generated::decode_hello_reply(out[0]);
  ASSERT_TRUE(answer_to_newer.has_value());
  EXPECT_EQ(answer_to_newer->level, protocol_level);
  ASSERT_TRUE(take(hello_frame(true, protocol_level + 1, 1000)));
  out = frames();
  ASSERT_EQ(out.size(), 1u);
  const auto refusal = generated::decode_hello_reply(out[0]);
  ASSERT_FALSE(refusal.has_value());
  EXPECT_EQ(refusal.error().code(), Code::mismatch);
  EXPECT_NE(refusal.error().message().find("protocol level 1"), std::string::npos);
}

}  // namespace
}  // namespace ringwright::wire
