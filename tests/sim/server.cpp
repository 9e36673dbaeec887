#include "server.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "model/event_types.hpp"
#include "storage/outbox.hpp"

namespace castiel::sim {

using namespace std::chrono_literals;
using messaging::rabbitmq::Incoming;

namespace {

constexpr Duration kHeartbeats = 40s;      // a silent connection is given up after two of them
constexpr Duration kLongestConfirm = 45s;  // beyond what the client waits for

}  // namespace

void Server::note(const Session& s, const std::string& what) {
  w_->trace.note(fmt::format("connection {} of {} ({}): {}", s.number, s.process, s.name, what));
}

bool Server::Queue::deliverable(const Consumer& c) const {
  if (!c.session->server_up) return false;
  const auto it = c.session->channels.find(c.channel);
  return it != c.session->channels.end() &&
         (it->second.prefetch == 0 || it->second.unacked.size() < it->second.prefetch);
}

// Everything that could happen now, and when there is more.
std::vector<Server::Work> Server::work(Duration& next) {
  std::vector<Work> all;
  const auto at = [&](Duration d) {
    if (d > now()) next = std::min(next, d);
    return d <= now();
  };
  if (blocked_ && at(blocked_until_)) {
    blocked_ = false;
    for (auto& s : sessions_) {
      if (std::exchange(s->told_blocked, false)) tell(*s, messaging::rabbitmq::Blocked{false, {}});
    }
  }
  std::erase_if(sessions_, [](const auto& s) { return !s->server_up && s.use_count() == 1; });
  for (auto& s : sessions_) {
    if (!s->server_up) continue;
    if (at(s->server_notices)) all.push_back({s, "", Work::Kind::notice});
    if (!at(s->clogged_until)) continue;
    const bool waits = blocked_ && !s->up.empty() && s->up.front().kind == Frame::Kind::publish;
    if (!s->up.empty() && !(waits && s->told_blocked)) all.push_back({s, "", Work::Kind::frame});
    if (std::ranges::any_of(s->confirms, [&](const Confirm& c) { return at(c.at); }))
      all.push_back({s, "", Work::Kind::confirm});
  }
  for (auto& [name, queue] : queues_) {
    if (queue.ready.empty() || queue.consumers.empty()) continue;
    const bool can = queue.single ? queue.deliverable(queue.consumers.front())
                                  : std::ranges::any_of(queue.consumers, [&, q = &queue](const auto& c) {
                                      return q->deliverable(c);
                                    });
    if (can) all.push_back({nullptr, name, Work::Kind::deliver});
  }
  return all;
}

void Server::serve() {
  for (;;) {
    Duration next = now() + 1h;
    const auto all = work(next);
    if (all.empty()) {
      fibers_->wait(next, [this] {
        Duration ignored = now() + 1h;
        return !work(ignored).empty();
      });
      continue;
    }
    do_one(all[below(all.size())]);
    fibers_->yield();
  }
}

void Server::do_one(const Work& work) {
  switch (work.kind) {
    case Work::Kind::notice:
      note(*work.session, "server finds out");
      return end(work.session);
    case Work::Kind::frame: {
      auto& s = *work.session;
      if (blocked_ && s.up.front().kind == Frame::Kind::publish) {
        s.told_blocked = true;
        return tell(s, messaging::rabbitmq::Blocked{true, "low on memory"});
      }
      auto frame = std::move(s.up.front());
      s.up.pop_front();
      return process(s, std::move(frame));
    }
    case Work::Kind::confirm:
      return confirm(*work.session);
    case Work::Kind::deliver:
      return deliver(work.queue);
  }
}

void Server::tell(Session& s, Incoming incoming) {
  if (!s.client_up) return;
  s.down.push_back(std::move(incoming));
  fibers_->stir(s.process);
}

void Server::process_all(Session& s) {
  while (!s.up.empty()) {
    auto frame = std::move(s.up.front());
    s.up.pop_front();
    process(s, std::move(frame));
  }
}

void Server::process(Session& s, Frame frame) {
  switch (frame.kind) {
    case Frame::Kind::publish:
      return publish(s, std::move(frame));
    case Frame::Kind::ack:
    case Frame::Kind::reject:
      return settle(s, frame);
    case Frame::Kind::consume: {
      const auto self = std::ranges::find_if(sessions_, [&](const auto& x) { return x.get() == &s; });
      const auto queue = queues_.find(frame.key);
      if (queue == queues_.end()) return break_up(*self, Notice::both, "consumes from a queue that is gone");
      queue->second.consumers.push_back({*self, frame.channel});
      return;
    }
  }
}

void Server::route(const std::string& exchange, const std::string& key, const WireMessage& m,
                   std::set<std::string>& queues) const {
  if (exchange.empty()) {
    if (queues_.contains(key)) queues.insert(key);
    return;
  }
  const auto type = exchanges_.find(exchange);
  if (type == exchanges_.end()) return;
  for (const auto& b : bindings_) {
    if (b.source != exchange) continue;
    bool fits = false;
    if (type->second == "topic") {
      fits = storage::topic_matches(b.key, key);
    } else if (type->second == "direct") {
      fits = b.key == key;
    } else {
      fits = std::ranges::all_of(b.match, [&](const auto& entry) {
        if (entry.first == "x-match") return true;
        const auto it = m.headers.find(entry.first);
        return it != m.headers.end() && it->second == entry.second;
      });
    }
    if (!fits) continue;
    if (b.to_queue) {
      if (queues_.contains(b.destination)) queues.insert(b.destination);
    } else {
      route(b.destination, key, m, queues);
    }
  }
}

void Server::publish(Session& s, Frame frame) {
  auto& channel = s.channels[frame.channel];
  const auto tag = ++channel.published;
  const bool refused = roll(plan_.refuse);
  // A refused message may lie in some of its queues all the same.
  if (!refused || below(2) == 0) {
    std::set<std::string> queues;
    route(frame.exchange, frame.key, frame.message, queues);
    if (queues.empty()) {
      w_->probes.hit("message returned");
      note(s, fmt::format("{} returned", frame.message.id));
      tell(s, messaging::rabbitmq::Returned{"NO_ROUTE", frame.exchange, frame.message});
    }
    for (const auto& name : queues) {
      queues_[name].ready.emplace(next_number_++, Message{frame.message, 0});
      w_->trace.note(fmt::format("{} has {}", name, frame.message.id));
    }
    s.had.insert(tag);
  }
  if (refused) {
    w_->probes.hit("publish refused");
    note(s, fmt::format("{} refused", frame.message.id));
  }
  if (!channel.confirms) return;
  Duration at = now();
  if (roll(plan_.late)) {
    at += soon(below(3) == 0 ? kLongestConfirm : Duration(2s));
    w_->probes.hit("confirm late");
  }
  s.confirms.push_back({at, frame.channel, tag, !refused});
}

// What is due, in any order, or as far as possible at once.
void Server::confirm(Session& s) {
  std::vector<std::size_t> due;
  for (std::size_t i = 0; i < s.confirms.size(); ++i) {
    if (s.confirms[i].at <= now()) due.push_back(i);
  }
  if (due.empty()) return;
  const auto chosen = due[below(due.size())];
  const Confirm c = s.confirms[chosen];
  std::erase_if(s.confirms, [&](const Confirm& o) { return o.channel == c.channel && o.tag == c.tag; });
  bool multiple = false;
  const auto before = [&](const Confirm& o) { return o.channel == c.channel && o.tag < c.tag; };
  if (std::ranges::any_of(s.confirms, before) &&
      std::ranges::all_of(s.confirms, [&](const Confirm& o) { return !before(o) || o.taken == c.taken; })) {
    multiple = true;
    std::erase_if(s.confirms, before);
    w_->probes.hit("several confirmed at once");
  } else if (std::ranges::any_of(s.confirms, before)) {
    w_->probes.hit("confirms out of order");
  }
  tell(s, messaging::rabbitmq::Confirmed{c.channel, c.tag, multiple, c.taken});
}

void Server::settle(Session& s, const Frame& frame) {
  auto& unacked = s.channels[frame.channel].unacked;
  if (!unacked.contains(frame.tag)) {
    violations_.push_back(fmt::format("connection {} of {} ({}): channel {} acknowledged the unknown tag {}",
                                      s.number, s.process, s.name, frame.channel, frame.tag));
    return;
  }
  if (frame.kind == Frame::Kind::reject)
    violations_.push_back(fmt::format("{} was rejected", unacked.at(frame.tag).message.wire.id));
  const auto from = frame.multiple ? unacked.begin() : unacked.find(frame.tag);
  unacked.erase(from, unacked.upper_bound(frame.tag));
}

void Server::deliver(const std::string& name) {
  auto& queue = queues_.at(name);
  // A queue that several work on: in turns.
  if (!queue.single) {
    const auto free =
        std::ranges::find_if(queue.consumers, [&](const auto& c) { return queue.deliverable(c); });
    std::rotate(queue.consumers.begin(), free, queue.consumers.end());
  }
  const auto consumer = queue.consumers.front();
  if (!queue.single) std::rotate(queue.consumers.begin(), queue.consumers.begin() + 1, queue.consumers.end());
  auto& s = *consumer.session;
  auto& channel = s.channels.at(consumer.channel);
  auto node = queue.ready.extract(queue.ready.begin());
  auto& message = node.mapped();
  const auto tag = ++channel.delivered;
  auto wire = message.wire;
  if (message.returns > 0) wire.headers["x-delivery-count"] = std::int64_t{message.returns};
  const bool again = message.returns > 0;
  note(s, fmt::format("gets {} from {}{}", wire.id, name, again ? " again" : ""));
  channel.unacked.emplace(tag, Unacked{name, node.key(), std::move(message)});
  tell(s, messaging::rabbitmq::Delivered{consumer.channel, tag, again, std::move(wire)});
}

void Server::close_channel(Session& s, int number) {
  for (auto& [name, queue] : queues_) {
    std::erase_if(queue.consumers,
                  [&](const Consumer& c) { return c.session.get() == &s && c.channel == number; });
  }
  const auto it = s.channels.find(number);
  if (it == s.channels.end()) return;
  for (auto& [tag, u] : it->second.unacked) {
    u.message.returns += 1;
    if (const auto queue = queues_.find(u.queue); queue != queues_.end())
      queue->second.ready.emplace(u.number, std::move(u.message));
  }
  s.channels.erase(it);
}

void Server::end(const std::shared_ptr<Session>& s) {
  s->server_up = false;
  s->up.clear();
  s->confirms.clear();
  if (!s->had.empty()) w_->probes.hit("confirm lost after the broker had it");
  while (!s->channels.empty()) close_channel(*s, s->channels.begin()->first);
  fibers_->stir(kServerProcess);
}

void Server::break_up(const std::shared_ptr<Session>& s, Notice notice, const char* why) {
  note(*s, fmt::format("breaks, {}{}", why,
                       notice == Notice::both           ? ""
                       : notice == Notice::client_first ? ", the client knows first"
                                                        : ", the server knows first"));
  // Some of what was sent arrives yet.
  if (s->server_up && notice != Notice::server_first) {
    for (auto n = below(s->up.size() + 1); n > 0 && !s->up.empty(); --n) {
      auto frame = std::move(s->up.front());
      s->up.pop_front();
      process(*s, std::move(frame));
    }
    s->up.clear();
  }
  const bool client = notice != Notice::server_first, server = notice != Notice::client_first;
  if (client) {
    s->client_up = false;
    s->down.clear();
  } else if (s->client_up) {
    s->client_notices = std::min(s->client_notices, now() + soon(kHeartbeats));
    s->down.clear();
  }
  if (server && s->server_up) end(s);
  if (!server && s->server_up) {
    s->server_notices = std::min(s->server_notices, now() + soon(kHeartbeats));
    w_->probes.hit("the server thinks a dead connection alive");
  }
  if (!client) w_->probes.hit("a client thinks a dead connection alive");
  fibers_->stir(s->process);
  fibers_->stir(kServerProcess);
}

void Server::dies(int process) {
  const auto all = sessions_;
  for (const auto& s : all) {
    if (s->process != process || !s->client_up) continue;
    // With its machine: nobody tells the server.
    break_up(s, s->server_up && below(4) == 0 && w_->faults.active() ? Notice::client_first : Notice::both,
             "its process died");
  }
}

std::shared_ptr<Server::Session> Server::any_session(bool publishing) {
  std::vector<std::shared_ptr<Session>> all;
  for (const auto& s : sessions_) {
    if (s->client_up && s->server_up && (!publishing || s->publishes)) all.push_back(s);
  }
  return all.empty() ? nullptr : all[below(all.size())];
}

// An empty queue that is alone in what it takes: a message that goes to others, too, would not come back.
void Server::remove_a_queue() {
  std::vector<std::string> all;
  for (const auto& [name, queue] : queues_) {
    const auto own = [&](std::string_view logical) {
      return name.starts_with(logical) && name.size() > logical.size() && name[logical.size()] == '.' &&
             !name.ends_with(".dead");
    };
    const bool waits = std::ranges::any_of(sessions_, [&](const auto& s) {
      return std::ranges::any_of(s->channels, [&](const auto& c) {
        return std::ranges::any_of(c.second.unacked, [&](const auto& u) { return u.second.queue == name; });
      });
    });
    if (queue.ready.empty() && !waits && (own(model::queue::kDataRaw) || own(model::queue::kRelations)))
      all.push_back(name);
  }
  if (all.empty()) return;
  const auto name = all[below(all.size())];
  w_->trace.note(fmt::format("fault: queue {} is removed", name));
  w_->probes.hit("queue removed");
  const auto consumers = queues_.at(name).consumers;
  queues_.erase(name);
  std::erase_if(bindings_, [&](const Binding& b) { return b.to_queue && b.destination == name; });
  for (const auto& c : consumers)
    if (c.session->server_up) tell(*c.session, messaging::rabbitmq::Cancelled{c.channel, name});
}

void Server::misbehave() {
  if (!w_->faults.active()) return;
  if (roll(plan_.drop)) {
    if (const auto s = any_session(below(3) == 0)) {
      const auto how = below(4);
      break_up(s,
               how == 0   ? Notice::client_first
               : how == 1 ? Notice::server_first
                          : Notice::both,
               "by itself");
      w_->probes.hit("connection dropped");
    }
  }
  if (roll(plan_.clog)) {
    if (const auto s = any_session(below(3) == 0)) {
      const Duration longest = below(4) == 0 ? Duration(60s) : Duration(5s);
      const Duration until = now() + soon(longest);
      s->clogged_until = std::max(s->clogged_until, until);
      w_->probes.hit("path clogged");
      note(*s, "clogged");
      if (until - now() > kHeartbeats) {
        s->client_notices = std::min(s->client_notices, now() + kHeartbeats);
        s->server_notices = std::min(s->server_notices, now() + kHeartbeats);
      }
    }
  }
  if (roll(plan_.block) && !blocked_) {
    blocked_ = true;
    blocked_until_ = now() + soon(20s);
    w_->probes.hit("broker blocked");
    w_->trace.note("fault: the broker takes no messages");
  }
  if (roll(plan_.remove_queue)) remove_a_queue();
  if (roll(plan_.restart)) {
    w_->trace.note("fault: the broker restarts");
    w_->probes.hit("broker restarted");
    down_until_ = now() + soon(15s);
    const auto all = sessions_;
    for (const auto& s : all) {
      if (s->server_up || s->client_up) break_up(s, Notice::both, "the broker restarts");
    }
  }
}

bool Server::drained() const {
  for (const auto& [name, queue] : queues_) {
    if (!queue.ready.empty()) return false;
  }
  return std::ranges::all_of(sessions_, [](const auto& s) {
    return !s->server_up ||
           (s->up.empty() && s->confirms.empty() &&
            std::ranges::all_of(s->channels, [](const auto& c) { return c.second.unacked.empty(); }));
  });
}

std::string Server::describe() const {
  std::string text;
  for (const auto& [name, queue] : queues_) {
    if (!queue.ready.empty())
      text += fmt::format("\n    {}: {} ready, first {}, {} consumers", name, queue.ready.size(),
                          queue.ready.begin()->second.wire.id, queue.consumers.size());
  }
  for (const auto& s : sessions_) {
    std::size_t unacked = 0;
    for (const auto& [number, c] : s->channels) unacked += c.unacked.size();
    if (unacked + s->up.size() + s->confirms.size() > 0)
      text += fmt::format("\n    connection {} of {} ({}): {} unacknowledged, {} frames, {} confirms{}{}",
                          s->number, s->process, s->name, unacked, s->up.size(), s->confirms.size(),
                          s->client_up ? "" : ", client gone", s->server_up ? "" : ", server gone");
  }
  return text;
}

}  // namespace castiel::sim
