// Prints docs/settings.md: castiel_settings_doc > docs/settings.md
#include <cstdio>

#include "base/settings.hpp"

int main() {
  const std::string page = castiel::settings_page();
  return std::fwrite(page.data(), 1, page.size(), stdout) == page.size() && std::fflush(stdout) == 0 ? 0 : 1;
}
