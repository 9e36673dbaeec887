# cmake -DDIST=web/dist -DOUTPUT=file.cpp -P generate.cmake: one source that pulls the files in with
# .incbin, so that the compiler never parses their bytes.
file(GLOB_RECURSE files RELATIVE ${DIST} ${DIST}/*)
list(SORT files)

set(types_html "text/html; charset=utf-8")
set(types_js "text/javascript; charset=utf-8")
set(types_css "text/css; charset=utf-8")
set(types_svg "image/svg+xml")
set(types_png "image/png")
set(types_json "application/json")
set(types_txt "text/plain; charset=utf-8")
set(types_webmanifest "application/manifest+json")

set(assembly "")
set(externs "")
set(rows "")
set(index 0)

macro(blob symbol path)
  file(SHA256 ${path} hash)
  string(APPEND assembly "// ${hash}\nCASTIEL_BLOB(${symbol}, \"${path}\")\n")
endmacro()

foreach(name IN LISTS files)
  if(name MATCHES "\\.gz$")
    continue()
  endif()
  string(REGEX MATCH "[^.]+$" suffix ${name})
  if(DEFINED types_${suffix})
    set(type "${types_${suffix}}")
  else()
    set(type "application/octet-stream")
  endif()
  set(immutable false)
  if(name MATCHES "^assets/.*-[A-Za-z0-9_-]+\\.[a-z0-9]+$")
    set(immutable true)
  endif()
  blob(file_${index} ${DIST}/${name})
  set(gzip "{}")
  if(EXISTS ${DIST}/${name}.gz)
    blob(gzip_${index} ${DIST}/${name}.gz)
    set(gzip "view(castiel_dashboard_gzip_${index}, castiel_dashboard_gzip_${index}_end)")
  endif()
  string(APPEND rows
         "    {\"/${name}\", \"${type}\", view(castiel_dashboard_file_${index}, castiel_dashboard_file_${index}_end), ${gzip}, ${immutable}},\n")
  math(EXPR index "${index} + 1")
endforeach()
if(index EQUAL 0)
  message(FATAL_ERROR "${DIST} holds no files")
endif()

set(source [=[
// Generated from web/dist. The hashes make this text change with the files it pulls in.
#include "api/dashboard_files.hpp"

#include <cstddef>

#define CASTIEL_BLOB(name, path)                                              \
  asm(".pushsection .rodata.castiel_dashboard,\"a\",@progbits\n"              \
      ".balign 16\n"                                                          \
      ".globl castiel_dashboard_" #name "\n"                                  \
      ".globl castiel_dashboard_" #name "_end\n"                              \
      "castiel_dashboard_" #name ":\n"                                        \
      ".incbin \"" path "\"\n"                                                \
      "castiel_dashboard_" #name "_end:\n"                                    \
      ".byte 0\n"                                                             \
      ".popsection\n");                                                       \
  extern "C" const char castiel_dashboard_##name[];                           \
  extern "C" const char castiel_dashboard_##name##_end[];

]=])
string(APPEND source "${assembly}")
string(APPEND source [=[

namespace castiel::api {
namespace {

std::string_view view(const char* from, const char* to) {
  return {from, static_cast<std::size_t>(to - from)};
}

}  // namespace

std::span<const DashboardFile> dashboard_files() {
  static const DashboardFile kFiles[] = {
]=])
string(APPEND source "${rows}")
string(APPEND source "  };\n  return kFiles;\n}\n\n}  // namespace castiel::api\n")
file(WRITE ${OUTPUT} "${source}")
