#include "http/event_stream.hpp"

#include <algorithm>
#include <utility>

namespace castiel::http {

namespace {

void append_event(std::string& out, std::string_view name, std::string_view data) {
  if (!name.empty()) {
    out += "event: ";
    out += name;
    out += '\n';
  }
  // Each line of the data is a field of its own, or the rest would be read as another field.
  for (;;) {
    const auto end = data.find_first_of("\r\n");
    out += "data: ";
    out += data.substr(0, end);
    out += '\n';
    if (end == std::string_view::npos) break;
    data.remove_prefix(end + (data.substr(end, 2) == "\r\n" ? 2 : 1));
  }
  out += '\n';
}

}  // namespace

void EventStream::wake(std::unique_lock<std::mutex>& lock) {
  const auto call = wake_;
  lock.unlock();
  if (call) call();
}

bool EventStream::publish(std::string_view event, std::string data, Delivery delivery) {
  std::unique_lock lock(mutex_);
  if (closed_ || gone_) return false;
  if (delivery == Delivery::latest) {
    const auto waiting = std::ranges::find(events_, event, &Event::name);
    if (waiting != events_.end()) {
      bytes_ -= waiting->data.size();
      bytes_ += data.size();
      waiting->data = std::move(data);
      return true;
    }
  }
  bytes_ += event.size() + data.size();
  events_.push_back({std::string(event), std::move(data)});
  while (events_.size() > 1 && (events_.size() > options_.max_events || bytes_ > options_.max_bytes)) {
    bytes_ -= events_.front().name.size() + events_.front().data.size();
    events_.pop_front();
    ++dropped_;
  }
  wake(lock);
  return true;
}

void EventStream::close() {
  std::unique_lock lock(mutex_);
  closed_ = true;
  wake(lock);
}

bool EventStream::closed() const {
  std::lock_guard lock(mutex_);
  return closed_ || gone_;
}

std::uint64_t EventStream::dropped() const {
  std::lock_guard lock(mutex_);
  return dropped_;
}

void EventStream::attach(std::function<void()> wake) {
  std::lock_guard lock(mutex_);
  wake_ = std::move(wake);
}

void EventStream::detach() {
  std::function<void()> old;
  std::lock_guard lock(mutex_);
  old.swap(wake_);
  gone_ = true;
  events_.clear();
  bytes_ = 0;
}

bool EventStream::drain(std::string& out) {
  std::lock_guard lock(mutex_);
  if (dropped_ > dropped_told_ && options_.format == Format::events) {
    append_event(out, "dropped", R"({"count":)" + std::to_string(dropped_ - dropped_told_) + "}");
    dropped_told_ = dropped_;
  }
  for (auto& event : events_) {
    if (options_.format == Format::events) {
      append_event(out, event.name, event.data);
    } else {
      std::ranges::replace_if(event.data, [](char c) { return c == '\n' || c == '\r'; }, ' ');
      out += event.data;
      out += '\n';
    }
  }
  events_.clear();
  bytes_ = 0;
  return closed_;
}

}  // namespace castiel::http
