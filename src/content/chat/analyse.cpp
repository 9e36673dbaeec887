#include <algorithm>
#include <array>
#include <cmath>
#include <span>

#include "base/time.hpp"
#include "content/chat/chat.hpp"

namespace castiel::content::chat {
namespace {

constexpr double kWeightOfReactions = 0.5;  // against the words; all of it where there are none

// Slack's names and Graph's.
constexpr std::array<std::string_view, 26> kGood = {"+1",
                                                    "thumbsup",
                                                    "heart",
                                                    "tada",
                                                    "clap",
                                                    "fire",
                                                    "rocket",
                                                    "100",
                                                    "white_check_mark",
                                                    "smile",
                                                    "smiley",
                                                    "grin",
                                                    "joy",
                                                    "heart_eyes",
                                                    "raised_hands",
                                                    "pray",
                                                    "star",
                                                    "muscle",
                                                    "ok_hand",
                                                    "partying_face",
                                                    "blush",
                                                    "sparkles",
                                                    "trophy",
                                                    "like",
                                                    "laugh",
                                                    "heavy_check_mark"};
constexpr std::array<std::string_view, 15> kBad = {
    "-1", "thumbsdown", "angry",   "rage",     "cry",      "sob", "disappointed", "confused",
    "x",  "warning",    "worried", "facepalm", "no_entry", "sad", "broken_heart"};
constexpr std::array<std::string_view, 14> kUrgent = {
    "urgent",   "asap",        "blocker", "blocked", "critical",   "escalat", "outage",
    "deadline", "immediately", "eod",     "churn",   "cancel the", "legal",   "at risk"};

// How the reactions lean, -1 to 1; nothing when none of them says anything.
std::optional<double> lean_of(const json::object& message) {
  const auto* reactions = get_array(message, "reactions");
  if (reactions == nullptr) return std::nullopt;
  double sum = 0, count = 0;
  for (const auto& item : *reactions) {
    if (!item.is_object()) continue;
    auto name = string_or(item.get_object(), "name");
    name = name.substr(0, name.find("::"));  // the tone of the skin
    const auto times = static_cast<double>(int_or(item.get_object(), "count", 1));
    const bool good =
        std::ranges::find(kGood, name) != kGood.end() || name == "\xF0\x9F\x91\x8D" || name == "\xE2\x9D\xA4";
    const bool bad = std::ranges::find(kBad, name) != kBad.end();
    if (!good && !bad) continue;
    sum += good ? times : -times;
    count += times;
  }
  if (count == 0) return std::nullopt;
  // One thumb says less than ten.
  return sum / count * (1 - 1 / (1 + count));
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  }
  return out;
}

// About the channel itself, or by a program: no one says anything.
bool is_speech(const json::object& message) {
  if (bool_or(message, "bot", false)) return false;
  const auto subtype = string_or(message, "subtype");
  return subtype.empty() || subtype == "thread_broadcast" || subtype == "file_share" ||
         subtype == "me_message";
}

std::string importance_of(const json::object& message, bool speech, bool has_items) {
  if (!speech) return "low";
  const auto text = lower(string_or(message, "text"));
  if (bool_or(message, "markedImportant", false)) return "high";
  if (std::ranges::any_of(kUrgent,
                          [&](std::string_view word) { return text.find(word) != std::string::npos; }))
    return "high";
  if (const auto* mentions = get_array(message, "mentions")) {
    for (const auto& mention : *mentions) {
      const auto id = mention.is_object() ? string_or(mention.get_object(), "id") : std::string();
      if (id == "channel" || id == "everyone" || id == "here") return "high";
    }
  }
  const auto* files = get_array(message, "files");
  const bool bare = text.size() < 25 && !has_items && text.find('?') == std::string::npos &&
                    (files == nullptr || files->empty());
  return bare ? "low" : "normal";
}

void analyse_message(json::object& message, const text::Context& context) {
  const auto words = string_or(message, "text");
  const bool speech = is_speech(message);
  auto own = context;
  if (const auto sent = parse_timestamp(string_or(message, "sentAt"))) own.at = *sent;
  text::Speech who{string_or(message, "userName", string_or(message, "userId")), {}, true, {}};
  if (const auto* mentions = get_array(message, "mentions")) {
    for (const auto& mention : *mentions) {
      const auto name = mention.is_object() ? string_or(mention.get_object(), "name") : std::string();
      if (!name.empty() && name != "here" && name != "channel" && name != "everyone")
        who.addressees.push_back(name);
    }
  }
  std::vector<text::ActionItem> items;
  if (speech && !words.empty()) items = text::find_action_items(words, who, own);
  double feeling = speech && !words.empty() ? text::sentiment(words) : 0;
  if (const auto lean = lean_of(message)) {
    feeling = feeling == 0 ? *lean : (1 - kWeightOfReactions) * feeling + kWeightOfReactions * *lean;
  }
  json::array topics;
  if (speech) {
    for (const auto& topic : text::topics(words)) topics.push_back(json::string(topic));
  }
  message["sentiment"] = std::clamp(feeling, -1.0, 1.0);
  message["topics"] = std::move(topics);
  message["amounts"] = speech ? text::to_json(text::find_amounts(words)) : json::array();
  message["dates"] = speech ? text::dates_with_sentences(words, own) : json::array();
  message["importance"] = importance_of(message, speech, !items.empty());
  message["actionItems"] = text::to_json(items);
}

}  // namespace

json::object analyse_chat(json::object structure, const text::Context& context) {
  const auto found = structure.find("messages");
  if (found == structure.end() || !found->value().is_array()) return structure;
  for (auto& message : found->value().get_array()) {
    if (auto* object = message.if_object()) analyse_message(*object, context);
  }
  return structure;
}

}  // namespace castiel::content::chat
