#!/bin/sh
# One answer: the frames of whole runs hash to what golden/frozen/hashes.txt says, whatever the number of threads and
# on a processor without fused multiply-add. These hashes are of our own frames: they prove that nothing changed.
# usage: frozen.sh PROGRAM GOLDEN_FOLDER [--quick | --write]      --quick leaves out the emulated processor
set -eu
program=$1 golden=$2
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

if [ "${3:-}" = --write ]; then
    write=1
    : >"$hashes"
fi
names="t2v i2v last plain"
[ "${3:-}" = --quick ] || names="$names shipped_still shipped_clip shipped_mended"
for name in $names; do
    eval "words=\$$name"
    # shellcheck disable=SC2086  # the words are meant to be split
    check "$name" "2 threads" "$program" $words -p "a lake, soft light" -t 2
    [ "${write:-}" ] && continue
    for threads in 1 3 7; do
        check "$name" "$threads threads" "$program" $words -p "a lake, soft light" -t $threads
    done
    [ "${3:-}" = --quick ] && continue
    case $name in t2v | last | shipped_*) continue ;; esac  # emulation is slow: one run of each kind of model
    if [ "$(uname -m)" = x86_64 ] && command -v qemu-x86_64 >/dev/null; then
        check "$name" "without FMA" qemu-x86_64 -cpu Nehalem "$program" $words -p "a lake, soft light" -t 2
    else
        skipped="the runs without FMA were skipped: they need an x86-64 machine and qemu-x86_64"
    fi
done
[ "${skipped:-}" ] && echo "$skipped"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
