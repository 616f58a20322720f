#include <charconv>
#include <deque>
#include <optional>

#include "bench/wire/client_codec.h"

namespace ringwright::bench {
namespace {

// One answer of the protocol RESP2, of the kinds that SET, GET and WAIT give.
struct Answer {
  char type = 0;  // '+' text, '-' error, ':' number, '$' bytes
  ByteView text;  // of '$' the bytes
  bool absent = false;
  std::size_t size = 0;  // all of it
};

// Nothing when `in` ends within the answer.
Result<std::optional<Answer>> take_answer(ByteView in) {
  const std::size_t line = in.find("\r\n");
  if (line == in.npos) return std::optional<Answer>{};
  Answer answer;
  answer.type = in[0];
  answer.text = in.substr(1, line - 1);
  answer.size = line + 2;
  if (answer.type == '+' || answer.type == '-' || answer.type == ':')
    return std::optional<Answer>{answer};
  long length = 0;
  const auto parsed =
      std::from_chars(answer.text.data(), answer.text.data() + answer.text.size(), length);
  if (answer.type != '$' || parsed.ec != std::errc{})
    return Status(Code::invalid, "what the server sent is not the protocol of Redis");
  if (length < 0) {
    answer.absent = true;
    answer.text = {};
    return std::optional<Answer>{answer};
  }
  const auto bytes = static_cast<std::size_t>(length);
  if (in.size() < answer.size + bytes + 2) return std::optional<Answer>{};
  answer.text = in.substr(answer.size, bytes);
  answer.size += bytes + 2;
  return std::optional<Answer>{answer};
}

void add_part(Bytes& out, ByteView part) {
  out += '$';
  out += std::to_string(part.size());
  out += "\r\n";
  out += part;
  out += "\r\n";
}

class RedisCodec final : public ClientCodec {
 public:
  explicit RedisCodec(RedisCodecOptions options) : options_(options) {}

  void begin(Bytes&) override {}

  void put(const Request& request, Bytes& out) override {
    out += "*3\r\n$3\r\nSET\r\n";
    add_part(out, request.key);
    add_part(out, request.value);
    outstanding_.push_back({Kind::set, request.slot});
    burst_has_puts_ = true;
  }

  void get(const Request& request, Bytes& out) override {
    out += "*2\r\n$3\r\nGET\r\n";
    add_part(out, request.key);
    outstanding_.push_back({Kind::get, request.slot});
  }

  // One WAIT covers all SETs of the connection before it.
  void end_burst(Bytes& out) override {
    if (!burst_has_puts_ || options_.wait_replicas == 0) return;
    burst_has_puts_ = false;
    out += "*3\r\n$4\r\nWAIT\r\n";
    add_part(out, std::to_string(options_.wait_replicas));
    add_part(out, std::to_string(wait_ms));
    outstanding_.push_back({Kind::wait, 0});
  }

  Result<std::size_t> decode(ByteView in, std::vector<Reply>& replies) override {
    std::size_t taken = 0;
    while (taken < in.size()) {
      const auto answer = take_answer(in.substr(taken));
      if (!answer) return answer.error();
      if (!answer->has_value()) break;
      if (outstanding_.empty()) return Status(Code::invalid, "an answer to no request");
      const Outstanding request = outstanding_.front();
      outstanding_.pop_front();
      taken += (*answer)->size;
      settle(request, **answer, replies);
    }
    return taken;
  }

 private:
  enum class Kind { set, get, wait };
  struct Outstanding {
    Kind kind;
    std::uint32_t slot;
  };
  static constexpr int wait_ms = 1000;

  static std::string error_of(const Answer& answer) {
    if (answer.type != '-') return {};
    return std::string(answer.text.substr(0, answer.text.find(' ')));
  }

  void settle(const Outstanding& request, const Answer& answer, std::vector<Reply>& replies) {
    if (request.kind == Kind::wait) {
      long replicas = 0;
      std::from_chars(answer.text.data(), answer.text.data() + answer.text.size(), replicas);
      for (Reply& reply : unconfirmed_) {
        if (reply.error.empty() && replicas < options_.wait_replicas) reply.error = "WAIT";
        replies.push_back(std::move(reply));
      }
      unconfirmed_.clear();
      return;
    }
    Reply reply;
    reply.slot = request.slot;
    reply.error = error_of(answer);
    if (!reply.error.empty()) reply.error_message = answer.text;
    if (request.kind == Kind::set) {
      reply.operation = Operation::put;
      if (options_.wait_replicas > 0)
        unconfirmed_.push_back(std::move(reply));
      else
        replies.push_back(std::move(reply));
      return;
    }
    reply.operation = Operation::get;
    reply.values = answer.absent || !reply.error.empty() ? 0 : 1;
    reply.value = answer.text;
    replies.push_back(std::move(reply));
  }

  const RedisCodecOptions options_;
  bool burst_has_puts_ = false;
  std::deque<Outstanding> outstanding_;
  std::vector<Reply> unconfirmed_;  // SETs that were answered and whose WAIT was not
};

}  // namespace

std::unique_ptr<ClientCodec> make_redis_codec(RedisCodecOptions options) {
  return std::make_unique<RedisCodec>(options);
}

}  // namespace ringwright::bench
