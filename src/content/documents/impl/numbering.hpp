#pragma once
// The numbers Word writes before paragraphs of lists and headings, counted anew from the definitions. One
// owner.

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "content/documents/impl/package.hpp"

namespace castiel::content::documents::impl {

class Numbering {
 public:
  explicit Numbering(const Package& package);
  // Of the next paragraph in document order; empty for one without a number and for bullets.
  std::string next(const pugi::xml_node& paragraph_properties);

 private:
  struct Level {
    int start = 1;
    std::string format, text;
    bool legal = false;
  };
  struct List {
    std::string abstract;
    std::map<int, Level> levels;
    std::map<int, int> restarts;
  };
  struct Style {
    std::string based_on, list;
    int level = -1;
  };
  void read_lists(const pugi::xml_node& root);
  void read_styles(const pugi::xml_node& root);

  std::map<std::string, List> lists_;
  std::map<std::string, Style> styles_;
  std::string default_style_;
  std::map<std::string, std::vector<int>> counters_;  // by abstract list
  std::map<std::string, bool> restarted_;
};

std::string number_text(int value, std::string_view format);

}  // namespace castiel::content::documents::impl
