#!/bin/sh
# Sets up what is missing, builds, and runs all tests.
# usage: sh tools/test.sh [cmake options]      BUILD=folder chooses the build folder (build)
#   BUILD=build-clang CC=clang sh tools/test.sh
# tools/sanitize.sh does the same with the sanitizers of both compilers.
set -eu
cd "$(dirname "$0")/.."
build=${BUILD:-build}
sh tools/setup.sh test
sh tools/build.sh "$build" "$@"
exec ctest --test-dir "$build" --output-on-failure --no-tests=error
