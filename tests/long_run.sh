#!/bin/sh
# What a long run says and asks before it starts, the room it wants, and what --resume may change. The machine's speed
# and free bytes are assumed.
#   sh tests/long_run.sh PROGRAM SOURCE_FOLDER
. "$(dirname "$0")/command.sh"
clip="t2v -m $source/golden/diffusers/models/tiny-ti2v -p x --size 64x64 --frames 25 -t 1"
: >out; : >err

# the work of the run, in GFLOP
run 0 $clip --steps 20 --estimate --json
gflop=$(sed -n 's/.*"gflop_total":[^0-9]*\([0-9.e-]*\).*/\1/p' out)
# speed SECONDS: with this many GFLOP/s the run takes so long
speed() {
    FIRSTFRAME_ASSUMED_GFLOPS=$(awk "BEGIN { printf \"%.12f\", $gflop / $1 }")
    export FIRSTFRAME_ASSUMED_GFLOPS
}
says() {
    grep -q -e "$1" out err || fail "\"$1\" was not said"
}

speed 119
run 0 $clip --steps 20 -o a.webp
if grep -q 'this will take' err; then fail "a run of less than two minutes was announced"; fi
speed 121
run 0 $clip --steps 20 -o a.webp
says 'note: this will take about 2:01, [0-9.e-]* GB of memory beside [0-9.e-]* GB of mapped weights, and [0-9.e-]* GB of disk'
says 'cheaper on this machine: --steps 10 takes 1:[0-9]*, and --frames 13 takes'
run 0 $clip --steps 20 -o a.webp --json
says '"expected_seconds":.*121'
run 0 $clip --steps 4 --guidance 5 -o a.webp
speed 61
run 0 $clip --steps 20 -n 2 -o n.webp
says 'this will take about 2:02'
speed 1000
run 0 $clip --steps 8 --guidance 5 -o a.webp
says 'cheaper on this machine: --guidance 1 takes'

# above six hours somebody must want it
speed 21700
rm -f a.webp
run 2 $clip --steps 20 -o a.webp </dev/null
says '^firstframe: this run will take about 6:01:40; --yes starts it all the same$'
[ ! -e a.webp ] || fail "a run of six hours was started"
run 0 $clip --steps 20 -o a.webp --yes
run 2 again a.webp -m "$source/golden/diffusers/models/tiny-ti2v" </dev/null
run 0 again a.webp -m "$source/golden/diffusers/models/tiny-ti2v" --yes
if command -v script >/dev/null; then
    for answer in y n; do
        rm -f b.webp
        (sleep 1; echo $answer) | script -qec "'$program' $clip --steps 20 -o b.webp" typescript >out 2>err
        says 'start it? \[y/N\]'
        [ $answer = y ] && [ ! -e b.webp ] && fail "yes did not start it"
        [ $answer = n ] && [ -e b.webp ] && fail "no started it"
    done
fi
unset FIRSTFRAME_ASSUMED_GFLOPS

# room
FIRSTFRAME_ASSUMED_FREE=1000
export FIRSTFRAME_ASSUMED_FREE
run 1 $clip --steps 20 -o c.y4m
says '^firstframe: output and state need [0-9]* bytes where c.y4m is, and 1000 are free$'
[ ! -e c.y4m ] || fail "c.y4m was begun without room for it"
unset FIRSTFRAME_ASSUMED_FREE

# what was denoised is not denoised again: the state that a failed end leaves is taken up under another ending
mkdir bin
printf '#!/bin/sh\ncat >/dev/null\nexit 1\n' >bin/ffmpeg
chmod +x bin/ffmpeg
long="i2v -i $source/golden/frozen/demo/mended.png -m $source/golden/model -p x --frames 25 --steps 30 -t 1"
run 0 $long -o whole.webp --json
hash=$(sed -n 's/^\t"frames_sha256":.*"\([0-9a-f]*\)".*/\1/p' out)
PATH=$work/bin:$PATH run 1 $long -o d.mp4
if [ -e d.mp4.state ]; then
    run 0 $long -o d.webp --quality 40 --fps 12 --resume --json -v
    says 'goes on from d.mp4.state'
    says "\"frames_sha256\":.*$hash"
    if grep -q '"denoise":.*[1-9][0-9]*\.' out; then fail "it was denoised again"; fi
    [ -e d.webp ] && [ ! -e d.mp4.state ] || fail "the state was not taken up to the end"
else
    echo "the run was too short to leave a state"
fi

[ $failures -eq 0 ] || exit 1
echo "long runs say what they take"
