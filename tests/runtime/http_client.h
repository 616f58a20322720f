#pragma once

#include <string>

namespace ringwright {

struct HttpAnswer {
  int status = 0;    // 0: nobody answered with HTTP
  std::string head;  // all lines before the body
  std::string body;
};

// Sends the bytes as they are and reads until the other side closes; at most `seconds`.
HttpAnswer http_exchange(const std::string& address, const std::string& request, int seconds = 20);
HttpAnswer http_get(const std::string& address, const std::string& path);

}  // namespace ringwright
