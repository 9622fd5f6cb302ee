#!/bin/sh
# One answer: the frames of whole runs hash to what golden/frozen/hashes.txt says, whatever the instruction set and the
# number of threads, and on a processor without fused multiply-add. These hashes are of our own frames: they prove that
# nothing changed.
# usage: frozen.sh PROGRAM GOLDEN_FOLDER [--quick | --tiny | --write]
#   --quick leaves out the longer runs and the emulated processor, --tiny the model that ships as well
#   LAUNCHER=qemu-aarch64 runs the program under an emulator
set -eu
program=$(realpath "$1") golden=$(realpath "$2") mode=${3:-}
hashes=$golden/frozen/hashes.txt
cd "$golden/diffusers"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
passed=0 failed=0

# the frames' hash of a run: launcher, then the command's words
hash_of() {
    case " $* " in *" t2i "* | *" inpaint "*) ending=png ;; *) ending=webp ;; esac
    "$@" --json -q -o "$work/out.$ending" >"$work/report.json" || return 1
    sed -n 's/.*"frames_sha256":[[:space:]]*"\([0-9a-f]*\)".*/\1/p' "$work/report.json" | head -n 1
}

t2v="t2v -m models/tiny-ti2v --size 32x32 --frames 5 --steps 2 --guidance 3 -s 1"
i2v="i2v -m models/tiny-ti2v -i runs/still.png --size 32x32 --frames 9 --steps 2 --guidance 4 -s 2"
last="i2v -m models/tiny-ti2v -i runs/still.png --last runs/last.png --frames 9 --size 32x32 --steps 2 -s 3"
plain="t2v -m models/tiny-t2v --size 32x16 --frames 9 --steps 2 --guidance 5 -s 4"
# the model that ships: a still, a clip, and a mended picture
shipped_still="t2i -m ../model --steps 4 -s 5"
shipped_clip="i2v -m ../model -i runs/still.png --frames 9 --steps 2 -s 6"
shipped_mended="inpaint -m ../model -i runs/picture.png --box 24,8,16,16 --steps 3 -s 7"
shipped_small="i2v -m ../model -i runs/still.png --size 48x32 --frames 5 --steps 1 -s 8"

check() {
    name=$1 how=$2
    shift 2
    got=$(hash_of "$@") || got="(the run failed)"
    if [ "${write:-}" ]; then
        echo "$name $got" >>"$hashes"
        return
    fi
    expected=$(sed -n "s/^$name //p" "$hashes")
    if [ -n "$got" ] && [ "$got" = "$expected" ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "$name, $how: frames hash to $got, frozen is $expected"
    fi
}

run() {
    name=$1 isa=$2 threads=$3
    eval "words=\$$name"
    # shellcheck disable=SC2086  # the words are meant to be split
    check "$name" "$isa, $threads threads" ${LAUNCHER:-} "$program" $words -p "a lake, soft light" --isa "$isa" -t "$threads"
}

if [ "$mode" = --write ]; then
    write=1
    : >"$hashes"
    for name in t2v i2v last plain shipped_still shipped_clip shipped_mended shipped_small; do
        run "$name" scalar 2
    done
    exit
fi

isas=
for isa in scalar avx2 avx512 neon; do
    # shellcheck disable=SC2086
    ${LAUNCHER:-} "$program" $t2v -p x -q --isa $isa -o "$work/probe.webp" 2>/dev/null && isas="$isas $isa"
done
echo "instruction sets here:$isas"

for name in t2v i2v last plain; do
    for isa in $isas; do
        run "$name" "$isa" 2
    done
    for threads in 1 3 7; do
        run "$name" auto $threads
    done
done
if [ "$mode" != --tiny ]; then
    for isa in $isas; do
        for threads in 1 2 3 7; do
            run shipped_small "$isa" $threads
        done
    done
fi
if [ -z "$mode" ]; then
    for name in shipped_still shipped_clip shipped_mended; do
        for isa in $isas; do
            run "$name" "$isa" 2
        done
        run "$name" auto 7
    done
    if [ "$(uname -m)" = x86_64 ] && command -v qemu-x86_64 >/dev/null; then
        LAUNCHER="qemu-x86_64 -cpu Nehalem"  # emulation is slow: one run of each kind of model
        run i2v auto 2
        run plain auto 2
    else
        echo "the runs without FMA were skipped: they need an x86-64 machine and qemu-x86_64"
    fi
fi
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
