#include <algorithm>
#include <cmath>

#include "content/text/text.hpp"

namespace castiel::content::text {
namespace {

double rounded(double value) {
  return std::round(value * 1000) / 1000;
}

}  // namespace

json::array to_json(std::span<const DateMention> dates) {
  json::array out;
  for (const auto& date : dates) {
    out.push_back(json::object{{"text", date.text},
                               {"start", date.span.start},
                               {"end", date.span.end},
                               {"type", date.type},
                               {"resolution", date.resolution}});
  }
  return out;
}

json::array dates_with_sentences(std::string_view text, const Context& context, std::size_t limit) {
  auto dates = find_dates(text, context);
  if (dates.size() > limit) dates.resize(limit);
  auto out = to_json(dates);
  if (out.empty()) return out;
  const auto all = sentences(text);
  for (std::size_t i = 0; i < dates.size(); ++i) {
    const auto after = std::ranges::upper_bound(all, dates[i].span.start, {}, &Span::start);
    if (after == all.begin()) continue;
    const Span sentence = *std::prev(after);
    if (sentence.end >= dates[i].span.end) out[i].get_object()["sentence"] = slice(text, sentence);
  }
  return out;
}

json::array to_json(std::span<const AmountMention> amounts) {
  json::array out;
  for (const auto& amount : amounts) {
    out.push_back(json::object{{"text", amount.text},
                               {"value", amount.value},
                               {"currency", amount.currency},
                               {"start", amount.span.start},
                               {"end", amount.span.end}});
  }
  return out;
}

json::array to_json(std::span<const ActionItem> items) {
  json::array out;
  for (const auto& item : items) {
    out.push_back(
        json::object{{"text", item.text},
                     {"kind", item.kind},
                     {"owner", item.owner.empty() ? json::value(nullptr) : json::value(item.owner)},
                     {"due", item.due ? json::value(to_string(*item.due)) : json::value(nullptr)},
                     {"dueText", item.due_text.empty() ? json::value(nullptr) : json::value(item.due_text)},
                     {"confidence", rounded(item.confidence)},
                     {"evidence", json::object{{"start", item.evidence.start}, {"end", item.evidence.end}}}});
  }
  return out;
}

json::array to_json(std::span<const Entity> entities) {
  json::array out;
  for (const auto& entity : entities) {
    out.push_back(json::object{{"type", entity.type},
                               {"text", entity.text},
                               {"start", entity.span.start},
                               {"end", entity.span.end}});
  }
  return out;
}

json::array to_json(std::span<const PersonalData> findings) {
  json::array out;
  for (const auto& finding : findings) {
    out.push_back(json::object{{"type", finding.type},
                               {"start", finding.span.start},
                               {"end", finding.span.end},
                               {"text", finding.text}});
  }
  return out;
}

json::object analyse(std::string_view text, const Context& context) {
  json::array phrases, subjects;
  for (const auto& phrase : key_phrases(text)) phrases.emplace_back(phrase);
  for (const auto& subject : topics(text)) subjects.emplace_back(subject);
  return {{"kind", "text"},
          {"language", language_of(text)},
          {"dates", to_json(find_dates(text, context))},
          {"amounts", to_json(find_amounts(text))},
          {"actionItems", to_json(find_action_items(text, {}, context))},
          {"pii", to_json(find_personal_data(text))},
          {"entities", to_json(find_entities(text))},
          {"keyPhrases", std::move(phrases)},
          {"topics", std::move(subjects)},
          {"sentiment", rounded(sentiment(text))}};
}

}  // namespace castiel::content::text
