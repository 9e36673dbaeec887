# cmake -DWEB=web -DNPM=npm -P build.cmake: npm ci where the lock file asks for it, then the build.
if(NOT NPM)
  if(EXISTS ${WEB}/dist/index.html)
    message(WARNING "npm is not installed: embedding web/dist as it is, though sources are newer")
    file(TOUCH ${WEB}/dist/index.html)
    return()
  endif()
  message(FATAL_ERROR "web/dist does not exist and npm is not installed; install Node 18 or newer, or copy a built web/dist here")
endif()

# npm writes this file last, so it also tells an installation that was interrupted.
set(installed ${WEB}/node_modules/.package-lock.json)
if(NOT EXISTS ${installed} OR ${WEB}/package-lock.json IS_NEWER_THAN ${installed})
  execute_process(COMMAND ${NPM} ci --no-audit --no-fund WORKING_DIRECTORY ${WEB} COMMAND_ERROR_IS_FATAL ANY)
  file(TOUCH ${installed})
endif()
execute_process(COMMAND ${NPM} run --silent build -- --logLevel warn WORKING_DIRECTORY ${WEB} COMMAND_ERROR_IS_FATAL ANY)
