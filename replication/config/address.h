#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "engine/base/status.h"

namespace ringwright {

// Where something listens or is found.
struct SocketAddress {
  std::string host;        // a name or a number; of IPv6 without the brackets
  std::uint16_t port = 0;  // 0: the system chooses
  friend bool operator==(const SocketAddress&, const SocketAddress&) = default;
};

// "127.0.0.1:7480", "node1.lab:7480", "[::1]:7480". `invalid` says how one is written.
Result<SocketAddress> parse_address(std::string_view text);
// As `parse_address` reads it.
std::string format_address(const SocketAddress& address);

// Whether only this machine reaches what listens there: 127.*, ::1 and `localhost`. Other names are
// not looked up.
bool is_loopback_host(std::string_view host);

}  // namespace ringwright
