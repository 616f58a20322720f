#include "replication/config/address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>

namespace ringwright {
namespace {

constexpr std::size_t host_bytes_max = 253;  // of a name in the DNS

bool is_ip4(const std::string& host) {
  in_addr parsed{};
  return inet_pton(AF_INET, host.c_str(), &parsed) == 1;
}

bool is_ip6(const std::string& host) {
  in6_addr parsed{};
  return inet_pton(AF_INET6, host.c_str(), &parsed) == 1;
}

bool is_host_name(std::string_view host) {
  return std::all_of(host.begin(), host.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
  });
}

}  // namespace

Result<SocketAddress> parse_address(std::string_view text) {
  const Status refused{Code::invalid, "'" + std::string(text) +
                                          "' is no address: write host:port, like "
                                          "127.0.0.1:7480 or [::1]:7480"};
  const auto colon = text.rfind(':');
  if (colon == text.npos) return refused;
  std::string_view host = text.substr(0, colon);
  const std::string_view digits = text.substr(colon + 1);
  const bool is_bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (is_bracketed) host = host.substr(1, host.size() - 2);
  SocketAddress address{std::string(host), 0};
  if (host.empty() || host.size() > host_bytes_max) return refused;
  if (is_bracketed ? !is_ip6(address.host) : !is_host_name(host)) return refused;
  const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), address.port, 10);
  if (digits.empty() || read.ec != std::errc{} || read.ptr != digits.data() + digits.size())
    return refused;
  return address;
}

std::string format_address(const SocketAddress& address) {
  const bool is_number6 = address.host.find(':') != address.host.npos;
  return (is_number6 ? "[" + address.host + "]" : address.host) + ":" +
         std::to_string(address.port);
}

bool is_loopback_host(std::string_view host) {
  const std::string text(host);
  if (is_ip4(text)) return text.starts_with("127.");
  in6_addr parsed{};
  if (inet_pton(AF_INET6, text.c_str(), &parsed) == 1) return IN6_IS_ADDR_LOOPBACK(&parsed);
  return text == "localhost";
}

}  // namespace ringwright
