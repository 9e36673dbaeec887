#pragma once
// The finders that entities and personal data share. Pure; any thread.

#include <vector>

#include "content/text/impl/source.hpp"

namespace castiel::content::text::impl {

std::vector<Range> find_emails(const Source& source);
// With a scheme, "www." or a well-known ending.
std::vector<Range> find_urls(const Source& source);
std::vector<Range> find_phones(const Source& source);

struct Name {
  Range range;
  bool organization = false;
};
// People by title, greeting, signature and context; organisations by legal form and context.
std::vector<Name> find_names(const Source& source);

}  // namespace castiel::content::text::impl
