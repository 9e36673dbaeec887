# Shared by the scripts; sourced, never run. Needs bash, coreutils, awk and sed.

say() { printf '%s\n' "$*" >&2; }
die() {
  say "error: $*"
  exit 1
}

# How many compilers may run at once: one a core, but no more than memory allows. The heaviest units
# need about 1.5 GB each; two on a small machine are better than an out-of-memory kill.
build_jobs() {
  local cores available limit used jobs
  cores=$(nproc 2>/dev/null || echo 1)
  available=$(awk '/^MemAvailable:/ { print int($2 / 1024) }' /proc/meminfo 2>/dev/null)
  # A container may have less than the machine shows.
  limit=$(cat /sys/fs/cgroup/memory.max 2>/dev/null || echo max)
  if [[ $limit =~ ^[0-9]+$ ]]; then
    used=$(cat /sys/fs/cgroup/memory.current 2>/dev/null || echo 0)
    limit=$(((limit - used) / 1048576))
    if ((limit < ${available:-0})); then available=$limit; fi
  fi
  jobs=$((${available:-1536} / 1536))
  if ((jobs > cores)); then jobs=$cores; fi
  if ((jobs < 1)); then jobs=1; fi
  echo "$jobs"
}

# configure PRESET: runs CMake when the preset was never configured or the presets changed since.
# Changes of CMakeLists.txt files are Ninja's business.
configure() {
  local stamp=build/$1/.configured
  if [[ -f build/$1/build.ninja && -f $stamp && ! CMakePresets.json -nt $stamp ]]; then return 0; fi
  cmake --preset "$1" >&2 || return 1
  touch "$stamp"
}

# build PRESET [TARGET...]: configures and builds; everything goes to standard error.
build() {
  local preset=$1 targets=()
  shift
  if (($# > 0)); then targets=(--target "$@"); fi
  configure "$preset" || die "configuring the $preset preset failed"
  cmake --build --preset "$preset" --parallel "$(build_jobs)" "${targets[@]}" >&2 ||
    die "building the $preset preset failed"
}

# gtest_counts FILE...: "passed failed skipped clean-files failed-files" over GoogleTest XML reports.
gtest_counts() {
  if (($# == 0)); then
    echo 0 0 0 0 0
    return
  fi
  awk '
    function attribute(name) {
      if (!match($0, " " name "=\"[0-9]+\"")) return 0
      return substr($0, RSTART + length(name) + 3, RLENGTH - length(name) - 4) + 0
    }
    /<testsuites / {
      bad = attribute("failures") + attribute("errors")
      total += attribute("tests") - attribute("disabled")
      failed += bad
      if (bad > 0) bad_files++; else clean_files++
    }
    /<testcase .* result="skipped"/ { skipped++ }
    END { print total - failed - skipped, failed + 0, skipped + 0, clean_files + 0, bad_files + 0 }' "$@"
}

# ctest_counts FILE: "passed failed skipped" of a JUnit report by ctest.
ctest_counts() {
  awk '
    /<testcase / {
      if (/status="run"/) passed++
      else if (/status="fail"/) failed++
      else skipped++
    }
    END { print passed + 0, failed + 0, skipped + 0 }' "$1"
}

# runner_counts FILE: "passed failed skipped" of a JavaScript test runner's output, summed over the summaries it
# has; knows node --test ("# pass 3", "ℹ pass 3") and lines such as "3 passed, 1 failed".
runner_counts() {
  sed 's/\x1b\[[0-9;]*[A-Za-z]//g' "$1" | awk '
    { sub(/\r$/, "") }
    $1 == "#" || $1 == "ℹ" {
      if ($2 == "pass") passed += $3
      else if ($2 == "fail" || $2 == "cancelled") failed += $3
      else if ($2 == "skipped" || $2 == "todo") skipped += $3
      next
    }
    /^[^A-Za-z0-9]*(Tests[: ]+)?[0-9]+ (passed|failed|skipped)/ {
      line = $0
      while (match(line, /[0-9]+ (passed|failed|skipped)/)) {
        split(substr(line, RSTART, RLENGTH), part, " ")
        if (part[2] == "passed") passed += part[1]
        else if (part[2] == "failed") failed += part[1]
        else skipped += part[1]
        line = substr(line, RSTART + RLENGTH)
      }
    }
    END { print passed + 0, failed + 0, skipped + 0 }'
}
