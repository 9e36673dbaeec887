#pragma once
// What goes wrong, one thing after another and sometimes two at once, chosen by a seed. Runs on the world's
// thread.

#include <chrono>
#include <functional>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "world.hpp"

namespace castiel::conservation {

class Faults {
 public:
  // `slow`: also those that take their time to begin and to end.
  Faults(World& world, std::uint64_t seed, bool slow);
  // Lets things go wrong for so long, and then makes everything whole: servers answer, processes are started.
  void run(Millis duration);

  const std::map<std::string, int>& counts() const { return counts_; }
  const std::vector<std::string>& story() const { return story_; }  // with times

 private:
  using Clock = std::chrono::steady_clock;
  struct Kind {
    std::string name, of;  // at most one at once of each of these
    int weight;
    int shortest, longest;                                     // milliseconds
    std::function<std::function<void()>(std::string&)> begin;  // gives its end; may add to its name
  };
  struct Active {
    std::string name, of;
    Clock::time_point until;
    std::function<void()> end;
  };
  int below(int n);
  std::string somebody();
  void add_processes();
  void add_disk();
  void add_servers(bool slow);
  void add_network(const std::string& to, FaultProxy& proxy);
  void begin_one();
  void end_those(bool all);
  void tell(const std::string& what);

  World* world_;
  std::mt19937_64 random_;
  std::vector<Kind> kinds_;
  std::vector<Active> active_;
  std::map<std::string, int> counts_;
  std::vector<std::string> story_;
  Clock::time_point began_ = Clock::now();
};

}  // namespace castiel::conservation
