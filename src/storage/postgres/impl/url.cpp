#include "storage/postgres/impl/url.hpp"

#include <fmt/format.h>
#include <libpq-fe.h>

#include <algorithm>
#include <memory>
#include <string_view>

namespace castiel::storage::postgres {

namespace {

std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> parse(const Secret& url) {
  char* words = nullptr;  // libpq's own repeat the URL
  std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> parsed(
      PQconninfoParse(url.reveal().c_str(), &words), PQconninfoFree);
  PQfreemem(words);
  return parsed;
}

// libpq looks at ports only when it connects. Several hosts have several.
bool is_port_list(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || c == ','; });
}

}  // namespace

Result<> check_url(const Secret& url) {
  const auto& text = url.reveal();
  const auto parsed = parse(url);
  bool good = (text.starts_with("postgresql://") || text.starts_with("postgres://")) && parsed;
  for (const auto* option = parsed.get(); good && option->keyword != nullptr; ++option)
    good = std::string_view(option->keyword) != "port" || option->val == nullptr || is_port_list(option->val);
  if (good) return {};
  return permanent(
      "invalid_url",
      "the store's URL has to be of the form postgresql://user:password@host:5432/database, with special "
      "characters of the password written as %XX");
}

std::string place_of(const Secret& url) {
  const auto parsed = parse(url);
  if (!parsed) return "postgresql://?";
  std::string host, port = "5432", database;
  for (const auto* option = parsed.get(); option->keyword != nullptr; ++option) {
    if (option->val == nullptr) continue;
    const std::string_view keyword = option->keyword;
    if (keyword == "host" || (keyword == "hostaddr" && host.empty())) host = option->val;
    if (keyword == "port") port = option->val;
    if (keyword == "dbname") database = option->val;
  }
  return fmt::format("postgresql://{}:{}/{}", host, port, database);
}

}  // namespace castiel::storage::postgres
