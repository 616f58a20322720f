#include "bench/wire/ringwright_cluster.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "bench/wire/interrupt.h"
#include "bench/wire/node_process.h"

namespace ringwright::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds start_timeout{30};
constexpr std::size_t ready_line_bytes_max = 4096;
constexpr std::size_t log_tail_bytes = 2000;
enum Port : std::size_t { client, peer, admin, ports_of_node };

std::string node_name(std::size_t index) { return "node" + std::to_string(index + 1); }

Result<std::string> find_program(const std::string& wanted) {
  std::error_code failed;
  const auto own = std::filesystem::read_symlink("/proc/self/exe", failed).parent_path();
  std::vector<std::filesystem::path> places = {own / "ringwrightd", own / "../ringwrightd",
                                               own / "../bin/ringwrightd"};
  if (!wanted.empty()) places = {wanted};
  for (const auto& place : places)
    if (::access(place.c_str(), X_OK) == 0) return std::filesystem::absolute(place).string();
  return Status(Code::invalid, "no program ringwrightd at " + places.front().string() +
                                   "; build it, or name it with --ringwrightd");
}

std::string tail_of(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  const std::string all = text.str();
  return all.size() > log_tail_bytes ? all.substr(all.size() - log_tail_bytes) : all;
}

// Waits for the line that a node writes when it serves.
Status await_ready(int control, const std::string& log_path) {
  const auto deadline = Clock::now() + start_timeout;
  std::string line;
  while (line.find('\n') == line.npos) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now());
    pollfd waited{control, POLLIN, 0};
    const int ready = left.count() <= 0 ? 0 : ::poll(&waited, 1, static_cast<int>(left.count()));
    if (interrupted()) return {Code::closed, "interrupted"};
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0)
      return {Code::timed_out, "a node did not come up in time; it said:\n" + tail_of(log_path)};
    char bytes[ready_line_bytes_max];
    const ssize_t count = ::read(control, bytes, sizeof(bytes));
    if (count <= 0 || line.size() > ready_line_bytes_max)
      return {Code::closed, "a node ended instead of serving; it said:\n" + tail_of(log_path)};
    line.append(bytes, static_cast<std::size_t>(count));
  }
  return ok_status();
}

}  // namespace

Result<std::unique_ptr<RingwrightCluster>> RingwrightCluster::start(ClusterSettings settings) {
  const auto program = find_program(settings.program);
  if (!program) return program.error();
  std::unique_ptr<RingwrightCluster> cluster(new RingwrightCluster());
  cluster->settings_ = std::move(settings);
  const std::size_t nodes = cluster->settings_.nodes;
  cluster->directory_ = directory_until_exit(cluster->settings_.parent);
  for (std::size_t i = 0; i < nodes * ports_of_node; ++i) {
    auto port = reserve_port();
    if (!port) return port.error();
    cluster->ports_.push_back(std::move(*port));
  }
  for (std::size_t i = 0; i < nodes; ++i) RW_TRY(cluster->start_node(i, *program));
  for (std::size_t i = 0; i < nodes; ++i) {
    const std::string log = cluster->directory_ + "/" + node_name(i) + ".log";
    RW_TRY(await_ready(cluster->controls_[i].get(), log));
  }
  return cluster;
}

Status RingwrightCluster::start_node(std::size_t index, const std::string& program) {
  const auto address = [&](std::size_t node, Port port) {
    return ports_[node * ports_of_node + port].address();
  };
  const std::string base = directory_ + "/" + node_name(index);
  std::ofstream config(base + ".toml");
  config << "[cluster]\nname = \"bench\"\n[node]\nname = \"" << node_name(index)
         << "\"\ndata_dir = \"" << base << "\"\n[listen]\nclient = \"" << address(index, client)
         << "\"\npeer = \"" << address(index, peer) << "\"\nadmin = \"" << address(index, admin)
         << "\"\n";
  for (std::size_t i = 0; i < settings_.nodes; ++i)
    config << "[member." << node_name(i) << "]\nclient = \"" << address(i, client)
           << "\"\npeer = \"" << address(i, peer) << "\"\n";
  config << "[transport]\nkind = \"thrift\"\n[log]\nlevel = \"warning\"\n[keyspace.default]\n"
         << "n = 3\nr = 2\nw = 2\nfan_out = \"all\"\nengine = \"" << settings_.engine
         << "\"\nresolver = \"" << settings_.resolver << "\"\ndurability = \""
         << settings_.durability << "\"\n";
  config.close();
  if (config.fail()) return {Code::io_error, "cannot write " + base + ".toml"};

  int control[2] = {-1, -1};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, control) != 0)
    return {Code::io_error, "no socket pair"};
  controls_.emplace_back(control[0]);
  const Descriptor theirs(control[1]);
  std::vector<std::string> command = {program, "--config", base + ".toml", "--control-fd",
                                      std::to_string(theirs.get())};
  for (const std::string& setting : settings_.more) {
    command.push_back("--set");
    command.push_back(setting);
  }
  const auto process = start_program(command, base + ".log", theirs.get());
  if (!process) return process.error();
  processes_.push_back(*process);
  addresses_.push_back(address(index, client));
  return ok_status();
}

RingwrightCluster::~RingwrightCluster() {
  for (const int process : processes_) end_process(process);
  if (!directory_.empty()) remove_directory(directory_);
}

}  // namespace ringwright::bench
