#include "replication/runtime/client_thread.h"

#include <mutex>
#include <thread>
#include <utility>

#include "replication/runtime/thread_name.h"
#include "replication/runtime/wake_pipe.h"

namespace ringwright {

struct ClientThread::Body {
  Body(std::shared_ptr<WakePipe> made, ClientParts parts, ClientOptions options)
      : pipe(std::move(made)),
        client(std::move(parts), std::move(options), [wakes = pipe] { wakes->wake(); }) {}

  const std::shared_ptr<WakePipe> pipe;
  AsyncClient client;
  std::mutex mutex;  // guards thread
  std::thread thread;
};

Result<std::shared_ptr<ClientThread>> ClientThread::start(ClientParts parts,
                                                          ClientOptions options) {
  auto pipe = WakePipe::make();
  if (!pipe) return pipe.error();
  auto body = std::make_unique<Body>(std::move(*pipe), std::move(parts), std::move(options));
  body->thread = std::thread([client = &body->client] {
    name_this_thread("rw-client");
    client->run();
  });
  return std::shared_ptr<ClientThread>(new ClientThread(std::move(body)));
}

ClientThread::ClientThread(std::unique_ptr<Body> body) : body_(std::move(body)) {}

ClientThread::~ClientThread() {
  // In a forked child the thread, and who held its locks, do not exist.
  if (body_->client.is_foreign())
    body_.release();
  else
    close();
}

AsyncClient& ClientThread::client() { return body_->client; }
int ClientThread::descriptor() const { return body_->pipe->descriptor(); }

std::vector<AsyncClient::Answer> ClientThread::collect() {
  // In this order: an answer that comes in between is taken here, and its wake-up is idle.
  body_->pipe->drain();
  return body_->client.collect();
}

void ClientThread::close() {
  if (body_->client.is_foreign()) return;
  body_->client.close();
  const std::lock_guard lock(body_->mutex);
  if (body_->thread.joinable()) body_->thread.join();
}

}  // namespace ringwright
