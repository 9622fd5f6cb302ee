#!/bin/sh
# One answer from every compiler: builds the program without optimisation and with another compiler, and holds the
# frames of whole runs against the frozen hashes. Then runs the fuzz targets over their seeds under clang's sanitizers.
# usage: compilers.sh SOURCE_FOLDER WORK_FOLDER
set -eu
source=$1 work=$2
mkdir -p "$work"
failed=0

# build NAME TARGET [cmake options]
build() {
    name=$1 target=$2
    shift 2
    if ! { cmake -S "$source" -B "$work/$name" "$@" && cmake --build "$work/$name" --target "$target" -j 2; } \
        >"$work/$name.log" 2>&1; then
        echo "$name does not build:"
        tail -n 20 "$work/$name.log"
        failed=1
        return 1
    fi
    echo "$name:"
}

variant() {
    name=$1 mode=$2
    shift 2
    build "$name" ff_command "$@" || return 0
    sh "$source/tests/frozen.sh" "$work/$name/firstframe" "$source/golden" "$mode" || failed=1
}

# asks PATTERN STATUS ARGUMENTS...: the first program, which knows OpenBLAS by a name that nothing has, says the pattern
asks() {
    pattern=$1 wanted=$2 status=0
    shift 2
    "$work/gcc-O0/firstframe" "$@" -m "$source/golden/diffusers/models/tiny-ti2v" --size 32x32 \
        >"$work/gcc-O0.said" 2>&1 || status=$?
    if [ $status -ne "$wanted" ] || ! grep -q "$pattern" "$work/gcc-O0.said"; then
        echo "status $status, not $wanted, or not \"$pattern\": firstframe $*"
        cat "$work/gcc-O0.said"
        failed=1
    fi
}

variant gcc-O0 --tiny -DCMAKE_C_COMPILER=gcc -DCMAKE_C_FLAGS_RELEASE=-O0 -DFF_OPENBLAS_NAME=libnone.so
if [ "$failed" = 0 ]; then
    missing='cannot be loaded: libnone.so\|built without OpenBLAS'
    asks "$missing" 2 t2i --steps 1 -p x --backend openblas -o "$work/none.png"
    asks "$missing" 2 bench --frames 1 --only vae_encode --backend openblas
    asks "OpenBLAS was not timed: .*\($missing\)" 0 bench --frames 1 --only vae_encode
fi
if command -v clang >/dev/null; then
    variant clang-O3 --quick -DCMAKE_C_COMPILER=clang
else
    echo "clang-O3 skipped: there is no clang here"
fi

# the fuzz targets, with the sanitizers
if echo 'int LLVMFuzzerTestOneInput(void) { return 0; }' |
    clang -fsanitize=fuzzer,address,undefined -x c - -o "$work/probe" 2>/dev/null; then
    if build clang-fuzz fuzz_targets \
        -DCMAKE_C_COMPILER=clang -DCMAKE_C_FLAGS_RELEASE=-O1 -DFF_FUZZ=ON -DFF_SANITIZE=ON; then
        sh "$source/tests/fuzz/run.sh" "$work/clang-fuzz/tests/fuzz" "$source" || failed=1
    fi
else
    echo "clang-fuzz skipped: there is no clang with libFuzzer here (tools/setup.sh test installs it)"
fi
[ "$failed" = 0 ]
