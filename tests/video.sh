#!/bin/sh
# MP4, WebM and GIF through ffmpeg: what it is told, and that its file is whole or not there. ffmpeg is a script here.
#   sh tests/video.sh PROGRAM SOURCE_FOLDER
. "$(dirname "$0")/command.sh"
model=$source/golden/diffusers/models/tiny-ti2v
clip="t2v -m $model -p x --size 32x32 --frames 5 --steps 2 -t 1"
tested=
: >out; : >err
mkdir bin none

# plant COMMAND: ffmpeg writes what it reads to its output, after this command.
plant() {
    cat >bin/ffmpeg <<END
#!/bin/sh
printf '%s\n' "\$@" >$work/arguments
for last; do :; done
$1
cat >"\${last#file:}"
END
    chmod +x bin/ffmpeg
}
PATH=$work/bin:$PATH

# nothing_of NAME: no part of it is left.
nothing_of() {
    for file in "$1"*; do
        [ ! -e "$file" ] || fail "$file is left"
    done
}

run 0 $clip -o plain.y4m
for ending in mp4 webm gif MP4; do
    plant ''
    run 0 $clip -o "clip.$ending"
    cmp -s plain.y4m "clip.$ending" || fail "ffmpeg did not read the clip for .$ending"
    grep -q "keeps no record" err || fail "that .$ending keeps no record was not said"
    grep -qx "file:clip.$ending.firstframe-.*part" arguments || fail "ffmpeg was to write in place"
    [ "$(ls | grep -c "^clip.$ending")" -eq 1 ] || fail "something is left beside clip.$ending"
    rm "clip.$ending"
done
run 0 $clip --quality 10 -o worse.mp4
grep -qx 46 arguments || fail "--quality 10 is not a rate of 46"
run 0 $clip -o 'a; touch b.mp4'
[ ! -e b.mp4 ] && [ -e 'a; touch b.mp4' ] || fail "a name went through a shell"
run 2 again worse.mp4
run 0 $clip -n 2 -o many.mp4
[ -e many-seed-0000.mp4 ] && [ -e many-seed-0001.mp4 ] || fail "not a file for each seed"

# what was there stays until the new one is whole
echo old >old.mp4
plant 'head -c 5000 >/dev/null; echo "first" >&2; echo "Error: no such codec" >&2; exit 3'
run 1 $clip -o old.mp4
grep -q '^firstframe: old.mp4: ffmpeg failed: Error: no such codec$' err || fail "ffmpeg's last line is not told"
[ "$(cat old.mp4)" = old ] || fail "old.mp4 was touched"
run 1 $clip -o bad.mp4
nothing_of bad.mp4
plant 'exit 0'
run 1 $clip -o bad.mp4
nothing_of bad.mp4
plant 'cat >/dev/null; kill -9 $$'
run 1 $clip -o bad.mp4
grep -q 'ended by signal 9' err || fail "the signal is not told"
nothing_of bad.mp4
plant 'cat >/dev/null; exit 1'
run 1 $clip -o bad.mp4
grep -q 'it does not say why' err || fail "a silent failure is not told"
plant ''

# interrupted while ffmpeg is at work: it is ended, and nothing is left but the state
plant 'echo $$ >'"$work"'/id; sleep 60'
"$program" $clip -o stopped.mp4 >out 2>err &
id=$!
while [ ! -s id ]; do sleep 0.05; done
sleep 0.2
kill -INT $id
wait $id
status=$?
[ $status -eq 130 ] || fail "status $status, not 130, of a run interrupted in ffmpeg"
kill -0 "$(cat id)" 2>/dev/null && fail "ffmpeg outlived its run"
rm -f stopped.mp4.state
nothing_of stopped.mp4

# without it
PATH=$work/none run 2 $clip -o x.mp4
grep -q 'x.mp4 needs ffmpeg, which is not installed (apt-get install ffmpeg' err || fail "no line to install ffmpeg"
nothing_of x.mp4

[ $failures -eq 0 ] || exit 1
echo "videos are whole or not there"
