#pragma once
// How a sentence asks or promises work, by its build: who is to act, a verb of work, an object that can be
// handed over, a day. A compact grammar per language, compiled once; read-only, any thread.

#include <string_view>
#include <vector>

namespace castiel::content::text::impl {

enum class Act { none, request, commitment };

struct RequestReading {
  Act act = Act::none;
  double confidence = 0;    // of the build alone
  std::string_view clause;  // the part that asks or promises; a day elsewhere is another matter's
  std::string_view actor;   // "Anna" of "Anna sends the list": who is said to act, else empty
};

// What each clause of a sentence asks or promises; at most one reading a clause. `language`: ISO 639-1, empty
// counts as English. `spoken`: talk and chat, where only a whole build counts: a verb of work with its
// object, person or day. Linear in the sentence.
std::vector<RequestReading> read_requests(std::string_view sentence, std::string_view language, bool spoken);

// Keeps a talk or a letter going ("can you hear me", "please find attached") or supposes something: asks and
// promises nothing that can be done later, whatever its words resemble.
bool is_idle(std::string_view sentence);

// Says something to somebody: "you", "please", or an order's verb in front.
bool addresses_someone(std::string_view sentence);

// Asks for information only: nothing is to be handed over or arranged.
bool is_plain_question(std::string_view sentence);

// Has a noun of something that can be handed over, in any of the languages.
bool names_deliverable(std::string_view text);

}  // namespace castiel::content::text::impl
