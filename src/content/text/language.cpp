#include <cstdio>
// Needs FILE.
#include <cld2/public/compact_lang_det.h>
#include <cld2/public/encodings.h>

#include "content/text/impl/source.hpp"

namespace castiel::content::text {

std::string language_of(std::string_view text) {
  // More than this tells no more about the language.
  constexpr std::size_t kSampleBytes = 64 * 1024;
  constexpr int kMinimumPercent = 55;
  const impl::Source source(text.substr(0, kSampleBytes));
  std::size_t letters = 0;
  for (const char c : source.text()) letters += impl::is_alpha(c) || static_cast<unsigned char>(c) >= 0x80;
  if (letters < 8) return {};
  bool reliable = false;
  CLD2::Language languages[3];
  int percents[3];
  double scores[3];
  int bytes = 0;
  CLD2::CLDHints hints{nullptr, nullptr, CLD2::UNKNOWN_ENCODING, CLD2::UNKNOWN_LANGUAGE};
  const CLD2::Language language =
      CLD2::ExtDetectLanguageSummary(source.text().data(), static_cast<int>(source.size()), true, &hints, 0,
                                     languages, percents, scores, nullptr, &bytes, &reliable);
  (void)language;
  if (languages[0] == CLD2::UNKNOWN_LANGUAGE || percents[0] < kMinimumPercent) return {};
  if (!reliable && letters < 40) return {};
  std::string code = CLD2::LanguageCode(languages[0]);
  if (code.starts_with("zh")) return "zh";
  if (code == "un") return {};
  return code.substr(0, code.find('-'));
}

}  // namespace castiel::content::text
