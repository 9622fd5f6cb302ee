#!/bin/sh
# One answer on ARM too: builds the program and the kernel tests for AArch64 and runs them under emulation. The kernels
# must equal the scalar ones bit for bit, and whole runs hash to what golden/frozen/hashes.txt says.
# usage: neon.sh SOURCE_FOLDER WORK_FOLDER      exits 77, with the reason, where the tools are missing
set -eu
source=$1 work=$2
export PKG_CONFIG_LIBDIR=/usr/lib/aarch64-linux-gnu/pkgconfig

skip() {
    echo "skipped: $1 (tools/setup.sh test installs it)"
    exit 77
}
if [ "$(uname -m)" = aarch64 ]; then
    echo "skipped: on this machine the other tests run the NEON kernels"
    exit 77
fi
for tool in aarch64-linux-gnu-gcc qemu-aarch64; do
    command -v $tool >/dev/null || skip "there is no $tool"
done
for library in libcjson libutf8proc libpng libwebp libwebpdemux libjpeg cmocka; do
    pkg-config --exists $library || skip "there is no $library for arm64"
done
[ -e /usr/lib/aarch64-linux-gnu/libgomp.so.1 ] || skip "there is no libgomp for arm64"

tests=test_kernels
for file in "$source"/tests/test_simd*.c; do
    [ -e "$file" ] && tests="$tests $(basename "$file" .c)"
done
mkdir -p "$work"
if ! { cmake -S "$source" -B "$work" -DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR=aarch64 \
    -DCMAKE_C_COMPILER=aarch64-linux-gnu-gcc -DFF_OPENBLAS=OFF &&
    # shellcheck disable=SC2086  # the words are meant to be split
    cmake --build "$work" -j 2 --target ff_command $tests; } >"$work/build.log" 2>&1; then
    echo "the AArch64 build fails:"
    tail -n 20 "$work/build.log"
    exit 1
fi

failed=0
for name in $tests; do
    qemu-aarch64 "$work/tests/$name" >"$work/$name.log" 2>&1 || { failed=1 && tail -n 30 "$work/$name.log"; }
done
LAUNCHER=qemu-aarch64 sh "$source/tests/frozen.sh" "$work/firstframe" "$source/golden" --tiny || failed=1
[ $failed = 0 ]
