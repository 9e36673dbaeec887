#pragma once
// Parsed mails to what `castiel inspect` shows: reply, quote, signature, class, type, action items,
// sentiment, language, entities. Pure, thread-safe.

#include "base/json.hpp"
#include "content/text/text.hpp"

namespace castiel::content::mail {

// `structure`: of parse_message or parse_outlook_msg. Relative dates count from "sentAt", else from the
// context's time. Drops "headers", "calendarPart" and the attachments' "part". Only replyText gives sentiment
// and action items, and only of the class person.
json::object analyse_message(json::object structure, const text::Context& context);
// `structure`: of parse_mailbox. Adds "threads".
json::object analyse_mailbox(json::object structure, const text::Context& context);

}  // namespace castiel::content::mail
