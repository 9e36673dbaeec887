#pragma once
// Where the signature of a text begins. Pure; linear in its last lines.

#include <cstddef>
#include <span>

#include "content/mail/impl/quote_blocks.hpp"
#include "content/mail/reply.hpp"

namespace castiel::content::mail::impl {

struct SignatureAt {
  std::size_t begin = 0;  // index of its first line; lines.size(): there is none
  bool certain =
      false;  // contact details, a delimiter or the sender's own name: no words of the mail get lost with it
};
SignatureAt find_signature(std::span<const Line> lines, const SplitHints& hints);

}  // namespace castiel::content::mail::impl
