#pragma once
// Finds the sentences of a text that bear on a deal. Pure; patterns are compiled once. English, German and
// French, with the commonest words of Spanish, Italian and Dutch.

#include <string_view>
#include <vector>

#include "intelligence/engagement.hpp"

namespace castiel::intelligence::impl {

inline constexpr std::size_t kMaxCueText = 280;        // bytes kept of a sentence
inline constexpr std::size_t kMaxScanned = 64 * 1024;  // bytes looked through of one text
inline constexpr std::size_t kMaxCues = 24;            // of one touch

// `field`: what the offsets refer to; `at`: for days without a year; `ours`: our side speaks.
void find_cues(std::string_view text, std::string_view field, bool ours, Timestamp at,
               std::vector<Cue>& cues);
// Names in an answer to "by whom?": "From Acme."; empty when there is none.
std::string named_alone(std::string_view text);
// That an undeliverable mail says the mailbox does not exist; the cue names the address.
void find_gone(std::string_view text, std::string_view field, std::vector<Cue>& cues);
// "attached", "anbei": it brings something along.
bool says_it_delivers(std::string_view text);
// That something is to be sent, in a sentence of who promises it.
bool is_about_sending(std::string_view sentence);
// Whole characters, at most kMaxCueText bytes.
std::string shortened(std::string_view text);

}  // namespace castiel::intelligence::impl
