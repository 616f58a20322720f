#include "replication/daemon/http_server.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "tests/runtime/cluster_fixture.h"
#include "tests/runtime/http_client.h"

namespace ringwright {
namespace {

class HttpServerTest : public ::testing::Test {
 protected:
  HttpServerTest() { serve(seconds(60)); }
  void serve(Nanoseconds deadline) {
    auto server = HttpServer::listen(
        {"127.0.0.1", 0},
        [this](const HttpRequest& request) {
          ++handled_;
          return HttpResponse{
              200, request.method + " " + request.path + " " + request.query + " " + request.body};
        },
        deadline);
    ASSERT_TRUE(server.has_value());
    server_ = std::move(*server);
    address_ = format_address(server_->address());
  }
  HttpAnswer exchange(const std::string& request) { return http_exchange(address_, request); }
  int connect_silently() {
    const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in place{};
    place.sin_family = AF_INET;
    place.sin_port = htons(server_->address().port);
    place.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(connect(socket, reinterpret_cast<const sockaddr*>(&place), sizeof(place)), 0);
    return socket;
  }

  std::atomic<int> handled_{0};
  std::unique_ptr<HttpServer> server_;
  std::string address_;
};

TEST_F(HttpServerTest, HandsOverWhatWasAsked) {
  EXPECT_EQ(http_get(address_, "/a/b?c=d&e").body, "GET /a/b c=d&e ");
  const HttpAnswer put =
      exchange("PUT /faults HTTP/1.1\r\nhost: x\r\ncontent-LENGTH:  5 \r\n\r\nhello");
  EXPECT_EQ(put.body, "PUT /faults  hello");
  EXPECT_NE(put.head.find("Connection: close"), std::string::npos);
  const HttpAnswer head = exchange("HEAD / HTTP/1.0\r\n\r\n");
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.body, "");
  EXPECT_NE(head.head.find("Content-Length: 7"), std::string::npos) << head.head;
}

TEST_F(HttpServerTest, ACallerThatAsksFirstIsToldToGoOn) {
  const HttpAnswer put =
      exchange("PUT / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nhi");
  EXPECT_EQ(put.status, 100);
  EXPECT_NE(put.body.find("PUT /  hi"), std::string::npos) << put.body;
}

TEST_F(HttpServerTest, WhatIsMalformedOrTooLargeIsRefused) {
  const std::string large(300 * 1024, 'x');
  for (const auto& [request, status] : std::vector<std::pair<std::string, int>>{
           {"hello\r\n\r\n", 400},
           {"GET\r\n\r\n", 400},
           {"GET  HTTP/1.1\r\n\r\n", 400},
           {"GET nowhere HTTP/1.1\r\n\r\n", 400},
           {"GET /a b HTTP/1.1\r\n\r\n", 400},
           {std::string("\x16\x03\x01\x00\x00\r\n\r\n", 9), 400},
           {"GET / HTTP/2.0\r\n\r\n", 505},
           {"GET / HTTP/1.1\r\nno colon\r\n\r\n", 400},
           {"GET / HTTP/1.1\r\n: empty\r\n\r\n", 400},
           {"PUT / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na", 400},
           {"PUT / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400},
           {"PUT / HTTP/1.1\r\nContent-Length: 1x\r\n\r\na", 400},
           {"PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 411},
           {"PUT / HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n", 413},
           {"PUT / HTTP/1.1\r\nContent-Length: 300000\r\n\r\n" + large.substr(0, 200 * 1024), 413},
           {"GET /" + large.substr(0, 64 * 1024) + " HTTP/1.1\r\n\r\n", 431}})
    EXPECT_EQ(exchange(request).status, status) << request.substr(0, 60);
  EXPECT_EQ(handled_, 0);
}

TEST_F(HttpServerTest, SilentCallersHoldItUpOnlyUntilTheirDeadline) {
  serve(milliseconds(100));
  std::vector<int> silent;
  for (int i = 0; i < 8; ++i) silent.push_back(connect_silently());
  EXPECT_EQ(http_get(address_, "/").status, 200);
  for (const int socket : silent) close(socket);
}

TEST_F(HttpServerTest, EndsWithCallersThatSayNothing) {
  std::vector<int> silent;
  for (int i = 0; i < 8; ++i) silent.push_back(connect_silently());
  std::atomic<bool> closed{false};
  std::thread closer([&] {
    server_->close();
    closed = true;
  });
  EXPECT_TRUE(comes_true([&] { return closed.load(); }));
  closer.join();
  for (const int socket : silent) close(socket);
  EXPECT_EQ(http_get(address_, "/").status, 0);
}

TEST_F(HttpServerTest, ManyCallersAreAllAnswered) {
  std::atomic<int> answered{0};
  std::vector<std::thread> callers;
  for (int i = 0; i < 8; ++i)
    callers.emplace_back([&] {
      for (int j = 0; j < 50; ++j)
        if (http_get(address_, "/").status == 200) ++answered;
    });
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(answered, 400);
}

TEST(HttpServerAddressTest, WhatCannotBeListenedAtIsUnavailable) {
  const auto nothing = [](const HttpRequest&) { return HttpResponse{}; };
  EXPECT_EQ(HttpServer::listen({"192.0.2.1", 0}, nothing).status().code(), Code::unavailable);
  const auto first = HttpServer::listen({"127.0.0.1", 0}, nothing);
  ASSERT_TRUE(first.has_value());
  const Status taken = HttpServer::listen((*first)->address(), nothing).status();
  EXPECT_EQ(taken.code(), Code::unavailable);
  EXPECT_NE(taken.message().find("taken"), std::string::npos) << taken.message();
}

}  // namespace
}  // namespace ringwright
