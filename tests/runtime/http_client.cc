#include "tests/runtime/http_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <cstdlib>

namespace ringwright {

HttpAnswer http_exchange(const std::string& address, const std::string& request, int seconds) {
  const auto colon = address.rfind(':');
  sockaddr_in place{};
  place.sin_family = AF_INET;
  place.sin_port = htons(static_cast<std::uint16_t>(std::stoi(address.substr(colon + 1))));
  inet_pton(AF_INET, address.substr(0, colon).c_str(), &place.sin_addr);
  const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
  const timeval patience{seconds, 0};
  setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
  HttpAnswer answer;
  std::string text;
  if (connect(socket, reinterpret_cast<const sockaddr*>(&place), sizeof(place)) == 0) {
    for (std::size_t sent = 0; sent < request.size();) {
      const ssize_t more = send(socket, request.data() + sent, request.size() - sent, MSG_NOSIGNAL);
      if (more <= 0) break;
      sent += static_cast<std::size_t>(more);
    }
    std::array<char, 4096> piece{};
    for (ssize_t got = 0; (got = recv(socket, piece.data(), piece.size(), 0)) > 0;)
      text.append(piece.data(), static_cast<std::size_t>(got));
  }
  close(socket);
  const auto end = text.find("\r\n\r\n");
  if (end == text.npos || !text.starts_with("HTTP/1.1 ")) return answer;
  answer.status = std::atoi(text.c_str() + 9);
  answer.head = text.substr(0, end);
  answer.body = text.substr(end + 4);
  return answer;
}

HttpAnswer http_get(const std::string& address, const std::string& path) {
  return http_exchange(address, "GET " + path + " HTTP/1.1\r\nHost: node\r\n\r\n");
}

}  // namespace ringwright
