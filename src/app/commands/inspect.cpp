// `castiel inspect`: what is read out of files, without storing anything.

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <map>
#include <mutex>
#include <optional>
#include <thread>

#include "app/extractor.hpp"
#include "app/impl/command_line.hpp"
#include "base/utf8.hpp"
#include "content/calendar/calendar.hpp"
#include "content/chat/chat.hpp"
#include "content/documents/analyse.hpp"
#include "content/mail/analyse.hpp"
#include "content/text_encoding.hpp"
#include "content/transcripts/analyse.hpp"
#include "content/values.hpp"

namespace castiel::app {

namespace {

constexpr std::uint64_t kMaxInputBytes = 256u << 20;
// A file ends within 60 s and 512 MiB, all told: the worker gets a part of both.
constexpr Duration kParseLimit = std::chrono::seconds(45), kFileLimit = std::chrono::seconds(50);
constexpr std::uint64_t kWorkerMemoryBytes = 384u << 20;
constexpr std::size_t kReaders = 2;
constexpr std::size_t kMaxAhead = 8;  // files read before the one that is printed next
constexpr std::size_t kChunkBytes = 1u << 20;
constexpr std::size_t kShownText = 2'000;  // characters, without --json

struct InspectOptions {
  std::vector<std::string> files;
  std::string as, at, zone = "UTC", from, to;
};

struct Question {
  std::string as;
  content::text::Context context;
  std::optional<Date> from, to;
};

std::unexpected<Error> unreadable(const std::string& file, int error) {
  return permanent("unreadable", fmt::format("'{}' cannot be read", file), std::strerror(error));
}

Result<std::string> read_file(const std::string& file) {
  const bool standard_input = file == "-";
  const int fd = standard_input ? STDIN_FILENO : ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return unreadable(file, errno);
  std::string bytes;
  int error = 0;
  // A string that grows by itself would be there twice for a moment.
  struct stat found{};
  const auto size =
      ::fstat(fd, &found) == 0 && S_ISREG(found.st_mode) ? static_cast<std::uint64_t>(found.st_size) : 0;
  if (size <= kMaxInputBytes) bytes.reserve(static_cast<std::size_t>(size) + 2 * kChunkBytes);
  for (bool too_large = size > kMaxInputBytes; !too_large;) {
    const std::size_t have = bytes.size();
    bytes.resize(have + kChunkBytes);
    const ssize_t got = ::read(fd, bytes.data() + have, kChunkBytes);
    bytes.resize(have + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) error = errno;
    too_large = bytes.size() > kMaxInputBytes;
    if (got <= 0) break;
  }
  if (!standard_input) ::close(fd);
  if (error != 0) return unreadable(file, error);
  if (size > kMaxInputBytes || bytes.size() > kMaxInputBytes)
    return permanent("too_large", fmt::format("'{}' has more than {} MiB", file, kMaxInputBytes >> 20));
  return bytes;
}

Result<json::object> inspect_text(const std::string& bytes, const content::text::Context& context) {
  CASTIEL_ASSIGN(const auto encoding, content::detect_encoding(bytes));
  return content::text::analyse(content::decode_text(bytes, encoding), context);
}

void drop_parts(json::object& structure, std::string_view list) {
  auto* files = structure.if_contains(list);
  if (files == nullptr || !files->is_array()) return;
  for (auto& file : files->get_array())
    if (file.is_object()) file.get_object().erase("part");
}

// A parsed structure with what its words say.
json::object analyse(json::object structure, const content::text::Context& context) {
  const std::string kind = string_or(structure, "kind");
  if (kind == "email") {
    if (auto* invitation = structure.if_contains("calendar");
        invitation != nullptr && invitation->is_object())
      *invitation = content::calendar::analyse_calendar(std::move(invitation->get_object()), {});
    return content::mail::analyse_message(std::move(structure), context);
  }
  if (kind == "mailbox") return content::mail::analyse_mailbox(std::move(structure), context);
  if (kind == "transcript") return content::transcripts::analyse_transcript(std::move(structure), context);
  if (kind == "calendar") return content::calendar::analyse_calendar(std::move(structure), {});
  if (kind == "chat") return content::chat::analyse_chat(std::move(structure), context);
  drop_parts(structure, "embedded");
  drop_parts(structure, "files");
  if (kind == "document") return content::documents::analyse_document(std::move(structure), context);
  return structure;
}

// The codes that interface.md gives for files.
Error for_a_file(Error error) {
  if (error.code == "crashed") error.code = "corrupt";
  if (error.code == "deadline_exceeded") error.code = "timeout";
  return error;
}

Result<json::object> inspect_one(const std::string& file, const Question& question,
                                 extract::Extractor& extractor, const Clock& clock) {
  CASTIEL_ASSIGN(const std::string bytes, read_file(file));
  if (question.as == "text") return inspect_text(bytes, question.context);
  extract::Request request;
  request.as = question.as;
  request.name = file == "-" ? "" : file.substr(file.find_last_of('/') + 1);
  request.bytes = bytes;
  request.nested_text = true;
  request.from = question.from;
  request.to = question.to;
  auto extracted = extractor.extract(request, Deadline::after(clock, kFileLimit));
  if (!extracted) return std::unexpected(for_a_file(std::move(extracted.error())));
  return analyse(std::move(extracted->structure), question.context);
}

// Reads files with some threads and hands the outcomes on in the order of the files.
class Inspection {
 public:
  Inspection(const std::vector<std::string>& files, const Question& question, extract::Extractor& extractor,
             const Clock& clock)
      : files_(files), question_(question), extractor_(extractor), clock_(clock) {
    for (std::size_t i = 0; i < std::min(kReaders, files.size()); ++i)
      threads_.emplace_back([this] { read(); });
  }
  ~Inspection() {
    {
      std::lock_guard lock(mutex_);
      next_ = files_.size();
    }
    changed_.notify_all();
    for (auto& thread : threads_) thread.join();
  }

  Result<json::object> take(std::size_t index) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return outcomes_.contains(index); });
    auto outcome = std::move(outcomes_.extract(index).mapped());
    taken_ = index + 1;
    changed_.notify_all();
    return outcome;
  }

 private:
  void read() {
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [&] { return next_ >= files_.size() || next_ < taken_ + kMaxAhead; });
      if (next_ >= files_.size()) return;
      const std::size_t index = next_++;
      lock.unlock();
      auto outcome = inspect_one(files_[index], question_, extractor_, clock_);
      lock.lock();
      outcomes_.emplace(index, std::move(outcome));
      changed_.notify_all();
    }
  }

  const std::vector<std::string>& files_;
  const Question& question_;
  extract::Extractor& extractor_;
  const Clock& clock_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t next_ = 0, taken_ = 0;
  std::map<std::size_t, Result<json::object>> outcomes_;
  std::vector<std::thread> threads_;
};

// What a person looks for first, then the text.
void print_for_reading(const std::string& file, const json::object& found) {
  fmt::print("{}: {}\n", file, string_or(found, "kind"));
  for (const auto& [key, value] : found) {
    const std::string name(key);
    if (name == "kind" || name == "text" || name == "html" || name == "replyText" || name == "quotedText")
      continue;
    if (value.is_string()) {
      if (!value.get_string().empty())
        fmt::print("  {:<14} {}\n", name, std::string_view(value.get_string()));
    } else if (value.is_array()) {
      const auto& items = value.get_array();
      const bool words = !items.empty() && std::ranges::all_of(items, &json::value::is_string);
      if (!items.empty())
        fmt::print("  {:<14} {}\n", name,
                   words ? json::serialize(value) : fmt::format("{} of them", items.size()));
    } else if (value.is_number()) {
      fmt::print("  {:<14} {}\n", name, json::serialize(value));
    } else if (value.is_object()) {
      fmt::print("  {:<14} {}\n", name, utf8_prefix(json::serialize(value), kShownText));
    }
  }
  const auto text = get_string(found, "replyText").value_or(get_string(found, "text").value_or(""));
  if (!text.empty())
    fmt::print("\n{}{}\n", utf8_prefix(text, kShownText), text.size() > kShownText ? " …" : "");
  fmt::print("\n");
}

void print(const GlobalOptions& global, const std::string& file, bool several, Result<json::object> outcome) {
  if (!global.json) {
    if (outcome) {
      print_for_reading(file, *outcome);
    } else {
      fmt::print(stderr, "castiel: {}: {} [{}]\n", file, outcome.error().describe(), outcome.error().code);
    }
    return;
  }
  json::object line;
  if (several) line["file"] = file;
  if (outcome) {
    for (auto& [key, value] : *outcome) line[key] = std::move(value);
  } else {
    line["error"] = {{"code", outcome.error().code}, {"message", outcome.error().describe()}};
  }
  print_line(line);
}

Result<Date> date_of_option(std::string_view name, const std::string& text) {
  if (const auto date = parse_date(text)) return *date;
  if (const auto time = parse_timestamp(text)) return date_of(*time);
  return permanent("invalid_parameter",
                   fmt::format("--{} takes a date such as 2024-05-31, not '{}'", name, text));
}

Result<Question> question_of(const InspectOptions& options, const Clock& clock) {
  Question question;
  question.as = options.as;
  const auto zone = content::TimeZone::find(options.zone);
  if (!zone) return permanent("invalid_parameter", fmt::format("there is no time zone '{}'", options.zone));
  question.context = {clock.now(), options.zone};
  if (!options.at.empty()) {
    if (const auto time = parse_timestamp(options.at)) {
      question.context.at = *time;
    } else if (const auto local = content::parse_time_value(options.at, {content::DateOrder::ymd, *zone})) {
      question.context.at = local->time;
    } else {
      return permanent("invalid_parameter",
                       fmt::format("--at takes a time such as 2024-05-31T10:00:00Z, not '{}'", options.at));
    }
  }
  if (options.from.empty() != options.to.empty())
    return permanent("invalid_parameter", "--from and --to are given together");
  if (!options.from.empty()) {
    CASTIEL_ASSIGN(question.from, date_of_option("from", options.from));
    CASTIEL_ASSIGN(question.to, date_of_option("to", options.to));
  }
  return question;
}

int inspect(const GlobalOptions& global, const Environment& environment, const InspectOptions& options) {
  const auto question = question_of(options, environment.clock);
  if (!question) return fail(question.error(), global.json);
  const auto program = program_options(global, environment, false);
  if (!program) return fail(program.error(), global.json);
  auto pool_options = extractor_options(program->settings, program->programs);
  pool_options.workers = std::min(kReaders, options.files.size());
  pool_options.max_memory_bytes = std::min(pool_options.max_memory_bytes, kWorkerMemoryBytes);
  pool_options.time_limit = std::min(pool_options.time_limit, kParseLimit);
  // Standard error belongs to the files' errors; what happens to workers is told when asked for.
  const auto pool = extract::make_worker_pool(pool_options, environment.clock,
                                              global.log_level.empty() ? telemetry::Log() : program->log);
  const bool several = options.files.size() > 1;
  bool all_read = true;
  Inspection inspection(options.files, *question, *pool, environment.clock);
  for (std::size_t i = 0; i < options.files.size(); ++i) {
    auto outcome = inspection.take(i);
    all_read = all_read && outcome.has_value();
    print(global, options.files[i], several, std::move(outcome));
    if (several) std::fflush(stdout);
  }
  if (all_read) return kDone;
  return several ? kDoneWithProblems : kFailed;
}

}  // namespace

void add_inspect(Cli& cli) {
  auto* command = cli.app.add_subcommand("inspect", "parse and analyse files, storing nothing");
  command->footer(
      "Examples:\n  castiel inspect offer.pdf\n  castiel inspect mail/*.eml --json\n"
      "  castiel inspect team.ics --from 2024-05-01 --to 2024-06-01 --json\n"
      "  echo 'Let us meet next Tuesday' | castiel inspect - --as text --at 2024-05-01T09:00:00Z --json");
  auto options = std::make_shared<InspectOptions>();
  command->add_option("file", options->files, "files, or - for standard input")->required();
  command->add_option("--as", options->as, "what it is (default: by its content)")
      ->check(CLI::IsMember({"document", "email", "transcript", "calendar", "chat", "archive", "text"}));
  command->add_option("--at", options->at, "the time that words such as \"tomorrow\" refer to (default now)");
  command->add_option("--timezone", options->zone, "zone of local times, an IANA name (default UTC)");
  command->add_option("--from", options->from, "calendar: first day of the occurrences listed");
  command->add_option("--to", options->to, "calendar: the day after the last one");
  command->callback([&cli, options] {
    cli.chosen = [&cli, options] { return inspect(cli.global, cli.environment, *options); };
  });
}

}  // namespace castiel::app
