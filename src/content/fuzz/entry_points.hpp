#pragma once
// What the fuzzers and the smoke test throw bytes at: one function per parser, which checks what must hold
// for any input and stops the program when it does not. Pure; any thread.

#include <string_view>

namespace castiel::content::fuzz {

void fuzz_csv(std::string_view bytes);
void fuzz_jsonl(std::string_view bytes);
void fuzz_values(std::string_view bytes);
void fuzz_encoding(std::string_view bytes);
void fuzz_mail(std::string_view bytes);
void fuzz_transcript(std::string_view bytes);
void fuzz_calendar(std::string_view bytes);
void fuzz_chat(std::string_view bytes);
void fuzz_document(std::string_view bytes);
void fuzz_text(std::string_view bytes);

}  // namespace castiel::content::fuzz
