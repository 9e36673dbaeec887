# Builds web/ and makes it the static library `castiel_dashboard`, whose files the program serves
# (src/api/dashboard_files.hpp). The library is built only when a target links it.
#
# Node and npm are needed only when web/dist is missing or older than the sources; without them an
# existing web/dist is embedded as it is.
set(CASTIEL_WEB_DIR ${CMAKE_SOURCE_DIR}/web)
set(CASTIEL_EMBED_DIR ${CMAKE_CURRENT_LIST_DIR}/dashboard)
find_program(CASTIEL_NPM npm)

function(castiel_embed_dashboard)
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS
       ${CASTIEL_WEB_DIR}/src/*.ts ${CASTIEL_WEB_DIR}/src/*.svelte ${CASTIEL_WEB_DIR}/src/*.css ${CASTIEL_WEB_DIR}/public/*)
  list(APPEND sources
       ${CASTIEL_WEB_DIR}/index.html ${CASTIEL_WEB_DIR}/package.json ${CASTIEL_WEB_DIR}/package-lock.json
       ${CASTIEL_WEB_DIR}/vite.config.ts ${CASTIEL_WEB_DIR}/svelte.config.js ${CASTIEL_WEB_DIR}/scripts/build_plugins.mjs)

  add_custom_command(
    OUTPUT ${CASTIEL_WEB_DIR}/dist/index.html
    COMMAND ${CMAKE_COMMAND} -DWEB=${CASTIEL_WEB_DIR} -DNPM=${CASTIEL_NPM} -P ${CASTIEL_EMBED_DIR}/build.cmake
    DEPENDS ${sources} ${CASTIEL_EMBED_DIR}/build.cmake
    COMMENT "Building the dashboard"
    VERBATIM)

  set(generated ${CMAKE_BINARY_DIR}/dashboard/dashboard_files.cpp)
  add_custom_command(
    OUTPUT ${generated}
    COMMAND ${CMAKE_COMMAND} -DDIST=${CASTIEL_WEB_DIR}/dist -DOUTPUT=${generated} -P ${CASTIEL_EMBED_DIR}/generate.cmake
    DEPENDS ${CASTIEL_WEB_DIR}/dist/index.html ${CASTIEL_EMBED_DIR}/generate.cmake
    COMMENT "Embedding the dashboard"
    VERBATIM)

  add_library(castiel_dashboard STATIC EXCLUDE_FROM_ALL ${generated})
  target_include_directories(castiel_dashboard PUBLIC ${CMAKE_SOURCE_DIR}/src)
  # ccache keys on the source text, which names the files and their hashes but does not hold them.
  set_target_properties(castiel_dashboard PROPERTIES CXX_COMPILER_LAUNCHER "")
endfunction()
