#include "world.hpp"

#include <fmt/format.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/statvfs.h>

#include <filesystem>
#include <fstream>
#include <stdexcept>

namespace castiel::conservation {

namespace fs = std::filesystem;
using functional::Process;
using messaging::testing::RabbitmqServer;
using storage::testing::PostgresServer;

namespace {

constexpr const char* kRoomy = "size=3g,mode=0711";
constexpr Millis kBeforeRestart(200);  // of what ended by itself
constexpr const char* kDatabase = "conservation";

std::string with_port(std::string url, int from, int to) {
  const std::string old = fmt::format(":{}/", from);
  return url.replace(url.find(old), old.size(), fmt::format(":{}/", to));
}

}  // namespace

std::unique_ptr<Disk> Disk::mount(const Path& folder) {
  fs::create_directories(folder);
  // In a name space of our own, so that it is gone with this program however that ends.
  static const bool apart =
      ::unshare(CLONE_NEWNS) == 0 && ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
  if (!apart || ::mount("tmpfs", folder.c_str(), "tmpfs", 0, kRoomy) != 0) return nullptr;
  return std::unique_ptr<Disk>(new Disk(folder));
}

Disk::~Disk() {
  ::umount2(folder_.c_str(), MNT_DETACH);
}

void Disk::fill() const {
  struct statvfs now{};
  ::statvfs(folder_.c_str(), &now);
  const auto used = (now.f_blocks - now.f_bfree) * now.f_frsize;
  // What is written meanwhile makes the first attempt too small.
  for (auto room = used;
       ::mount(nullptr, folder_.c_str(), nullptr, MS_REMOUNT, fmt::format("size={}", room).c_str()) != 0 &&
       room < used * 2;)
    room += now.f_frsize;
}

void Disk::empty() const {
  if (::mount(nullptr, folder_.c_str(), nullptr, MS_REMOUNT, kRoomy) != 0)
    throw std::runtime_error("the disk could not be made larger");
}

World::World(Footing footing, std::uint64_t seed) : footing_(footing) {
  std::string pattern = (fs::temp_directory_path() / "castiel-conservation-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no temporary folder");
  folder_ = pattern;
  fs::permissions(folder_, fs::perms(0711));  // PostgreSQL's user passes through
  fs::create_directories(folder_ / "logs");
  if (footing == Footing::servers) {
    start_servers(seed);
    configure("front", "api,sync");
    start("front");
    if (!functional::eventually([&] { return all_ready(); }))
      throw std::runtime_error("the front is not ready");
    for (const char* name : {"processing-1", "processing-2", "linking-1", "intelligence-1"}) {
      configure(name, std::string(name).substr(0, std::string(name).find('-')));
      start(name);
    }
  } else {
    disk_ = Disk::mount(folder_ / "front");
    configure("front", "all");
    start("front");
  }
  if (!functional::eventually([&] { return all_ready(); })) throw std::runtime_error("not all are ready");
}

World::~World() {
  for (auto& [name, member] : members_) {
    if (!member.process) continue;
    member.wanted = false;
    member.process->signal(SIGKILL);
    put_away(name);
  }
  to_rabbitmq_.reset();
  to_postgres_.reset();
  rabbitmq_.reset();
  postgres_.reset();
  disk_.reset();
  std::error_code ignored;
  if (!keep_) fs::remove_all(folder_, ignored);
}

void World::start_servers(std::uint64_t seed) {
  auto rabbitmq = RabbitmqServer::start();
  if (!rabbitmq) throw std::runtime_error(rabbitmq.error().describe());
  rabbitmq_ = std::move(*rabbitmq);
  disk_ = Disk::mount(folder_ / "disk");
  const char* before = std::getenv("TMPDIR");
  const std::string usual = before != nullptr ? before : "/tmp";
  if (disk_) ::setenv("TMPDIR", disk_->folder().c_str(), 1);
  auto postgres = PostgresServer::start();
  ::setenv("TMPDIR", usual.c_str(), 1);
  if (!postgres) throw std::runtime_error(postgres.error().describe());
  postgres_ = std::move(*postgres);
  if (const auto made = postgres_->create_database(kDatabase); !made)
    throw std::runtime_error(made.error().describe());
  to_rabbitmq_ = std::make_unique<FaultProxy>(rabbitmq_->port(), seed);
  to_postgres_ = std::make_unique<FaultProxy>(static_cast<std::uint16_t>(postgres_->port()), seed + 1);
}

void World::configure(const std::string& name, const std::string& role) {
  members_[name].role = role;
  fs::create_directories(data_of(name));
  std::ofstream file(data_of(name) / "castiel.yaml");
  // Each kill finds innocent messages in work. And what is tried again is so before the run is over.
  file << "mapping.max_deliveries: 100\nquarantine.crashes: 100\nquarantine.tries: 1000\nquarantine.repeats: "
          "1000\n"
          "retry.first: 200ms\nretry.longest: 2s\nshutdown.drain: 5s\n";
  if (footing_ == Footing::embedded) return;
  file << fmt::format("store.url: \"{}\"\nbroker.url: \"{}\"\nblobs.url: \"file://{}\"\n",
                      with_port(postgres_->url(kDatabase).reveal(), postgres_->port(), to_postgres_->port()),
                      with_port(rabbitmq_->url(), rabbitmq_->port(), to_rabbitmq_->port()),
                      (folder_ / "blobs").string());
}

std::vector<std::string> World::names() const {
  std::vector<std::string> names;
  for (const auto& [name, member] : members_) names.push_back(name);
  return names;
}

void World::start(const std::string& name) {
  auto& member = members_.at(name);
  member.wanted = true;
  if (member.process) return;
  // With SIGXFSZ ignored, as for a limit that is set later.
  member.process =
      std::make_unique<Process>(std::vector<std::string>{"serve", "--role", member.role, "--data",
                                                         data_of(name).string(), "--listen", "127.0.0.1:0"},
                                functional::Limits{RLIM_INFINITY});
}

void World::signal(const std::string& name, int number) {
  if (members_.at(name).process) members_.at(name).process->signal(number);
}

void World::put_away(const std::string& name) {
  auto& member = members_.at(name);
  if (!member.process->ended_within(functional::kPatience)) member.process->signal(SIGKILL);
  const auto finished = member.process->finish();
  std::ofstream(folder_ / "logs" / name, std::ios::app)
      << finished.err << fmt::format("== ended: status {}, signal {}\n", finished.status, finished.signal);
  member.process.reset();
}

void World::stop(const std::string& name, int number) {
  auto& member = members_.at(name);
  member.wanted = false;
  if (!member.process) return;
  member.process->signal(number);
  member.process->signal(SIGCONT);
  put_away(name);
}

void World::limit_files(bool limited) {
  for (const auto& [name, member] : members_) {
    if (!member.process) continue;
    std::uintmax_t largest = 0;
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(data_of(name), ignored))
      if (entry.is_regular_file(ignored)) largest = std::max(largest, entry.file_size(ignored));
    const rlimit most{limited ? largest / 2 : RLIM_INFINITY, RLIM_INFINITY};
    ::prlimit(member.process->pid(), RLIMIT_FSIZE, &most, nullptr);
  }
}

void World::supervise() {
  for (auto& [name, member] : members_) {
    if (!member.process || !member.process->ended_within(Millis(0))) continue;
    if (member.wanted) ++ended_;
    put_away(name);
    member.not_before = std::chrono::steady_clock::now() + kBeforeRestart;
  }
  for (auto& [name, member] : members_) {
    if (member.wanted && !member.process && std::chrono::steady_clock::now() >= member.not_before)
      start(name);
  }
}

bool World::all_ready() {
  supervise();
  for (const auto& [name, member] : members_) {
    if (!member.process || functional::http(data_of(name) / "castiel.sock", "/health/ready").status != 200)
      return false;
  }
  return true;
}

}  // namespace castiel::conservation
