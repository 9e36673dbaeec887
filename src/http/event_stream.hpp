#pragma once
// EventStream: a bounded queue of events to one client, as server-sent events or as lines. Producers and
// the server share it; all functions are thread-safe and none blocks.

#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>

namespace castiel::http {

class EventStream {
 public:
  enum class Format {
    events,  // text/event-stream
    lines,   // application/x-ndjson: the data of each event is one line
  };
  struct Options {
    Format format = Format::events;
    std::size_t max_events = 256;
    std::size_t max_bytes = 1 << 20;
  };
  enum class Delivery {
    each,    // every event, the oldest is dropped when the client is too slow
    latest,  // only the newest of this name counts: it replaces one that still waits
  };

  EventStream() : EventStream(Options{}) {}
  explicit EventStream(Options options) : options_(options) {}

  // False when the stream is closed: the producer lets go of it. `event` has no line breaks. When events had
  // to be dropped, the client is told by an event "dropped" with their number (format events only).
  bool publish(std::string_view event, std::string data, Delivery delivery = Delivery::each);
  // What is queued is still sent, then the response ends.
  void close();
  bool closed() const;
  std::uint64_t dropped() const;
  Format format() const { return options_.format; }

  // The server's side. `wake` is called without the lock after each publish() and close() until detach().
  void attach(std::function<void()> wake);
  // The client is gone: nothing is kept from now on.
  void detach();
  // Moves the waiting events, rendered, to `out`. True when the stream ended with them.
  bool drain(std::string& out);

 private:
  struct Event {
    std::string name;
    std::string data;
  };
  void wake(std::unique_lock<std::mutex>& lock);

  const Options options_;
  mutable std::mutex mutex_;
  std::deque<Event> events_;
  std::size_t bytes_ = 0;
  std::uint64_t dropped_ = 0;
  std::uint64_t dropped_told_ = 0;
  bool closed_ = false;
  bool gone_ = false;
  std::function<void()> wake_;
};

}  // namespace castiel::http
