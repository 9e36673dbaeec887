// The dashboard's files, compiled into the program: what to answer for each path, packed and plain.
// Static data without an owner: valid for the whole run, read by any thread.
#pragma once

#include <span>
#include <string_view>

namespace castiel::api {

struct DashboardFile {
  std::string_view path;  // as requested, from the root: "/index.html", "/assets/index-CRsgqEmH.js"
  std::string_view content_type;
  std::string_view bytes;
  std::string_view gzip;  // the same bytes in gzip format; empty where packing would not help
  bool immutable;         // the name carries a hash of the content: may be cached for ever
};

/// All files in the order of their paths. "/index.html" is the answer for every page address as well.
std::span<const DashboardFile> dashboard_files();

}  // namespace castiel::api
