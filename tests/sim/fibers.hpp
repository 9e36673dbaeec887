#pragma once
// The steps of several simulated processes, on fibers of one thread: each port call yields, and the seed
// picks who goes on. Whoever waits does so for virtual time or a condition; when nobody can go on, time
// passes. One thread owns it; no fiber leaves that thread.

#include <boost/context/fiber.hpp>
#include <boost/context/protected_fixedsize_stack.hpp>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/random.hpp"

namespace castiel::sim {

class Fibers {
 public:
  using Body = std::function<void()>;
  using Ready = std::function<bool()>;
  // A process ended in one of its fibers; the others are to be killed.
  struct Death {
    int process;
    std::string where;
  };

  Fibers(ManualClock& clock, SeededRandom& random) : clock_(&clock), random_(&random) {}
  ~Fibers();
  Fibers(const Fibers&) = delete;
  Fibers& operator=(const Fibers&) = delete;

  void spawn(int process, std::string name, Body body);
  // Unwinds all fibers of the process. Not from one of them.
  void kill(int process);
  // Nothing of the process goes on until then (monotonic).
  void freeze(int process, Duration until) { frozen_[process] = until; }
  void thaw() { frozen_.clear(); }
  bool frozen(int process) const;
  bool has(int process) const;

  // Lets one fiber go on until it yields, waits or ends. False when none can. A process that died in it.
  bool run_one(std::optional<Death>& death);
  // When somebody who waits goes on at the latest (monotonic).
  std::optional<Duration> next_wake() const;

  // --- in a fiber ---
  bool inside() const { return current_ != nullptr; }
  const void* self() const { return current_; }
  int process() const;
  const std::string& name() const;
  void yield();
  // Until `ready` or the time (monotonic). `ready` is asked when its process or the world stirred.
  void wait(Duration until, Ready ready = {});
  void sleep(Duration d) { wait(clock_->monotonic() + d); }
  // Something happened that those who wait in a process may be interested in. 0: in any.
  void stir(int process);
  // Somebody may have written to a descriptor of the machine on which others in the process wait: asking for
  // that costs a system call, so they ask only then.
  void poke(int process) {
    ++pokes_[process];
    stir(process);
  }
  std::int64_t pokes(int process) { return pokes_[process]; }

  // While quiet nobody else gets a turn: somebody holds a lock of the machine.
  void be_quiet(bool quiet) { quiet_ += quiet ? 1 : -1; }
  bool quiet() const { return quiet_ > 0; }

  std::int64_t switches() const { return switches_; }
  std::string describe() const;

 private:
  struct Killed {};
  struct Globals {  // of the C++ runtime: which exceptions are under way is a fiber's own matter
    void* caught = nullptr;
    unsigned int uncaught = 0;
  };
  // What sanitizers want to know of a stack; nothing without them.
  struct Stack {
    const void* bottom = nullptr;
    std::size_t bytes = 0;
    void* fake = nullptr;    // AddressSanitizer's
    void* thread = nullptr;  // ThreadSanitizer's
  };
  struct Fiber {
    ~Fiber();
    int process;
    std::string name;
    Body body;
    boost::context::fiber context;
    Stack stack;
    Globals globals;
    unsigned weight = 1;
    bool waiting = false, killed = false, done = false;
    Duration until{0};
    Ready ready;
    std::optional<std::string> died;
    std::exception_ptr escaped;
  };

  static void depart(Stack* from, const Stack& to);
  static void arrive(const Stack* here, Stack* before);
  void run(Fiber& fiber);
  void resume(Fiber& fiber);
  void leave();
  void wake_due();

  ManualClock* clock_;
  SeededRandom* random_;
  std::vector<std::unique_ptr<Fiber>> fibers_;
  std::map<int, Duration> frozen_;
  std::map<int, std::int64_t> pokes_;
  Fiber* current_ = nullptr;
  boost::context::fiber scheduler_;
  Stack scheduler_stack_;
  std::int64_t switches_ = 0;
  int quiet_ = 0;
  Duration looked_{-1};  // when those who wait were last asked
};

// Nobody else gets a turn while it lives.
class Quiet {
 public:
  explicit Quiet(Fibers& fibers) : fibers_(&fibers) { fibers_->be_quiet(true); }
  ~Quiet() { fibers_->be_quiet(false); }
  Quiet(const Quiet&) = delete;
  Quiet& operator=(const Quiet&) = delete;

 private:
  Fibers* fibers_;
};

}  // namespace castiel::sim
