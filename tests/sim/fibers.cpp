#include "fibers.hpp"

#include <cxxabi.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <exception>

#include "faults.hpp"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#elif defined(__SANITIZE_THREAD__)
#include <sanitizer/tsan_interface.h>
#endif

namespace castiel::sim {

namespace {

constexpr std::size_t kStackBytes = std::size_t{1} << 20;  // taken page by page as it is used
constexpr unsigned kUsual = 16;                            // how often a fiber is picked, beside others

}  // namespace

Fibers::~Fibers() {
  while (!fibers_.empty()) kill(fibers_.front()->process);
}

void Fibers::spawn(int process, std::string name, Body body) {
  auto fiber = std::make_unique<Fiber>();
  fiber->process = process;
  fiber->name = std::move(name);
  fiber->body = std::move(body);
  // Some are far slower than others, so that whole steps of some go by while others make one call.
  fiber->weight = random_->below(4) == 0 ? 1 + static_cast<unsigned>(random_->below(4)) : kUsual;
  auto* raw = fiber.get();
  boost::context::protected_fixedsize_stack stacks(kStackBytes);
  auto stack = stacks.allocate();
  fiber->stack.bottom = static_cast<const char*>(stack.sp) - stack.size;
  fiber->stack.bytes = stack.size;
#if defined(__SANITIZE_THREAD__)
  fiber->stack.thread = __tsan_create_fiber(0);
#endif
  fiber->context =
      boost::context::fiber(std::allocator_arg, boost::context::preallocated(stack.sp, stack.size, stack),
                            stacks, [this, raw](boost::context::fiber&& scheduler) {
                              scheduler_ = std::move(scheduler);
                              arrive(nullptr, &scheduler_stack_);
                              run(*raw);
                              depart(nullptr, scheduler_stack_);
                              return std::move(scheduler_);
                            });
  fibers_.push_back(std::move(fiber));
}

void Fibers::run(Fiber& fiber) {
  try {
    if (!fiber.killed) fiber.body();
  } catch (const Killed&) {
  } catch (const Crash& crash) {
    fiber.died = crash.where;
  } catch (const Stuck&) {
    fiber.escaped = std::current_exception();
  }
  fiber.done = true;
}

Fibers::Fiber::~Fiber() {
#if defined(__SANITIZE_THREAD__)
  if (stack.thread != nullptr) __tsan_destroy_fiber(stack.thread);
#endif
}

// Around each switch: `from` is where it comes back, nothing if never.
void Fibers::depart([[maybe_unused]] Stack* from, [[maybe_unused]] const Stack& to) {
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_start_switch_fiber(from == nullptr ? nullptr : &from->fake, to.bottom, to.bytes);
#elif defined(__SANITIZE_THREAD__)
  __tsan_switch_to_fiber(to.thread, 0);
#endif
}
void Fibers::arrive([[maybe_unused]] const Stack* here, [[maybe_unused]] Stack* before) {
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(here == nullptr ? nullptr : here->fake,
                                  before == nullptr ? nullptr : &before->bottom,
                                  before == nullptr ? nullptr : &before->bytes);
#endif
}

void Fibers::resume(Fiber& fiber) {
#if defined(__SANITIZE_THREAD__)
  scheduler_stack_.thread = __tsan_get_current_fiber();
#endif
  auto* globals = reinterpret_cast<char*>(abi::__cxa_get_globals());
  Globals mine;
  std::memcpy(&mine, globals, sizeof mine);
  std::memcpy(globals, &fiber.globals, sizeof mine);
  auto* before = std::exchange(current_, &fiber);
  depart(&scheduler_stack_, fiber.stack);
  fiber.context = std::move(fiber.context).resume();
  arrive(&scheduler_stack_, nullptr);
  current_ = before;
  std::memcpy(&fiber.globals, globals, sizeof mine);
  std::memcpy(globals, &mine, sizeof mine);
}

void Fibers::leave() {
  auto* self = current_;
  depart(&self->stack, scheduler_stack_);
  scheduler_ = std::move(scheduler_).resume();
  arrive(&self->stack, &scheduler_stack_);
  if (self->killed && std::uncaught_exceptions() == 0) throw Killed{};
}

void Fibers::yield() {
  if (current_ == nullptr || quiet_ > 0 || std::uncaught_exceptions() > 0) return;
  if (current_->killed) throw Killed{};
  leave();
}

void Fibers::wait(Duration until, Ready ready) {
  if (std::uncaught_exceptions() > 0) return;
  if (current_->killed) throw Killed{};
  stir(current_->process);
  current_->waiting = true;
  current_->until = until;
  current_->ready = std::move(ready);
  leave();
}

void Fibers::stir(int process) {
  for (auto& fiber : fibers_) {
    if (!fiber->waiting || (process != 0 && fiber->process != process)) continue;
    if (fiber.get() != current_ && fiber->ready && fiber->ready()) fiber->waiting = false;
  }
}

int Fibers::process() const {
  return current_ == nullptr ? 0 : current_->process;
}

const std::string& Fibers::name() const {
  return current_->name;
}

bool Fibers::frozen(int process) const {
  const auto it = frozen_.find(process);
  return it != frozen_.end() && it->second > clock_->monotonic();
}

bool Fibers::has(int process) const {
  return std::ranges::any_of(fibers_, [&](const auto& f) { return f->process == process; });
}

void Fibers::wake_due() {
  const Duration now = looked_ = clock_->monotonic();
  for (auto& fiber : fibers_) {
    if (fiber->waiting && (fiber->until <= now || (fiber->ready && fiber->ready()))) fiber->waiting = false;
  }
}

bool Fibers::run_one(std::optional<Death>& death) {
  death.reset();
  const auto total = [&] {
    std::uint64_t sum = 0;
    for (const auto& fiber : fibers_) {
      if (!fiber->waiting && !frozen(fiber->process)) sum += fiber->weight;
    }
    return sum;
  };
  std::uint64_t all = total();
  if (all == 0 || looked_ != clock_->monotonic()) {
    wake_due();
    all = total();
    if (all == 0) return false;
  }
  std::uint64_t pick = random_->below(all);
  Fiber* chosen = nullptr;
  for (auto& fiber : fibers_) {
    if (fiber->waiting || frozen(fiber->process)) continue;
    if (pick < fiber->weight) {
      chosen = fiber.get();
      break;
    }
    pick -= fiber->weight;
  }
  ++switches_;
  resume(*chosen);
  if (!chosen->done) return true;
  if (chosen->died) death = Death{chosen->process, *chosen->died};
  const auto escaped = chosen->escaped;
  std::erase_if(fibers_, [&](const auto& f) { return f.get() == chosen; });
  if (escaped) std::rethrow_exception(escaped);
  return true;
}

void Fibers::kill(int process) {
  frozen_.erase(process);
  pokes_.erase(process);
  // Each unwinds at the call in which it stands; none does anything more.
  for (std::size_t i = 0; i < fibers_.size();) {
    auto& fiber = *fibers_[i];
    if (fiber.process != process) {
      ++i;
      continue;
    }
    fiber.killed = true;
    while (!fiber.done) resume(fiber);
    fibers_.erase(fibers_.begin() + static_cast<std::ptrdiff_t>(i));
  }
}

std::optional<Duration> Fibers::next_wake() const {
  std::optional<Duration> next;
  const auto at = [&](Duration d) {
    if (!next || d < *next) next = d;
  };
  for (const auto& fiber : fibers_) {
    if (frozen(fiber->process)) {
      at(frozen_.at(fiber->process));
    } else if (fiber->waiting) {
      at(fiber->until);
    }
  }
  return next;
}

std::string Fibers::describe() const {
  std::string text;
  for (const auto& fiber : fibers_) {
    text += fmt::format("\n    {} {}{}{}", fiber->process, fiber->name, fiber->waiting ? " waits" : "",
                        frozen(fiber->process) ? " (frozen)" : "");
  }
  return text;
}

}  // namespace castiel::sim
