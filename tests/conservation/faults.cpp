#include "faults.hpp"

#include <fmt/format.h>
#include <signal.h>

#include <algorithm>
#include <stdexcept>
#include <thread>

namespace castiel::conservation {

using namespace std::chrono_literals;

namespace {

constexpr std::size_t kMostAtOnce = 2;
constexpr auto kTick = 20ms;
constexpr int kPauseBetween = 700;  // milliseconds between two faults, at most

const std::function<void()> kNothing = [] {};

void must(const Result<>& done, const char* what) {
  if (!done) throw std::runtime_error(fmt::format("{}: {}", what, done.error().describe()));
}

}  // namespace

Faults::Faults(World& world, std::uint64_t seed, bool slow) : world_(&world), random_(seed) {
  add_processes();
  add_disk();
  if (world.footing() == Footing::servers) {
    add_servers(slow);
    add_network("broker", world.to_rabbitmq());
    add_network("database", world.to_postgres());
  }
}

int Faults::below(int n) {
  return static_cast<int>(random_() % static_cast<std::uint64_t>(n));
}

std::string Faults::somebody() {
  const auto names = world_->names();
  return names[static_cast<std::size_t>(below(static_cast<int>(names.size())))];
}

void Faults::add_processes() {
  kinds_.push_back({"kill", "processes", 8, 0, 800, [this](std::string& name) {
                      const auto victim = somebody();
                      name += " " + victim;
                      world_->stop(victim, SIGKILL);
                      return [this, victim] { world_->start(victim); };
                    }});
  kinds_.push_back({"terminate", "processes", 1, 0, 300, [this](std::string& name) {
                      const auto victim = somebody();
                      name += " " + victim;
                      world_->stop(victim, SIGTERM);
                      return [this, victim] { world_->start(victim); };
                    }});
  kinds_.push_back({"freeze", "frozen", 3, 300, 4000, [this](std::string& name) {
                      const auto victim = somebody();
                      name += " " + victim;
                      world_->signal(victim, SIGSTOP);
                      return [this, victim] { world_->signal(victim, SIGCONT); };
                    }});
}

void Faults::add_disk() {
  if (world_->disk() != nullptr) {
    kinds_.push_back({"disk full", "database", 3, 300, 3000, [this](std::string&) {
                        world_->disk()->fill();
                        return [this] {
                          world_->disk()->empty();
                          // It may have ended for it.
                          if (world_->footing() == Footing::servers)
                            must(world_->postgres().start_again(), "PostgreSQL after the full disk");
                        };
                      }});
  }
  if (world_->footing() == Footing::embedded) {
    kinds_.push_back({"no larger files", "database", 2, 200, 2000, [this](std::string&) {
                        world_->limit_files(true);
                        return [this] { world_->limit_files(false); };
                      }});
  }
}

void Faults::add_servers(bool slow) {
  kinds_.push_back({"database restarted", "database", 3, 0, 1500, [this](std::string&) {
                      world_->postgres().stop(true);
                      return [this] { must(world_->postgres().start_again(), "PostgreSQL"); };
                    }});
  kinds_.push_back({"broker frozen", "broker", 2, 300, 3000, [this](std::string&) {
                      world_->rabbitmq().pause();
                      return [this] { world_->rabbitmq().go_on(); };
                    }});
  kinds_.push_back({"broker killed", "broker", 2, 0, 1000, [this](std::string&) {
                      world_->rabbitmq().kill();
                      return [this] { must(world_->rabbitmq().restart(), "RabbitMQ"); };
                    }});
  if (!slow) return;
  kinds_.push_back({"broker's disk full", "broker", 1, 1000, 4000, [this](std::string&) {
                      (void)world_->rabbitmq().ctl("set_disk_free_limit 100TB");
                      return [this] { (void)world_->rabbitmq().ctl("set_disk_free_limit 1MB"); };
                    }});
}

void Faults::add_network(const std::string& to, FaultProxy& proxy) {
  kinds_.push_back(
      {"slow network to the " + to, "delay " + to, 2, 500, 3000, [this, &proxy](std::string& name) {
         const Millis each(1 + below(40));
         name += fmt::format(" by {} ms", each.count());
         proxy.delay(each);
         return [&proxy] { proxy.delay(0ms); };
       }});
  kinds_.push_back({"half-open network to the " + to, "network " + to, 2, 500, 4000, [&proxy](std::string&) {
                      proxy.stall();
                      return [&proxy] { proxy.heal(); };
                    }});
  for (const bool reset : {true, false}) {
    kinds_.push_back({fmt::format("{} to the {}", reset ? "reset" : "truncation", to), "network " + to, 2, 0,
                      300, [this, &proxy, reset](std::string&) {
                        proxy.cut(below(2) == 0 ? 0.3 : 1.0, reset);
                        return kNothing;
                      }});
  }
}

void Faults::tell(const std::string& what) {
  const auto at = std::chrono::duration<double>(Clock::now() - began_).count();
  story_.push_back(fmt::format("{:7.2f} s  {}", at, what));
}

void Faults::begin_one() {
  int all = 0;
  for (const auto& kind : kinds_) all += kind.weight;
  int chosen = below(all);
  const auto kind = std::ranges::find_if(kinds_, [&](const Kind& k) { return (chosen -= k.weight) < 0; });
  if (std::ranges::any_of(active_, [&](const Active& a) { return a.of == kind->of; })) return;
  std::string name = kind->name;
  auto end = kind->begin(name);
  ++counts_[kind->name];
  tell(name);
  const Millis lasts(kind->shortest + below(kind->longest - kind->shortest + 1));
  active_.push_back({std::move(name), kind->of, Clock::now() + lasts, std::move(end)});
}

void Faults::end_those(bool all) {
  for (std::size_t i = 0; i < active_.size();) {
    if (!all && active_[i].until > Clock::now()) {
      ++i;
      continue;
    }
    active_[i].end();
    tell("over: " + active_[i].name);
    active_.erase(active_.begin() + static_cast<std::ptrdiff_t>(i));
  }
}

void Faults::run(Millis duration) {
  began_ = Clock::now();
  const auto over = Clock::now() + duration;
  auto next = Clock::now() + Millis(below(kPauseBetween));
  while (Clock::now() < over) {
    end_those(false);
    world_->supervise();
    if (Clock::now() >= next && active_.size() < kMostAtOnce) {
      begin_one();
      next = Clock::now() + Millis(below(kPauseBetween));
    }
    std::this_thread::sleep_for(kTick);
  }
  end_those(true);
  if (world_->footing() == Footing::servers) {
    world_->to_rabbitmq().heal();
    world_->to_postgres().heal();
  }
  tell("whole again");
}

}  // namespace castiel::conservation
