// One node as a process of its own. The main thread only waits: for signals, for whoever started
// the process, and for the thread that opens and drains the node.

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <iostream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <thread>

#include "engine/base/library_version.h"
#include "replication/daemon/arguments.h"
#include "replication/daemon/line_log.h"
#include "replication/daemon/node_service.h"

extern char** environ;  // NOLINT(readability-redundant-declaration)

namespace ringwright {
namespace {

constexpr int exit_ok = 0;
constexpr int exit_failed = 1;
constexpr int exit_usage = 2;

int exit_code_of(const Status& status) {
  if (status.is_ok()) return exit_ok;
  return status.code() == Code::invalid ? exit_usage : exit_failed;
}

int fail(const Status& status) {
  std::cerr << "ringwrightd: " << status.message() << "\n";
  return exit_code_of(status);
}

Result<std::string> read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  // Reading a directory fails only here.
  if (!file || !(text << file.rdbuf()))
    return Status{Code::invalid, path + " cannot be read: " + std::strerror(errno)};
  return text.str();
}

Settings::Values environment() {
  Settings::Values variables;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view variable(*entry);
    const auto equals = variable.find('=');
    if (variable.starts_with("RINGWRIGHT_") && equals != variable.npos)
      variables[std::string(variable.substr(0, equals))] = variable.substr(equals + 1);
  }
  return variables;
}

Result<Settings> load_settings(const Arguments& arguments) {
  Settings settings;
  if (!arguments.config.empty()) {
    const auto text = read_file(arguments.config);
    if (!text) return text.error();
    RW_TRY(settings.add_toml(*text, arguments.config));
  }
  RW_TRY(settings.add_environment(environment()));
  for (const std::string& assignment : arguments.sets) {
    const Status status = settings.set(assignment);
    if (!status.is_ok()) return Status{status.code(), "--set: " + status.message()};
  }
  return settings.for_node();
}

int check(const Settings& settings) {
  for (const Settings::Entry& entry : settings.entries())
    std::cout << entry.key << " = " << nlohmann::json(entry.value) << "  ("
              << setting_origin_name(entry.origin) << ")\n";
  std::cout.flush();
  const Status status = check_node_settings(settings);
  return status.is_ok() ? exit_ok : fail(status);
}

void raise_open_files() {
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) != 0) return;
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
}

// Tells the service manager, where there is one; it does not answer.
void notify_manager(std::string_view text) {
  const char* const path = std::getenv("NOTIFY_SOCKET");
  sockaddr_un address{};
  if (path == nullptr || std::strlen(path) >= sizeof(address.sun_path)) return;
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path, std::strlen(path));
  if (address.sun_path[0] == '@') address.sun_path[0] = '\0';
  const int sender = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (sender < 0) return;
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + std::strlen(path));
  sendto(sender, text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT,
         reinterpret_cast<const sockaddr*>(&address), size);
  close(sender);
}

std::string ready_line(const NodeService& node) {
  const NodeService::Addresses addresses = node.addresses();
  const nlohmann::ordered_json line = {{"client", addresses.client},
                                       {"peer", addresses.peer},
                                       {"admin", addresses.admin},
                                       {"pid", getpid()}};
  return line.dump() + "\n";
}

// Whether the whole line went out. Its reader waits for it, so it has room.
bool write_line(int descriptor, const std::string& line) {
  return write(descriptor, line.data(), line.size()) == static_cast<ssize_t>(line.size());
}

class Daemon {
 public:
  Daemon(const Settings& settings, std::optional<int> control_fd)
      : settings_(settings), control_fd_(control_fd.value_or(-1)) {}
  ~Daemon() {
    if (worker_.joinable()) worker_.join();
  }
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;

  int run() {
    if (const Status status = prepare(); !status.is_ok()) return fail(status);
    begin([this] {
      auto opened = NodeService::open(settings_, log_);
      if (!opened) return opened.error();
      node_ = std::move(*opened);
      return ok_status();
    });
    for (;;) {
      switch (wait()) {
        case Input::work_done:
          worker_.join();
          if (!outcome_.is_ok() || drains_) return exit_code_of(outcome_);
          if (wants_end_)
            drain();
          else if (!announce())
            return fail({Code::unavailable, "--control-fd does not take the line"});
          break;
        case Input::signal:
          if (wants_end_) _exit(exit_failed);
          wants_end_ = true;
          if (!worker_.joinable()) drain();
          break;
        case Input::orphaned:
          // Whoever wanted the node is gone; what it acknowledged is as durable as it promised.
          _exit(exit_failed);
      }
    }
  }

 private:
  enum class Input { work_done, signal, orphaned };

  Status prepare() {
    raise_open_files();
    std::signal(SIGPIPE, SIG_IGN);
    // Blocked before the first thread is made, so that only the descriptor takes them.
    sigset_t ending;
    sigemptyset(&ending);
    sigaddset(&ending, SIGTERM);
    sigaddset(&ending, SIGINT);
    pthread_sigmask(SIG_BLOCK, &ending, nullptr);
    signals_ = signalfd(-1, &ending, SFD_CLOEXEC);
    done_ = eventfd(0, EFD_CLOEXEC);
    if (signals_ < 0 || done_ < 0) return {Code::unavailable, std::strerror(errno)};
    if (control_fd_ >= 0 && fcntl(control_fd_, F_SETFD, FD_CLOEXEC) != 0)
      return {Code::invalid, "--control-fd = " + std::to_string(control_fd_) + " is not open"};
    return ok_status();
  }

  void begin(std::function<Status()> work) {
    worker_ = std::thread([this, work = std::move(work)] {
      outcome_ = work();
      const std::uint64_t one = 1;
      [[maybe_unused]] const ssize_t written = write(done_, &one, sizeof(one));
    });
  }

  void drain() {
    drains_ = true;
    notify_manager("STOPPING=1");
    begin([this] { return node_->stop(); });
  }

  bool announce() {
    notify_manager("READY=1");
    return control_fd_ < 0 || write_line(control_fd_, ready_line(*node_));
  }

  Input wait() {
    for (;;) {
      std::array<pollfd, 3> watched{
          {{done_, POLLIN, 0}, {signals_, POLLIN, 0}, {control_fd_, POLLIN, 0}}};
      if (poll(watched.data(), watched.size(), -1) < 0) continue;
      if (watched[2].revents != 0 && is_orphaned()) return Input::orphaned;
      if (watched[1].revents != 0) {
        signalfd_siginfo taken{};
        if (read(signals_, &taken, sizeof(taken)) == sizeof(taken)) return Input::signal;
      }
      if (watched[0].revents != 0) {
        std::uint64_t count = 0;
        if (read(done_, &count, sizeof(count)) == sizeof(count)) return Input::work_done;
      }
    }
  }

  // What is said over the descriptor means nothing; only its end does.
  bool is_orphaned() const {
    std::array<char, 256> said{};
    const ssize_t got = read(control_fd_, said.data(), said.size());
    return got == 0 || (got < 0 && errno != EINTR && errno != EAGAIN);
  }

  const Settings settings_;
  const int control_fd_;
  const std::shared_ptr<EventLog> log_ =
      make_line_log(STDERR_FILENO, settings_.text("log.format"), settings_.text("log.level"));
  int signals_ = -1;
  int done_ = -1;
  bool wants_end_ = false;
  bool drains_ = false;
  std::unique_ptr<NodeService> node_;  // the worker's while there is one
  Status outcome_;                     // likewise
  std::thread worker_;
};

int run(const std::vector<std::string>& words) {
  const auto arguments = parse_arguments(words);
  if (!arguments) {
    std::cerr << "ringwrightd: " << arguments.error().message() << "\n\n" << usage_text();
    return exit_usage;
  }
  if (arguments->help) {
    std::cout << usage_text();
    return exit_ok;
  }
  if (arguments->version) {
    std::cout << "ringwrightd " << library_version() << "\n";
    return exit_ok;
  }
  const auto settings = load_settings(*arguments);
  if (!settings) return fail(settings.error());
  if (arguments->check) return check(*settings);
  return Daemon(*settings, arguments->control_fd).run();
}

}  // namespace
}  // namespace ringwright

int main(int count, char** words) { return ringwright::run({words + 1, words + count}); }
