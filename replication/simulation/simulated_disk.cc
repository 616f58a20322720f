#include "replication/simulation/simulated_disk.h"

#include <algorithm>
#include <set>
#include <utility>

#include "engine/base/check.h"

namespace ringwright {
namespace {

Status injected(Code code, std::string_view what) {
  return {code, "injected fault: " + std::string(what)};
}

Status ended() { return {Code::closed, "the process that had this disk is dead"}; }

}  // namespace

// What is on the disk, and which mount is the living one. Kept alive by mounts, files and locks,
// which may be destroyed after the SimulatedDisk.
class SimulatedDisk::Platter {
 public:
  struct Content {
    Bytes bytes;
    std::uint64_t durable = 0;           // this prefix survives a loss of power
    std::vector<std::uint64_t> appends;  // where each append since then ends
    bool holed = false;                  // a failed sync dropped pages: nothing more gets durable
  };
  struct Arm {
    double probability = 0;
    std::uint64_t times = 0;
    std::uint64_t fired = 0;
  };

  explicit Platter(SeededRandom drawn) : random(drawn) {}

  bool fires(DiskFault kind) {
    Arm& arm = arms[static_cast<std::size_t>(kind)];
    const bool scripted = arm.times > 0;
    if (scripted) --arm.times;
    if (!scripted && !(arm.probability > 0 && random.chance(arm.probability))) return false;
    ++arm.fired;
    return true;
  }

  void make_durable(Content& content) {
    if (content.holed) return;
    content.durable = content.bytes.size();
    content.appends.clear();
  }

  void lose_power() {
    for (auto& [path, content] : files) {
      if (!content.appends.empty()) {
        const std::size_t kept = random.below(content.appends.size() + 1);
        std::uint64_t end = kept == 0 ? content.durable : content.appends[kept - 1];
        if (kept < content.appends.size() && random.chance(0.3))
          end += random.below(content.appends[kept] - end + 1);
        content.bytes.resize(end);
      }
      content.holed = false;
      make_durable(content);
    }
  }

  SeededRandom random;
  Arm arms[disk_fault_kinds];
  std::map<std::string, Content> files;
  std::set<std::string> locks;
  std::uint64_t generation = 1;  // of the living mounts
  std::uint64_t syncs = 0;
  bool failed_sync_drops_pages = false;
};

class SimulatedDisk::File final : public AppendFile {
 public:
  File(std::shared_ptr<Platter> platter, std::uint64_t generation, std::string path)
      : platter_(std::move(platter)), generation_(generation), path_(std::move(path)) {}

  Status append(ByteView bytes) override {
    RW_TRY(usable());
    auto& content = platter_->files[path_];
    if (platter_->fires(DiskFault::append_no_space))
      return injected(Code::no_space, "the disk is full");
    if (platter_->fires(DiskFault::append_fails)) return fail("append failed");
    if (platter_->fires(DiskFault::append_doubtful)) {
      content.bytes += bytes.substr(0, platter_->random.below(bytes.size() + 1));
      content.appends.push_back(content.bytes.size());
      return fail("append failed half way");
    }
    content.bytes += bytes;
    content.appends.push_back(content.bytes.size());
    return ok_status();
  }

  Status sync() override {
    RW_TRY(usable());
    auto& content = platter_->files[path_];
    if (platter_->fires(DiskFault::sync_fails)) {
      content.holed = content.holed || platter_->failed_sync_drops_pages;
      return fail("sync failed");
    }
    platter_->make_durable(content);
    ++platter_->syncs;
    return ok_status();
  }

  std::uint64_t size() const override {
    const auto at = platter_->files.find(path_);
    return at == platter_->files.end() ? 0 : at->second.bytes.size();
  }

 private:
  Status usable() const {
    if (generation_ != platter_->generation) return ended();
    return failed_ ? Status{Code::io_error, "the file takes no more after a failure"} : Status{};
  }
  Status fail(std::string_view what) {
    failed_ = true;
    return injected(Code::io_error, what);
  }

  const std::shared_ptr<Platter> platter_;
  const std::uint64_t generation_;
  const std::string path_;
  bool failed_ = false;
};

class SimulatedDisk::Lock final : public DirectoryLock {
 public:
  Lock(std::shared_ptr<Platter> platter, std::string path)
      : platter_(std::move(platter)), generation_(platter_->generation), path_(std::move(path)) {}
  ~Lock() override {
    // The lock of a dead process is gone already, and may be a living one's by now.
    if (generation_ == platter_->generation) platter_->locks.erase(path_);
  }

 private:
  const std::shared_ptr<Platter> platter_;
  const std::uint64_t generation_;
  const std::string path_;
};

class SimulatedDisk::Mount final : public Disk {
 public:
  explicit Mount(std::shared_ptr<Platter> platter)
      : platter_(std::move(platter)), generation_(platter_->generation) {}

  // Directories are only parts of names.
  Status make_directories(const std::string&) override { return usable(); }

  Result<std::unique_ptr<AppendFile>> open_append(const std::string& path) override {
    RW_TRY(usable());
    platter_->files[path];
    return std::unique_ptr<AppendFile>(std::make_unique<File>(platter_, generation_, path));
  }

  Result<bool> exists(const std::string& path) override {
    RW_TRY(usable());
    const std::string below = path + "/";
    const auto next = platter_->files.lower_bound(below);
    return platter_->files.contains(path) ||
           (next != platter_->files.end() && next->first.starts_with(below));
  }

  Result<Bytes> read(const std::string& path) override {
    RW_TRY(usable());
    if (platter_->fires(DiskFault::read_fails)) return injected(Code::io_error, "read failed");
    const auto at = platter_->files.find(path);
    if (at == platter_->files.end()) return Status{Code::invalid, "there is no file " + path};
    return at->second.bytes;
  }

  Status truncate(const std::string& path, std::uint64_t size) override {
    RW_TRY(usable());
    const auto at = platter_->files.find(path);
    if (at == platter_->files.end()) return {Code::invalid, "there is no file " + path};
    auto& content = at->second;
    content.bytes.resize(std::min<std::uint64_t>(size, content.bytes.size()));
    content.durable = std::min<std::uint64_t>(content.durable, content.bytes.size());
    std::erase_if(content.appends, [&](std::uint64_t end) { return end > content.bytes.size(); });
    platter_->make_durable(content);
    return ok_status();
  }

  Status replace(const std::string& path, ByteView bytes) override {
    RW_TRY(usable());
    if (platter_->fires(DiskFault::replace_fails))
      return injected(Code::io_error, "replace failed");
    platter_->files[path] = {Bytes(bytes), bytes.size(), {}, false};
    return ok_status();
  }

  Status remove(const std::string& path) override {
    RW_TRY(usable());
    platter_->files.erase(path);
    return ok_status();
  }

  Result<std::vector<std::string>> list(const std::string& path) override {
    RW_TRY(usable());
    const std::string below = path.empty() ? path : path + "/";
    std::set<std::string> names;
    for (auto at = platter_->files.lower_bound(below);
         at != platter_->files.end() && at->first.starts_with(below); ++at)
      names.insert(
          at->first.substr(below.size(), at->first.find('/', below.size()) - below.size()));
    return std::vector<std::string>(names.begin(), names.end());
  }

  Result<std::unique_ptr<DirectoryLock>> lock(const std::string& path) override {
    RW_TRY(usable());
    if (!platter_->locks.insert(path).second)
      return Status{Code::locked, "another process has " + path};
    return std::unique_ptr<DirectoryLock>(std::make_unique<Lock>(platter_, path));
  }

  std::string real_path(const std::string&) const override { return {}; }

 private:
  Status usable() const { return generation_ == platter_->generation ? Status{} : ended(); }

  const std::shared_ptr<Platter> platter_;
  const std::uint64_t generation_;
};

SimulatedDisk::SimulatedDisk(SeededRandom random, bool failed_sync_drops_pages)
    : platter_(std::make_shared<Platter>(random)) {
  platter_->failed_sync_drops_pages = failed_sync_drops_pages;
}
SimulatedDisk::~SimulatedDisk() { end_mounts(); }

std::shared_ptr<Disk> SimulatedDisk::mount() { return std::make_shared<Mount>(platter_); }

void SimulatedDisk::end_mounts() {
  ++platter_->generation;
  platter_->locks.clear();
}

void SimulatedDisk::power_cut() {
  end_mounts();
  platter_->lose_power();
}

DiskImage SimulatedDisk::image() const {
  DiskImage copy;
  for (const auto& [path, content] : platter_->files) copy.files[path] = content.bytes;
  return copy;
}

void SimulatedDisk::restore(const DiskImage& image) {
  end_mounts();
  platter_->files.clear();
  for (const auto& [path, bytes] : image.files)
    platter_->files[path] = {bytes, bytes.size(), {}, false};
}

void SimulatedDisk::set_probability(DiskFault kind, double probability) {
  platter_->arms[static_cast<std::size_t>(kind)].probability = probability;
}

void SimulatedDisk::fail_next(DiskFault kind, std::uint64_t times) {
  platter_->arms[static_cast<std::size_t>(kind)].times += times;
}

void SimulatedDisk::disarm() {
  for (auto& arm : platter_->arms) arm = {0, 0, arm.fired};
}

std::uint64_t SimulatedDisk::fired(DiskFault kind) const {
  return platter_->arms[static_cast<std::size_t>(kind)].fired;
}

std::uint64_t SimulatedDisk::unsynced_bytes() const {
  std::uint64_t sum = 0;
  for (const auto& [path, content] : platter_->files) sum += content.bytes.size() - content.durable;
  return sum;
}

std::uint64_t SimulatedDisk::syncs() const { return platter_->syncs; }

}  // namespace ringwright
