#pragma once
// A zip of XML parts (OOXML, OpenDocument, EPUB) in memory, and its XML read without DTDs, entities or the
// network. One owner.

#include <map>
#include <memory>
#include <pugixml.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace castiel::content::documents::impl {

inline constexpr std::size_t kMaxXmlTreeBytes = 32u << 20;  // of one part read as a tree: more is too_large

class Package {
 public:
  static Result<Package> open(std::string_view bytes);

  const std::string* find(std::string_view path) const;  // ASCII letters of either case
  std::vector<std::string> names_under(std::string_view folder) const;
  // Moves a part's bytes out; the part is empty then.
  std::string take(std::string_view path);

  struct Relation {
    std::string id, type, target;  // the last word of the type; a path inside the package, or an address
    bool external = false;
  };
  std::vector<Relation> relations_of(std::string_view part) const;

 private:
  std::map<std::string, std::string> parts_;
  std::map<std::string, std::string> by_lower_;
};

// A tree of `xml`. Error: corrupt, too_large. White space between elements is kept when `spaces`.
Result<std::unique_ptr<pugi::xml_document>> parse_xml(std::string_view xml, bool spaces = false);
// The same of a part; a missing one is corrupt.
Result<std::unique_ptr<pugi::xml_document>> parse_part(const Package& package, std::string_view path,
                                                       bool spaces = false);

// A name without its prefix: prefixes differ between writers, and the strict namespaces too.
std::string_view local_name(const char* name);
std::string_view local(const pugi::xml_node& node);
pugi::xml_node child(const pugi::xml_node& node, std::string_view name);
// The attribute of that local name; empty without it.
std::string_view attribute(const pugi::xml_node& node, std::string_view name);
std::string text_of(const pugi::xml_node& node, int depth = 0);  // all character data inside
// The first descendant of that name, depth first.
pugi::xml_node descendant(const pugi::xml_node& node, std::string_view name, int depth = 0);
std::string folder_of(std::string_view path);
std::string resolve(std::string_view folder, std::string_view target);

}  // namespace castiel::content::documents::impl
