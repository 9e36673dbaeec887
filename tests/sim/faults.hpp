#pragma once
// What can go wrong in a simulated world, when by the seed, and the record of what happened: trace and
// probes. One world owns one of each; one thread.

#include <deque>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "base/random.hpp"
#include "storage/sqlite/sqlite_store.hpp"

namespace castiel::sim {

// Thrown where the process dies. Not a std::exception: nothing may catch it on the way out.
struct Crash {
  std::string where;
};
// Thrown when one step of the program makes no end: the world is failed, not restarted.
struct Stuck {
  std::string where;
};

// What happened, as text: hashed whole, the last lines kept.
class Trace {
 public:
  explicit Trace(bool print) : print_(print) {}
  void note(const std::string& line);
  std::uint64_t hash() const { return hash_; }
  const std::deque<std::string>& last() const { return last_; }

 private:
  static constexpr std::size_t kKept = 60;
  bool print_;
  std::uint64_t hash_ = 0;
  std::uint64_t count_ = 0;
  std::deque<std::string> last_;
};

// Rare paths that a run of many seeds must have taken. Declared in one list; a hit of another name is a
// mistake.
enum class Footing { embedded, scaled_out };

class Probes {
 public:
  using Names = std::set<std::string, std::less<>>;
  // Of the worlds of one footing.
  static const Names& declared(Footing footing);
  void hit(std::string_view name);
  void add(const Probes& other);
  const std::map<std::string, std::int64_t, std::less<>>& hits() const { return hits_; }

 private:
  std::map<std::string, std::int64_t, std::less<>> hits_;
};

// Which faults a world has and how often: probability at each point of the program, 0 for none.
struct FaultPlan {
  double crash = 0;
  double commit_lost = 0;  // the commit fails, nothing was kept, and nobody can tell
  double commit_kept = 0;  // the commit happened, its answer was lost
  double busy = 0;
  double full = 0;       // the disk is full for some virtual time
  double refuse = 0;     // a stage cannot do its whole batch for now
  double slow = 0;       // a call takes up to two virtual seconds
  double clock = 0;      // the wall clock is stepped (per scheduler step)
  double blob = 0;       // the blob store has no room, or does not answer
  double extract = 0;    // no extractor to be had
  double duplicate = 0;  // a waiting message is there twice (per scheduler step)
  // Deaths a world can have from `crash`: below the deliveries a message may have, so that none is buried for
  // them.
  int crashes = 0;
  int refusals = 0;  // from `refuse`; they count too

  static FaultPlan none() { return {}; }
  // Switches each kind on or off by the seed (swarm testing: Groce et al., ISSTA 2012).
  static FaultPlan swarm(SeededRandom& random);
  std::string describe() const;
};

// What goes wrong besides in a world whose broker is elsewhere: with the way there, the server, and whole
// processes. Probability for each step of the world, or for each call.
struct FleetPlan {
  double drop = 0;          // a connection breaks, on both sides at once or not
  double clog = 0;          // nothing gets through a connection for a while
  double restart = 0;       // the server goes away for a while
  double block = 0;         // it takes no messages for a while
  double remove_queue = 0;  // somebody removes an empty queue
  double freeze = 0;        // a process gets no time for up to a minute
  double stop = 0;          // a process is asked to end, and another one starts
  double clock = 0;         // the wall clock is stepped
  double lost_write = 0;    // of a write or question: the connection breaks in it
  double refuse = 0;        // of a message published
  double late = 0;          // of a confirm
  double conflict = 0;      // of a commit: two transactions were in each other's way

  static FleetPlan swarm(SeededRandom& random);
  std::string describe() const;
};

class Faults final : public storage::CallObserver {
 public:
  Faults(FaultPlan plan, std::uint64_t seed, ManualClock& clock, Trace& trace, Probes& probes)
      : plan_(plan), random_(seed), clock_(&clock), trace_(&trace), probes_(&probes) {}

  // Of the store. SQL texts are single writes, other names whole calls.
  Result<> before(std::string_view call) override;
  Result<> after(std::string_view call) override;
  // A place between two port calls: the process may die or be slow there.
  void point(std::string_view where);
  // Before a plan is applied: the error of a stage that cannot.
  Result<> refuse();
  Result<> blob(bool put);
  Result<> extractor();

  void begin_step() { calls_ = claims_ = 0; }
  // Called wherever others may act.
  void on_pass(std::function<void()> pass) { pass_ = std::move(pass); }
  // From now on nothing fails any more.
  void stop() { active_ = false; }
  bool active() const { return active_; }
  // The scheduler's own faults.
  bool roll_clock() { return active_ && roll(plan_.clock); }
  bool roll_interleave() { return active_ && random_.below(4) == 0; }
  bool roll_duplicate() { return active_ && roll(plan_.duplicate); }
  SeededRandom& random() { return random_; }

 private:
  bool roll(double probability) { return probability > 0 && random_.uniform() < probability; }
  void may_crash(std::string_view where, double weight);

  FaultPlan plan_;
  SeededRandom random_;
  ManualClock* clock_;
  Trace* trace_;
  Probes* probes_;
  bool active_ = true;
  int crashes_ = 0;
  int refusals_ = 0;
  Duration full_until_{-1};
  std::int64_t calls_ = 0, claims_ = 0;
  std::function<void()> pass_;
};

}  // namespace castiel::sim
