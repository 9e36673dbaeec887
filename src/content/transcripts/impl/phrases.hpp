#pragma once
// What sentences of a sales talk mean by their words: objections, signals, next steps, and what kind of
// meeting it is.

#include <string>
#include <string_view>
#include <vector>

namespace castiel::content::transcripts::impl {

enum class Sense { objection, positive, negative, neutral, next_step, red_flag, decision };
// Every sense the sentence has.
std::vector<Sense> senses_of(std::string_view sentence);
// For transcripts without punctuation: begins as questions do.
bool begins_as_question(std::string_view sentence);

// discovery, demo, negotiation, closing, follow_up, support, interview, qbr, internal; empty when nothing
// tells.
std::string type_of_title(std::string_view title);
std::string type_of_words(std::string_view text);

}  // namespace castiel::content::transcripts::impl
