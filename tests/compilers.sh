#!/bin/sh
# One answer from every compiler: builds the program without optimisation and with another compiler, and holds the
# frames of whole runs against the frozen hashes.
# usage: compilers.sh SOURCE_FOLDER WORK_FOLDER
set -eu
source=$1 work=$2
mkdir -p "$work"
failed=0

variant() {
    name=$1 mode=$2
    shift 2
    if cmake -S "$source" -B "$work/$name" "$@" >"$work/$name.log" 2>&1 &&
        cmake --build "$work/$name" --target ff_command -j 2 >>"$work/$name.log" 2>&1; then
        echo "$name:"
        sh "$source/tests/frozen.sh" "$work/$name/firstframe" "$source/golden" "$mode" || failed=1
    else
        echo "$name does not build:"
        tail -n 20 "$work/$name.log"
        failed=1
    fi
}

variant gcc-O0 --tiny -DCMAKE_C_COMPILER=gcc -DCMAKE_C_FLAGS_RELEASE=-O0
if command -v clang >/dev/null; then
    variant clang-O3 --quick -DCMAKE_C_COMPILER=clang
else
    echo "clang-O3 skipped: there is no clang here"
fi
[ "$failed" = 0 ]
