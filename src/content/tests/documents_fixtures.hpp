#pragma once
// Small office files made in memory, for tests.

#include <archive.h>
#include <archive_entry.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace castiel::content::documents::testing {

using Members = std::vector<std::pair<std::string, std::string>>;

inline std::string packed(const Members& members, bool tar = false) {
  std::vector<char> buffer(1 << 20);
  for (const auto& [name, bytes] : members)
    buffer.resize(buffer.size() + bytes.size() * 2 + name.size() * 4 + 4096);
  std::size_t used = 0;
  archive* handle = archive_write_new();
  if (tar)
    archive_write_set_format_ustar(handle);
  else
    archive_write_set_format_zip(handle);
  archive_write_open_memory(handle, buffer.data(), buffer.size(), &used);
  for (const auto& [name, bytes] : members) {
    archive_entry* entry = archive_entry_new();
    archive_entry_set_pathname(entry, name.c_str());
    archive_entry_set_size(entry, static_cast<la_int64_t>(bytes.size()));
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0644);
    archive_write_header(handle, entry);
    archive_write_data(handle, bytes.data(), bytes.size());
    archive_entry_free(entry);
  }
  archive_write_close(handle);
  archive_write_free(handle);
  return {buffer.data(), used};
}

inline std::string relations(const std::vector<std::pair<std::string, std::string>>& type_and_target) {
  std::string xml = "<Relationships>";
  int id = 0;
  for (const auto& [type, target] : type_and_target)
    xml += "<Relationship Id=\"r" + std::to_string(++id) + "\" Type=\"x/" + type + "\" Target=\"" + target +
           "\"/>";
  return xml + "</Relationships>";
}

inline std::string docx(std::string_view body, Members more = {}) {
  more.insert(more.begin(), {{"[Content_Types].xml", "<Types/>"},
                             {"_rels/.rels", relations({{"officeDocument", "word/document.xml"}})},
                             {"word/document.xml", "<w:document xmlns:w=\"x\"><w:body>" + std::string(body) +
                                                       "</w:body></w:document>"}});
  return packed(more);
}

}  // namespace castiel::content::documents::testing
