#!/bin/sh
# Builds firstframe into a folder. usage: sh tools/build.sh FOLDER [cmake options]
set -eu
folder=$1
shift
cmake -B "$folder" "$@" >"$folder.log" 2>&1 && cmake --build "$folder" -j "$(nproc)" >>"$folder.log" 2>&1 || {
    cat "$folder.log"
    echo "build: failed; the log is $folder.log" >&2
    exit 1
}
