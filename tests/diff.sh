#!/bin/sh
# Dumps and their comparison from the command line: exit statuses, sentences, maps, plots, and dumps written by a C
# program that includes tools/firstframe_dump.h.
#   sh tests/diff.sh PROGRAM SOURCE_FOLDER COMPILER
. "$(dirname "$0")/command.sh"
compiler=$3
tested=diff

# refuse PATTERN ARGUMENTS...: status 2 and one sentence that holds the pattern.
refuse() {
    pattern=$1
    shift
    run 2 "$@"
    [ "$(grep -c '^firstframe: ' err)" -eq 1 ] && [ "$(wc -l <err)" -eq 1 ] || fail "not one sentence: diff $*"
    grep -q -e "$pattern" err || fail "no \"$pattern\" in the sentence: diff $*"
}

says() {
    grep -q -e "$1" out || fail "\"$1\" was not said"
}

# ---- our own dumps ----
model="-m $source/golden/diffusers/models/tiny-ti2v"
for seed in 0 1; do
    "$program" t2v $model -p "a lake" --size 32x16 --frames 5 --steps 2 -s $seed -q --dump seed$seed.safetensors \
        --dump-level op >out 2>err || fail "no dump"
done
run 0 seed0.safetensors seed0.safetensors
says "^  call.000.block.00.attn1.q  *equal"
says "all 5 frames are equal"
says "tensors compared: .* 0 within their tolerance, 0 beyond it"
run 1 seed0.safetensors seed1.safetensors --plot plot.png --heat-map heat.png
says "^First beyond its tolerance: noise"
says "^! step.001.latents"
says "As pictures: PSNR"
for picture in plot.png heat.png; do
    [ "$(head -c 4 $picture | tail -c 3)" = PNG ] || fail "$picture is no PNG"
done
run 0 seed0.safetensors seed1.safetensors --tolerance 1000 --tolerance frames=255 -q
[ ! -s out ] || fail "-q said something"
run 1 seed0.safetensors seed1.safetensors --tolerance 1000 --tolerance frames=255 --tolerance 'step.*.latents=0'
says "^First beyond its tolerance: step.000.latents"
run 1 seed0.safetensors seed1.safetensors --json
says '"first_divergence":	"noise"'
says '"same":	false'
says '"ssim":'
says '"exit":	1'
"$program" t2v $model -p "a lake" --size 32x16 --frames 5 --steps 2 -q --dump run.safetensors --dump-level run >out 2>err
run 0 run.safetensors seed0.safetensors --tolerance 0
says "^Only in seed0.safetensors: [0-9]* tensors"
"$program" t2v $model -p "a lake" --size 16x16 --frames 5 --steps 2 -q --dump small.safetensors >out 2>err
run 1 small.safetensors seed0.safetensors
says "^! noise  *shapes differ: \[8, 2, 2, 2\] and \[8, 2, 2, 4\]"

# ---- another program's ----
cat >writer.c <<'END'
#include "firstframe_dump.h"
int main(void)
{
    struct firstframe_dump dump;
    float noise[12], turned[12];
    double again[12];
    uint8_t frames[2 * 12 * 12 * 3];
    size_t i, shape[] = {3, 4}, other[] = {1, 4, 3}, clip[] = {2, 12, 12, 3};
    for (i = 0; i < 12; i++) {
        noise[i] = (float)i / 3;
        turned[i % 4 * 3 + i / 4] = noise[i] + (i == 5 ? 0.01f : 0);
        again[i] = (double)noise[i];
    }
    for (i = 0; i < sizeof frames; i++)
        frames[i] = (uint8_t)i;
    if (firstframe_dump_open(&dump, "ours.safetensors", 3))
        return 1;
    firstframe_dump_metadata(&dump, "prompt", "a \"lake\"\n");
    firstframe_dump_tensor(&dump, "noise", "F32", 2, shape, noise);
    firstframe_dump_tensor(&dump, "call.000.block.01", "F64", 2, shape, again);
    firstframe_dump_tensor(&dump, "frames", "U8", 4, clip, frames);
    if (firstframe_dump_close(&dump) || firstframe_dump_open(&dump, "theirs.safetensors", 4))
        return 1;
    frames[100] ^= 64;
    firstframe_dump_begin(&dump, "video", "U8", 4, clip);
    firstframe_dump_piece(&dump, frames, 1);
    firstframe_dump_piece(&dump, frames + 1, sizeof frames - 1);
    firstframe_dump_tensor(&dump, "initial/noise", "F32", 3, other, turned);
    firstframe_dump_tensor(&dump, "c0/b1", "F32", 2, shape, noise);
    if (firstframe_dump_close(&dump) || firstframe_dump_open(&dump, "short.safetensors", 1))
        return 1;
    firstframe_dump_begin(&dump, "video", "U8", 4, clip);
    return firstframe_dump_close(&dump) ? 0 : 1;
}
END
"$compiler" -std=c99 -Wall -Wextra -Wpedantic -Werror -I"$source/tools" writer.c -o writer >out 2>err || fail "no writer"
./writer || fail "the writer failed"
"$program" inspect ours.safetensors >out 2>err || fail "inspect"
says '  prompt: a "lake"'
refuse "no tensor of ours.safetensors has the name of one of theirs.safetensors" ours.safetensors theirs.safetensors
cat >map <<'END'
noise                  <- initial/noise   : transpose
call.{c}.block.{b}     <- c{c}/b{b}
frames                 <- video           : reshape 2 12 12 3
latents                <- nothing
END
run 1 ours.safetensors theirs.safetensors --map map --heat-map heat.png
says "^! noise "
says "^  call.000.block.01  *equal"
says "first different at \[1, 1\], largest difference 0.01 at \[1, 1\]; 1 of 12 values differ"
says "worst is frame 0: PSNR .* apart by up to 64 of 255"
grep -q "^note: map:4: matches no tensor" err || fail "no note about a rule that matches nothing"
run 0 ours.safetensors theirs.safetensors --map map --tolerance noise=0.01 --tolerance frames=64
echo "noise <- * : transpose" >map
refuse "by the map, .* are both noise" ours.safetensors theirs.safetensors --map map

# ---- mistakes ----
refuse "a file to look at is missing"
refuse "a second dump" seed0.safetensors
refuse "found a third" seed0.safetensors seed0.safetensors seed0.safetensors
refuse "absent.safetensors: No such file" seed0.safetensors absent.safetensors
refuse "expected a number, or NAME=NUMBER" seed0.safetensors seed0.safetensors --tolerance noise
refuse "expected a number, or NAME=NUMBER" seed0.safetensors seed0.safetensors --tolerance noise=-1
refuse "absent: No such file" seed0.safetensors seed0.safetensors --map absent
echo words >map
refuse "map:1: expected OURS <- THEIRS" seed0.safetensors seed0.safetensors --map map
cp seed1.safetensors kept.png
refuse "take the place of kept.png" seed0.safetensors kept.png --plot kept.png
refuse "x.jpg: .* must end in .png" seed0.safetensors seed0.safetensors --plot x.jpg
refuse "must end in .png" seed0.safetensors seed0.safetensors --heat-map x.webp
refuse "absent/plot.png: cannot be written" seed0.safetensors seed0.safetensors --plot absent/plot.png
cat >map <<'END'
noise <- initial/noise : transpose
END
refuse "have no frames" ours.safetensors theirs.safetensors --map map --heat-map heat.png
head -c 100000 seed0.safetensors >cut.safetensors
refuse "cut.safetensors" seed0.safetensors cut.safetensors
head -c 5 seed0.safetensors >cut.safetensors
refuse "5 bytes are no safetensors" cut.safetensors seed0.safetensors
printf '\030\000\000\000\000\000\000\000{"__metadata__":{}}     ' >none.safetensors
refuse "holds no tensor" none.safetensors seed0.safetensors

[ $failures -eq 0 ] || echo "$failures failed"
[ $failures -eq 0 ]
