#pragma once
// Text of a mail's plain parts as its reader saw it: flowed lines joined, coded files and armour taken out.
// Pure.

#include <string>
#include <string_view>
#include <vector>

namespace castiel::content::mail::impl {

// RFC 3676: soft breaks joined, stuffing removed, quote marks as "> " before each line.
std::string unflowed(std::string_view text, bool delete_space);

struct CodedFile {
  std::string name;
  std::string bytes;
};
// Takes "begin 644 name … end" blocks out of the text.
std::vector<CodedFile> take_uuencoded(std::string& text);

// Without the lines of an OpenPGP cleartext signature.
std::string without_pgp_armour(std::string_view text);

}  // namespace castiel::content::mail::impl
