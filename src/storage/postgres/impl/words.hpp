#pragma once
// The words of a text as the full-text index knows them: without case and accents, and without their English
// endings (Porter 1980). One thread at a time.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

struct sb_stemmer;

namespace castiel::storage::postgres {

struct Word {
  std::string term;
  std::size_t begin = 0, end = 0;  // bytes of the text
};

class WordReader {
 public:
  static constexpr std::size_t kMaxWordBytes = 128;  // of a longer one only so much counts

  WordReader();
  ~WordReader();
  WordReader(const WordReader&) = delete;
  WordReader& operator=(const WordReader&) = delete;

  std::vector<Word> words(std::string_view text);

 private:
  std::string stem(std::string word);

  sb_stemmer* stemmer_;
};

// A part of `text` of about `length` words around those for which `matches` holds, which stand between
// kMarkStart and kMarkEnd; the beginning where none does.
std::string snippet(std::string_view text, const std::vector<Word>& words, const std::vector<bool>& matches,
                    std::size_t length);

}  // namespace castiel::storage::postgres
