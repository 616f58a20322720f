#include "lagging_factory.h"

#include <engine/option_reader.h>
#include <engine/registry.h>

#include <algorithm>
#include <utility>

namespace lagging {
namespace {

using rw::Code;
using rw::Status;

// "a=1,b=2"
rw::Result<rw::EngineOptions> split(std::string_view text) {
  rw::EngineOptions options;
  while (!text.empty()) {
    const std::string_view option = text.substr(0, text.find(','));
    text.remove_prefix(std::min(text.size(), option.size() + 1));
    const auto equals = option.find('=');
    if (equals == option.npos)
      return Status{Code::invalid, "'" + std::string(option) + "' is not of the form option=value"};
    options.insert_or_assign(std::string(option.substr(0, equals)),
                             std::string(option.substr(equals + 1)));
  }
  return options;
}

class LaggingPort final : public rw::NodePort {
 public:
  LaggingPort(std::unique_ptr<rw::NodePort> inner, const Lag& lag)
      : inner_(std::move(inner)), lag_(lag) {}

  rw::MemberAddress address() const override { return inner_->address(); }

  rw::Result<Opened> open(const Options& options) override {
    auto opened = inner_->open(options);
    if (!opened) return opened;
    std::size_t shard = 0;
    for (auto& transport : opened->transports) {
      const std::string name =
          "member " + std::to_string(options.member) + " shard " + std::to_string(shard++);
      transport =
          std::make_unique<LaggingTransport>(std::move(transport), lag_, name, options.clock);
    }
    return opened;
  }

 private:
  const std::unique_ptr<rw::NodePort> inner_;
  const Lag lag_;
};

}  // namespace

LaggingFactory::LaggingFactory(std::string_view options) {
  const Status read_status = read(options);
  if (!read_status.is_ok())
    status_ = {read_status.code(), std::string(options_variable) + ": " + read_status.message()};
}

Status LaggingFactory::read(std::string_view options) {
  const auto given = split(options);
  if (!given) return given.error();
  std::string around = "loopback";
  rw::OptionReader reader("the transport 'lagging'", *given);
  reader.read_duration("latency", lag_.latency, lag_max);
  reader.read_duration("jitter", lag_.jitter, lag_max);
  reader.read("seed", lag_.seed);
  if (const std::string* const name = reader.text("around")) around = *name;
  RW_TRY(reader.finish());
  if (!given->contains("latency"))
    return {Code::invalid, "say how late envelopes are, such as latency=20ms"};
  if (around == "lagging")
    return {Code::invalid, "the transport 'lagging' cannot stand around itself"};
  auto inner = rw::registry().create_unique<rw::TransportFactory>(around);
  if (!inner) return inner.error();
  inner_ = std::move(*inner);
  return rw::ok_status();
}

rw::Result<std::unique_ptr<rw::NodePort>> LaggingFactory::bind(const rw::MemberAddress& wanted) {
  RW_TRY(status_);
  auto port = inner_->bind(wanted);
  if (!port) return port;
  return std::unique_ptr<rw::NodePort>(std::make_unique<LaggingPort>(std::move(*port), lag_));
}

rw::Result<rw::ClientPort> LaggingFactory::open_client(const ClientOptions& options) {
  RW_TRY(status_);
  auto port = inner_->open_client(options);
  if (!port) return port;
  port->transport = std::make_unique<LaggingTransport>(
      std::move(port->transport), lag_, "client " + std::to_string(port->endpoint), options.clock);
  return port;
}

}  // namespace lagging
