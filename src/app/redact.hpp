#pragma once
// A message without what is sensitive in it, as the quarantine shows it (RETRY-4). Pure.

#include <string>
#include <string_view>

namespace castiel::app {

// Personal data in the texts of a message's data becomes "[EMAIL_ADDRESS]" and the like; members whose name
// says that they hold a secret are masked whole. A text too long to be searched, and what is no JSON, becomes
// its size.
std::string redact_message(std::string_view message);

}  // namespace castiel::app
