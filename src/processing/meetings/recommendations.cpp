#include "processing/meetings/recommendations.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <span>

namespace castiel::processing {
namespace {

constexpr std::size_t kMostOfOne = 3;      // of one kind of finding
constexpr double kTalksTooMuch = .65;      // our share of the speech
constexpr double kLongMonologue = 150;     // seconds
constexpr std::int64_t kFewQuestions = 3;  // of ours in a call
constexpr double kLongCall = 600;          // seconds from which so few questions mean something
constexpr std::int64_t kManyInterruptions = 3;

double number(const json::object& object, const char* name) {
  const auto* value = object.if_contains(name);
  return value != nullptr && value->is_number() ? value->to_number<double>() : 0;
}

// What may be sent to answer an objection, by a topic of the call.
struct Material {
  std::string_view topic, title;
};
constexpr std::array kMaterials{
    Material{"pricing", "Send a calculation of what it brings and costs"},
    Material{"security", "Send what there is on security and data protection"},
    Material{"legal", "Send the contract terms the questions were about"},
    Material{"implementation", "Send a plan for the introduction"},
    Material{"integration", "Send a description of the interfaces"},
};

class Recommender {
 public:
  Recommender(const json::object& transcript, std::span<const std::string> own)
      : transcript_(transcript), own_(own) {}

  json::array run() {
    if (string_or(transcript_, "quality") == "draft") return {};
    next_steps();
    risks();
    content();
    coaching();
    return std::move(made_);
  }

 private:
  bool is_own(std::string_view speaker) const {
    return std::ranges::any_of(own_, [&](const std::string& name) { return name == speaker; });
  }

  void add(std::string_view type, std::string title, std::string reason,
           const json::object* finding = nullptr) {
    if (made_.size() >= kMaxRecommendations) return;
    json::value evidence = nullptr;
    if (finding != nullptr) {
      json::object place;
      for (const char* name : {"segment", "start", "text"}) {
        if (const auto* value = finding->if_contains(name)) place[name] = *value;
      }
      evidence = std::move(place);
    }
    made_.push_back(json::object{{"type", type},
                                 {"title", std::move(title)},
                                 {"reason", std::move(reason)},
                                 {"evidence", std::move(evidence)}});
  }

  template <class Visit>
  void each(const char* member, Visit visit) const {
    const auto* list = get_array(transcript_, member);
    std::size_t n = 0;
    for (std::size_t i = 0; list != nullptr && i < list->size() && n < kMostOfOne; ++i) {
      if (const auto* finding = (*list)[i].if_object()) n += visit(*finding) ? 1 : 0;
    }
  }

  void next_steps() {
    bool any = false;
    each("commitments", [&](const json::object& finding) {
      const std::string speaker = string_or(finding, "speaker"), text = string_or(finding, "text");
      any = true;
      add("follow_up",
          is_own(speaker) ? fmt::format("Do it: {}", text) : fmt::format("Remind {}: {}", speaker, text),
          fmt::format("{} promised it in the call.", speaker), &finding);
      return true;
    });
    const auto* steps = get_array(transcript_, "nextSteps");
    any = any || (steps != nullptr && !steps->empty());
    const auto* segments = get_array(transcript_, "segments");
    if (!any && segments != nullptr && !segments->empty())
      add("follow_up", "Agree on a next step in writing", "The call ended without one that could be found.");
  }

  void risks() {
    each("redFlags", [&](const json::object& finding) {
      add("risk", fmt::format("Look into it: {}", string_or(finding, "text")),
          fmt::format("{} said so.", string_or(finding, "speaker")), &finding);
      return true;
    });
    each("objections", [&](const json::object& finding) {
      add("risk", fmt::format("Answer the objection of {}", string_or(finding, "speaker")),
          string_or(finding, "text"), &finding);
      return true;
    });
  }

  void content() {
    const auto* objections = get_array(transcript_, "objections");
    const auto* topics = get_array(transcript_, "topics");
    if (objections == nullptr || objections->empty() || topics == nullptr) return;
    const auto* first = objections->front().if_object();
    std::size_t n = 0;
    for (const auto& topic : *topics) {
      const auto* name = topic.if_string();
      if (name == nullptr || n >= kMostOfOne) continue;
      for (const auto& material : kMaterials) {
        if (material.topic != std::string_view(*name)) continue;
        add("content", std::string(material.title), fmt::format("The call was about {}.", material.topic),
            first);
        ++n;
      }
    }
  }

  void coaching() {
    if (const auto* ratio = get_object(transcript_, "talkRatio"); ratio != nullptr) {
      if (const double ours = number(*ratio, "internal"); ours > kTalksTooMuch)
        add("coaching", "Let them talk more",
            fmt::format("Our side spoke {:.0f} % of the time.", 100 * ours));
    }
    double length = 0;
    if (const auto* segments = get_array(transcript_, "segments");
        segments != nullptr && !segments->empty()) {
      if (const auto* last = segments->back().if_object()) length = number(*last, "end");
    }
    std::int64_t questions = 0;
    bool ours = false;
    each_speaker([&](const json::object& speaker, const std::string& name) {
      ours = true;
      questions += int_or(speaker, "questions", 0);
      if (const double longest = number(speaker, "longestMonologue"); longest > kLongMonologue)
        add("coaching", fmt::format("Shorter turns for {}", name),
            fmt::format("The longest took {:.0f} seconds without a break.", longest));
      if (const auto cuts = int_or(speaker, "interruptions", 0); cuts >= kManyInterruptions)
        add("coaching", fmt::format("Let them finish, {}", name), fmt::format("{} interruptions.", cuts));
    });
    if (ours && length >= kLongCall && questions < kFewQuestions)
      add("coaching", "Ask more questions",
          fmt::format("Our side asked {} in {:.0f} minutes.", questions, length / 60));
  }

  template <class Visit>
  void each_speaker(Visit visit) const {
    const auto* speakers = get_array(transcript_, "speakers");
    if (speakers == nullptr) return;
    for (const auto& item : *speakers) {
      const auto* speaker = item.if_object();
      if (speaker == nullptr) continue;
      const std::string name = string_or(*speaker, "name");
      if (is_own(name)) visit(*speaker, name);
    }
  }

  const json::object& transcript_;
  std::span<const std::string> own_;
  json::array made_;
};

}  // namespace

json::array recommendations_of(const json::object& transcript, std::span<const std::string> own) {
  return Recommender(transcript, own).run();
}

}  // namespace castiel::processing
