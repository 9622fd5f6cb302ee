#!/bin/sh
# Runs all tests under AddressSanitizer and UndefinedBehaviorSanitizer, as gcc and as clang have them, and then each
# fuzz target for some time: clang's with libFuzzer, which keeps what it learns in the build folder.
# usage: sh tools/sanitize.sh [SECONDS]      of each fuzz target (60)
#   FUZZ_ONLY=1 sh tools/sanitize.sh 3600
set -eu
cd "$(dirname "$0")/.."
seconds=${1:-60}
sh tools/setup.sh test
failed=

# sanitize COMPILER [cmake options]
sanitize() {
    compiler=$1 build=build-sanitize-$1
    shift
    if ! command -v "$compiler" >/dev/null; then
        echo "sanitize: there is no $compiler here; skipped"
        return
    fi
    CC=$compiler sh tools/build.sh "$build" -DFF_SANITIZE=ON "$@"
    if [ -z "${FUZZ_ONLY-}" ]; then
        ctest --test-dir "$build" --output-on-failure --no-tests=error || failed="$failed $compiler"
    fi
    sh tests/fuzz/run.sh "$build/tests/fuzz" . "-max_total_time=$seconds" || failed="$failed fuzzing($compiler)"
}

sanitize gcc
sanitize clang -DFF_FUZZ=ON
if [ -n "$failed" ]; then
    echo "sanitize: failed:$failed"
    exit 1
fi
