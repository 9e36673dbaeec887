#include "processing/meetings/meeting_reader.hpp"

#include <algorithm>
#include <cmath>
#include <map>

#include "content/transcripts/analyse.hpp"
#include "model/entity.hpp"
#include "processing/content/people.hpp"
#include "processing/meetings/recommendations.hpp"

namespace castiel::processing {

namespace {

json::value take(json::object& from, const char* name, json::value fallback) {
  auto* value = from.if_contains(name);
  return value == nullptr || value->is_null() ? std::move(fallback) : std::move(*value);
}

double number_or(const json::object& object, const char* name, double fallback) {
  const auto* value = object.if_contains(name);
  return value != nullptr && value->is_number() ? value->to_number<double>() : fallback;
}

// MEET-5's names for the segments.
json::array segments_of(const json::object& transcript) {
  json::array out;
  const auto* segments = get_array(transcript, "segments");
  if (segments == nullptr) return out;
  for (const auto& item : *segments) {
    const auto& s = item.get_object();
    out.push_back({{"index", int_or(s, "index", static_cast<std::int64_t>(out.size()))},
                   {"speaker", string_or(s, "speaker")},
                   {"startTime", number_or(s, "start", 0)},
                   {"endTime", number_or(s, "end", 0)},
                   {"text", string_or(s, "text")},
                   {"sentiment", number_or(s, "sentiment", 0)}});
  }
  return out;
}

// Who took part: those the source names, and those who spoke.
std::vector<Person> participants_of(const json::object& record, const json::object& transcript) {
  auto people = people_of(record, "participants");
  if (const auto* speakers = get_array(transcript, "speakers")) {
    for (const auto& s : *speakers) {
      const auto name = string_or(s.get_object(), "name");
      if (!name.empty() && find_person(people, name) == nullptr) people.push_back({name, ""});
    }
  }
  return people;
}

json::array participants_json(const std::vector<Person>& people, const json::object& transcript,
                              const tenancy::OwnPeople& own) {
  std::map<std::string, const json::object*> speakers;
  if (const auto* list = get_array(transcript, "speakers")) {
    for (const auto& s : *list) {
      if (const auto* person = find_person(people, string_or(s.get_object(), "name")))
        speakers[person->name + "\n" + person->email] = &s.get_object();
    }
  }
  json::array out;
  for (const auto& p : people) {
    const auto side = side_of(p, own);
    json::object o{{"email", p.email},
                   {"name", p.name},
                   {"isInternal", nullptr},
                   {"talkTime", 0.0},
                   {"sentiment", nullptr}};
    if (!side.empty()) o["isInternal"] = side == "own";
    if (const auto it = speakers.find(p.name + "\n" + p.email); it != speakers.end()) {
      o["talkTime"] = number_or(*it->second, "talkTime", 0);
      if (const auto* sentiment = it->second->if_contains("sentiment")) o["sentiment"] = *sentiment;
    }
    out.push_back(std::move(o));
  }
  return out;
}

json::object analysis_of(json::object& transcript) {
  json::object per_speaker;
  std::int64_t questions = 0, interruptions = 0;
  if (const auto* speakers = get_array(transcript, "speakers")) {
    for (const auto& item : *speakers) {
      const auto& s = item.get_object();
      if (const auto* sentiment = s.if_contains("sentiment")) per_speaker[string_or(s, "name")] = *sentiment;
      questions += int_or(s, "questions", 0);
      interruptions += int_or(s, "interruptions", 0);
    }
  }
  json::object engagement;
  if (const auto* e = get_object(transcript, "engagement")) engagement = *e;
  engagement["questionCount"] = questions;
  engagement["interruptionCount"] = interruptions;
  engagement["talkTimeRatio"] = take(transcript, "talkRatio", nullptr);
  return {{"meetingType", take(transcript, "meetingType", "")},
          {"topics", take(transcript, "topics", json::array())},
          {"keyMoments", take(transcript, "keyMoments", json::array())},
          {"actionItems", take(transcript, "actionItems", json::array())},
          {"dates", take(transcript, "dates", json::array())},
          {"commitments", take(transcript, "commitments", json::array())},
          {"objections", take(transcript, "objections", json::array())},
          {"nextSteps", take(transcript, "nextSteps", json::array())},
          {"sentiment",
           {{"overall", take(transcript, "sentiment", nullptr)}, {"perSpeaker", std::move(per_speaker)}}},
          {"engagement", std::move(engagement)},
          {"dealSignals", take(transcript, "dealSignals", json::object())},
          {"redFlags", take(transcript, "redFlags", json::array())},
          {"vendor", take(transcript, "vendor", nullptr)}};
}

}  // namespace

Result<Understood> MeetingReader::read(const json::object& record, const RecordContext& context) {
  Understood out;
  out.external_id = string_or(record, "meetingId");
  out.type = model::type::kMeeting;
  if (out.external_id.empty()) return permanent("missing_id", "the meeting has no id");
  const auto started = parse_timestamp(string_or(record, "startTime"));
  out.version = context.observed_at;
  if (started) out.said_at = *started;

  std::vector<std::string> own(context.own.domains().begin(), context.own.domains().end());
  for (const auto& p : people_of(record, "participants")) {
    if (side_of(p, context.own) == "own") own.push_back(p.name);
  }
  json::object transcript;
  if (const auto* given = get_object(record, "transcript")) {
    // Speakers are known by name only: those of the tenant's users are its own.
    if (const auto* segments = get_array(*given, "segments")) {
      for (const auto& s : *segments) {
        const Person speaker{string_or(s.get_object(), "speaker"), ""};
        if (side_of(speaker, context.own) == "own" && std::ranges::find(own, speaker.name) == own.end())
          own.push_back(speaker.name);
      }
    }
    transcript = content::transcripts::analyse_transcript(
        *given, {started ? *started : context.observed_at, context.time_zone}, own);
  }
  auto segments = segments_of(transcript);
  const auto people = participants_of(record, transcript);
  const auto items = get_array(transcript, "actionItems") != nullptr ? transcript.at("actionItems")
                                                                     : json::value(json::array());
  out.tasks = task_seeds(items.get_array(), {}, people, context.own);
  for (auto& task : out.tasks) {
    const auto* place = get_object(task.item, "evidence");
    const auto at =
        place == nullptr ? segments.size() : static_cast<std::size_t>(int_or(*place, "segment", -1));
    if (at >= segments.size()) continue;
    task.sentence = string_or(segments[at].get_object(), "text");
    task.item["evidence"].get_object()["startTime"] = segments[at].get_object()["startTime"];
  }
  const auto recommendations = recommendations_of(transcript, own);
  auto participants = participants_json(people, transcript, context.own);
  auto analysis = analysis_of(transcript);
  const auto segment_count = static_cast<std::int64_t>(segments.size());
  std::string full_text;
  for (const auto& s : segments)
    full_text += string_or(s.get_object(), "speaker") + ": " + string_or(s.get_object(), "text") + "\n";
  const auto member = [&record](const char* name) {
    const auto* value = record.if_contains(name);
    return value == nullptr ? json::value(nullptr) : *value;
  };
  out.data = {{"meetingType", string_or(transcript, "format", "transcript")},
              {"title", string_or(record, "title")},
              {"startTime", member("startTime")},
              {"endTime", member("endTime")},
              {"duration", std::round(number_or(record, "duration", 0) / 60 * 10) / 10},
              {"participants", std::move(participants)},
              {"recording", nullptr},
              {"transcript",
               {{"url", member("transcriptUrl")},
                {"quality", string_or(transcript, "quality")},
                {"language", string_or(transcript, "language")},
                {"fullText", std::move(full_text)},
                {"segments", std::move(segments)}}},
              {"analysis", analysis},
              {"recommendations", recommendations},
              {"warnings", take(transcript, "warnings", json::array())}};
  if (const auto url = string_or(record, "recordingUrl"); !url.empty())
    out.data["recording"] = json::object{{"url", url}};
  analysis.erase("actionItems");
  analysis.erase("vendor");
  analysis.erase("dates");
  out.said = {{"meetingId", out.external_id},       {"transcript", {{"segments", segment_count}}},
              {"analysis", std::move(analysis)},    {"actionItems", items},
              {"recommendations", recommendations}, {"linkedOpportunities", json::array()}};
  return out;
}

}  // namespace castiel::processing
