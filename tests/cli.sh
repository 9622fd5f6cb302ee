#!/bin/sh
# End-to-end checks of the command line, with a tiny model of random weights.
#   sh tests/cli.sh PROGRAM SOURCE_FOLDER
. "$(dirname "$0")/command.sh"
models=$source/golden/diffusers/models
cp -r "$models/tiny-ti2v" model || exit 1
small="--size 32x32 --steps 2 -m model"

# refuse PATTERN ARGUMENTS...: status 2, one sentence that holds the pattern, and nothing written.
refuse() {
    pattern=$1
    shift
    ls -aR >before
    run 2 "$@"
    ls -aR >after
    [ "$(grep -c '^firstframe: ' err)" -eq 1 ] && [ ! -s out ] || fail "not one sentence: firstframe $*"
    grep -q -e "$pattern" err || fail "no \"$pattern\" in the sentence: firstframe $*"
    cmp -s before after || fail "something was written: firstframe $*"
}

# says PATTERN: the last command printed it.
says() {
    grep -q -e "$1" out err || fail "\"$1\" was not said"
}

exists() {
    for file; do
        [ -e "$file" ] || fail "$file was not written"
    done
}

absent() {
    for file; do
        [ ! -e "$file" ] || fail "$file should not be there"
    done
}

# The frames_sha256 that --json reported.
hash_of() {
    sed -n 's/^\t"frames_sha256":.*"\([0-9a-f]*\)".*/\1/p' out
}
: >before; : >after; : >out; : >err

# ---- help ----
list_commands >commands
grep -qx i2v commands || fail "the overview lists no commands"
for command in $(cat commands); do
    run 0 $command --help
    says "Usage: firstframe $command"
    says "^Example:"
    run 0 help $command
done
run 0 --help
says "firstframe i2v -i"
run 0 --version
says "^firstframe [0-9]"
run 2

# ---- wrong usage ----
refuse 'did you mean i2v' i2w
refuse 'did you mean compare' compere
refuse 'prompt TEXT is missing' t2i $small -o x.png
refuse 'output PATH is missing' t2i $small -p x
refuse 'image FILE is missing' i2v $small -p x -o x.webp
refuse 'mask FILE or --box' inpaint $small -i a.png -p x -o x.png
refuse 'here it is called --guidance' t2i $small -p x -o x.png --cfg-scale 4
refuse 'did you mean --steps' t2i -p x -o x.png --setps 4
refuse 'is an option of i2v' t2i $small -p x -o x.png --fps 4
refuse 'expected a whole number' t2i -p x -o x.png --steps 12x
refuse 'expected a number' t2i $small -p x -o x.png --guidance 1e999
refuse 'expected WIDTHxHEIGHT' t2i -m model -p x -o x.png --size 0x0
refuse 'expected WIDTHxHEIGHT' t2i -m model -p x -o x.png --size 1000000000x1000000000
refuse 'too small' t2i -m model -p x -o x.png --size 8x8
refuse 'belongs to no option' t2i $small -p a red fox -o x.png
refuse 'x.jpg: a picture must end in' t2i $small -p x -o x.jpg
refuse 'a picture must end in' t2i $small -p x -o 50%d/x.jpg
refuse 'no such folder' t2i -m nowhere -p x -o x.png
refuse 'no model_index.json' t2i -m . -p x -o x.png
refuse 'takes one result' t2v $small -p x -n 2 -o -

refuse 'expected auto, scalar, avx2' t2i $small -p x -o x.png --isa sse
refuse 'exclude each other' t2i $small -p x -o x.png --isa avx2 --backend scalar
case $(uname -m) in
x86_64) refuse 'has no neon' t2i $small -p x -o x.png --isa neon ;;
*) refuse 'has no avx2' t2i $small -p x -o x.png --isa avx2 ;;
esac

# ---- kernels ----
run 0 t2i $small -p 'a fox' --isa scalar -o scalar.png
run 0 t2i $small -p 'a fox' --backend scalar -t 3 -o backend.png
cmp -s scalar.png backend.png || fail "--backend scalar and --isa scalar gave other files"
run 0 t2i $small -p 'a fox' -o best.png
cmp -s scalar.png best.png || fail "the best kernels and the scalar ones gave other files"
if "$program" t2i $small -p 'a fox' --backend openblas -o openblas.png >out 2>err; then
    run 0 inspect openblas.png
    says 'backend  *openblas'
    run 0 again openblas.png -m model
else
    says 'built without OpenBLAS'
fi
refuse 'also needs --dims' bench --blocks 2
refuse 'exclude each other' bench -m model --dims ti2v-5b
refuse 'is an option of bench' t2i $small -p x -o x.png --only transformer
refuse 'too small' bench -m model --size 8x8
run 0 bench -m model --size 32x32 --frames 5 --only transformer -t 2
says 'transformer  *8 tokens, 2 blocks'
run 0 bench -m model --size 32x32 --frames 5 --only vae_encode --json
for key in peak_gflops openblas_gflops peak_memory_bytes stages name seconds gflops; do
    says "\"$key\":"
done

# ---- stills ----
run 0 t2i $small -p 'a fox' -s 7 -o still.png
exists still.png
says 'still.png: 32x32, seed 7,'
run 0 t2i -m model --steps 1 -p 'a fox' -W 64 -o wide.png
says 'wide.png: 64x32,'  # the model's own shape is 1280x704
run 0 t2i $small -p 'a fox' -n 3 -o stills
exists stills/seed-0000.png stills/seed-0001.png stills/seed-0002.png stills/contact.png
refuse 'seed-0001.png exists' t2i $small -p 'a fox' -s 1 -o stills
rm stills/seed-0001.png
run 0 t2i $small -p 'a fox' -n 3 -o stills --resume
exists stills/seed-0001.png stills/contact-2.png
refuse 'is not this run' t2i $small -p 'a cat' -n 3 -o stills --resume
run 0 t2i $small -p 'a fox' -n 2 -s 5 -o pair.png
exists pair-seed-0005.png pair-seed-0006.png pair-contact.png
absent pair.png
run 0 t2i $small -p 'a fox' -o v1.5/
exists v1.5/seed-0000.png
run 0 t2i $small -p 'a fox' -n 2 -o '50%d'
exists 50%d/seed-0000.png 50%d/contact.png
absent 500
run 0 t2i $small -p 'a fox' -n 2 -o '50%d/f%d.webp'
exists 50%d/f%d-seed-0001.webp 50%d/f%d-contact.png
run 0 t2i $small -p 'a fox' -s -1 -o random.png
says 'drawn at random'
run 0 again random.png -m model
run 0 t2i $small -p "$(printf '%0100000d' 0)" -o long.png
says 'the model reads its first 512 tokens'
run 0 t2i $small -p 'a fox' --negative "$(printf '%0100000d' 0)" -o long.png
says 'the negative prompt is too long; the model reads its first 512 tokens'

# ---- clips ----
clip="i2v -i still.png -p turn --size 32x32 --frames 9 --steps 3 -m model"
run 0 $clip -o clip.webp --json
hash=$(hash_of)
[ ${#hash} -eq 64 ] || fail "no hash in the JSON object"
for threads in 1 3; do
    run 0 $clip -t $threads -o threads.webp --json
    [ "$(hash_of)" = "$hash" ] || fail "other frames with $threads threads"
done
LC_ALL=de_DE.UTF-8 run 0 $clip --guidance 5.0 -o locale.webp --json
[ "$(hash_of)" = "$hash" ] || fail "other frames in another locale"
run 0 $clip -o 'f-%02d.png'
exists f-00.png f-08.png
absent f-09.png
run 0 $clip -o -
[ "$(head -c 10 out)" = "YUV4MPEG2 " ] || fail "no YUV4MPEG2 on standard output"
grep -q 'frames_sha256' err || fail "no summary beside a clip on standard output"
run 2 $clip -o - --json
says 'both want standard output'
run 0 i2v -i still.png -p turn --size 40x40 --frames 10 --steps 1 -m model -o rounded.webp
says 'note: size rounded down to 32x32'
says 'note: 10 frames rounded to 9'
run 0 t2v $small -p turn --seconds 0.5 --fps 8 -o half.webp
says 'half.webp: 5 frames, 0.625 s at 8 fps'
run 0 t2v $small -p turn --frames 5 --fps 0.1 -o slow.webp
run 0 i2v -i still.png --last pair-seed-0005.png -p turn --frames 5 $small -o last.webp
refuse 'no such file\|No such file' i2v -i nothing.png -p x $small -o x.webp
: >empty.png
refuse 'empty.png' i2v -i empty.png -p x $small -o x.webp

# ---- inpainting ----
run 0 inpaint -i still.png --box 8,8,8,8 -p ear $small -n 2 -o mended.png
exists mended-seed-0000.png mended-seed-0001.png mended-contact.png
run 0 inpaint -i still.png --box 8,8,8,8 -p ear $small -s 1 -o mended.png
cmp -s mended.png mended-seed-0001.png || fail "the same seed gave another file"
refuse 'reaches outside' inpaint -i still.png --box 8,8,80,8 -p ear $small -o x.png
pictures=$source/golden/diffusers/image
refuse 'mask-from also needs --mask' inpaint -i still.png --box 8,8,8,8 --mask-from alpha -p x $small -o x.png
refuse 'expected white or alpha' inpaint -i still.png --mask still.png --mask-from hole -p x $small -o x.png
refuse 'here it is called --mask-from' inpaint -i still.png --mask still.png --mask-channel alpha -p x $small -o x.png
refuse 'nothing in it is transparent' inpaint -i still.png --mask still.png --mask-from alpha -p x $small -o x.png
refuse 'the mask is 11 x 9 pixels, the picture 32 x 32' inpaint -i still.png --mask "$pictures/rgb8.png" -p x $small -o x.png
refuse 'rgba8.png: .* % of it is transparent.*--mask-from alpha' \
    inpaint -i "$pictures/rgba8.png" --mask "$pictures/rgba8.png" -p x $small -o x.png
run 0 inpaint -i "$pictures/rgba8.png" --mask "$pictures/rgba8.png" --mask-from alpha -p x $small -o hole.png
run 0 inspect hole.png
says 'mask-from  *alpha'
run 0 again hole.png -m model -o hole-again.png
cmp -s hole.png hole-again.png || fail "again made another picture of one with a hole"
run 0 inpaint -i "$pictures/rgba16.png" --box 2,2,5,5 -p x $small -o whole.webp
says 'note: the picture.s 16 bits a sample cannot go into a WebP; a PNG keeps it'

# ---- the same idea with and without the still ----
refuse 'motion TEXT is missing' compare $small -p x -o compared
refuse 'this is a file' compare $small -p x --motion y -o still.png
refuse 'at most 16 times' compare $small -p x --motion= -o compared
run 0 compare $small -p 'a fox' --motion 'it turns' --motion 'it sleeps' --frames 5 -n 2 --estimate -o compared --json
says '"gflop_total"'
absent compared
run 0 compare -i still.png $small -p 'a fox' --motion 'it turns' --estimate
says 'from text alone  4 x '
run 0 compare $small -p 'a fox.' --motion 'it <turns>' --motion 'it sleeps' --frames 5 -n 2 --color-match -o compared
says 'With the still, 2 seeds draw'
exists compared/still.png compared/1-anchored-seed-0000.webp compared/1-matched-seed-0001.webp \
    compared/2-unanchored-seed-0001.webp compared/1-pairs.webp compared/2-pairs.webp
says 'compared/report.html: 8 clips of 32x32'
grep -q '"prompt":.*"a fox. it <turns>"' compared/report.json || fail "not the prompt of the unanchored clip"
grep -q 'it &lt;turns&gt;' compared/report.html || fail "the motion is not shown as it was typed"
grep -q 'src="http\|<script src\|<link rel="stylesheet' compared/report.html && fail "the page needs something outside it"
run 0 again compared/2-unanchored-seed-0001.webp -m model
run 0 again compared/1-anchored-seed-0001.webp -m model
run 0 i2v -i compared/still.png -p 'it <turns>' $small --frames 5 --color-match -s 1 -o matched.webp --json
grep -q "$(hash_of)" compared/report.json || fail "i2v --color-match gives other frames than compare"
run 0 again matched.webp -m model
run 0 compare $small -p 'a fox' --motion 'it turns' -i still.png --frames 1 -n 1 -o alone --json
says '"verdicts"'
absent alone/still.png

# ---- a run from the inside ----
refuse 'image FILE is missing' explain $small -p x -o explained
refuse 'timestep, known, attention or all' explain -i still.png $small -p x --ablate everything -o explained
run 0 explain -i still.png -p 'it turns' --frames 9 $small --ablate all --estimate
says 'clips  *4 x 9 frames of 32x32'
absent explained
run 0 explain -i still.png -p 'it <turns> slowly' --frames 9 $small --ablate all -o explained
exists explained/clip.webp explained/step-01.webp explained/step-02.webp explained/without-timestep.webp \
    explained/without-known.webp explained/without-attention.webp
says 'explain.html: 4 runs of 9 frames'
grep -q '&lt;turns&gt;' explained/explain.html || fail "the word is not shown as it was typed"
grep -q 'src="http\|<script src\|<link rel="stylesheet' explained/explain.html && fail "the page needs something outside it"
for file in timestep known attention; do
    cmp -s explained/clip.webp explained/without-$file.webp && fail "nothing was taken away without $file"
done
run 0 i2v -i still.png -p 'it <turns> slowly' --frames 9 $small -o watched.webp
cmp -s watched.webp explained/clip.webp || fail "a run that is watched gives another clip"
run 0 explain -i still.png -p 'it turns' --frames 1 $small --guidance 1 -o brief --json
says '"report"'

# ---- a look at a run ----
run 0 i2v -i still.png -p turn --frames 5 $small --preview preview.png --show -o shown.webp
exists preview.png
[ "$(grep -c '▀' out)" -eq 16 ] || fail "no 32x32 picture in half-blocks"
run 0 i2v -i still.png -p turn --frames 5 $small -o plain.webp
cmp -s plain.webp shown.webp || fail "looking at a run changes it"
KITTY_WINDOW_ID=1 run 0 t2i $small -p 'a fox' --show -o shown.png
grep -q '_Ga=T,f=24,s=32,v=32' out || fail "no picture by Kitty's protocol"
run 0 t2i $small -p 'a fox' --preview nowhere/preview.png -o still-made.png
says 'the run goes on without a preview'
cp -r model untimed
sed 's/true$/false/; s/true,$/false,/; s/temporal": 4/temporal": 1/; s/is_residual": false/is_residual": true/' \
    model/vae/config.json >untimed/vae/config.json
run 0 t2v -m untimed --size 32x32 --steps 1 --frames 5 -p x --preview untimed.png -o untimed.webp
exists untimed.png
refuse 'name the same file' t2i $small -p x --preview x.png -o x.png
refuse 'output and --dump name the same file' t2i $small -p x --dump model/../x.png -o x.png
refuse 'dump and --preview name the same file' t2i $small -p x --dump d.png --preview ./d.png -o x.png
refuse 'a preview is one picture' t2i $small -p x --preview x.y4m -o x.png

# ---- metadata ----
run 0 t2i $small -p "$(printf 'a \033]0;fox\007 \302\233 \303\251')" -o steering.png
run 0 inspect steering.png
says "$(printf 'a ?]0;fox? ?? \303\251')"
refuse 'no model_index.json in it' inspect .
run 0 inspect clip.webp
says 'made by firstframe .* with i2v'
says 'image  *still.png'
run 0 inspect clip.webp --json
says '"frames_sha256"'
run 0 again clip.webp -m model
says 'identical to clip.webp'
run 0 again f-03.png -m model -o again.webp
exists again.webp
LC_ALL=C sed "s/$hash/$(echo "$hash" | tr 0-9a-f 1-9a-f0)/" clip.webp >forged.webp
run 1 again forged.webp -m model
says 'cannot be made again'
mkdir moved
mv clip.webp still.png moved
run 0 again moved/clip.webp -m model
refuse 'say with --image where it is' again f-03.png -m model
run 0 again f-03.png -m model -i moved/still.png
refuse 'is not the file' again f-03.png -m model -i mended.png
refuse 'was made with the model' again f-03.png -m "$models/tiny-t2v" -i moved/still.png
cp moved/still.png .
run 0 t2i $small -p 'a fox' --no-metadata -o plain.png
run 2 again plain.png -m model
run 2 inspect plain.png

# ---- tensors ----
run 0 t2i $small -p 'a fox' --dump run.safetensors
run 0 inspect run.safetensors
says 'step.001.latents'
run 0 t2i $small -p 'something else' --load run.safetensors -o loaded.png --json
loaded=$(hash_of)
run 0 t2i $small -p 'a fox' -o computed.png --json
[ "$(hash_of)" = "$loaded" ] || fail "loaded tensors gave other frames"
refuse 'exclude each other' t2i $small -p x -o x.png --resume --dump d.safetensors
"$program" t2v $small -p x --frames 5 -o - >&- 2>err
[ $? -eq 1 ] || fail "a clip to a closed output was lost in silence"
refuse 'not a regular file' t2i $small -p x -o x.png --load /dev/zero

# ---- broken models ----
cp -r model strange
cat >strange/firstframe.json <<'END'
{"width": 8, "height": 8}
END
run 0 inspect strange
says 'transformer  *WanTransformer3DModel'
says 'note: no memory is told.*too small'
echo '{"guidance_scale": 150}' >strange/firstframe.json
refuse 'guidance_scale is 150, must be 0 to 100' inspect strange
cp -r model cut
for file in cut/transformer/*.safetensors; do
    head -c 3000 "$file" >short && mv short "$file"
done
refuse 'cut/transformer' t2i --size 32x32 -m cut -p x -o x.png
rm cut/transformer/*.safetensors
refuse 'cut/transformer' t2i --size 32x32 -m cut -p x -o x.png
refuse 'text only\|cannot hold a picture' i2v -i still.png -p x -m "$models/tiny-t2v" -o x.webp

# ---- folders as downloads leave them ----
cp -r model odd
config=scheduler/scheduler_config.json
sed 's/"flow_shift"/"lambda_min_clipped": -Infinity, "flow_shift"/' model/$config >odd/$config
run 0 t2i -m odd --size 32x32 --steps 2 -p 'a fox' -s 7 -o infinite.png --json
odd=$(hash_of)
run 0 t2i $small -p 'a fox' -s 7 -o finite.png --json
[ "$(hash_of)" = "$odd" ] || fail "an unused key of -Infinity gave other frames"
mv odd/transformer/diffusion_pytorch_model.safetensors odd/transformer/diffusion_pytorch_model.fp16.safetensors
run 0 t2i -m odd --size 32x32 --steps 2 -p 'a fox' -s 7 -o variant.png --json
[ "$(hash_of)" = "$odd" ] || fail "a variant with the same weights gave other frames"
says 'note: transformer: variant fp16, as'
run 0 inspect odd
says 'note: transformer: variant fp16, as'
sed 's/WanPipeline/WanDMDPipeline/' model/model_index.json >odd/model_index.json
refuse '_class_name is WanDMDPipeline, expected WanPipeline' t2i -m odd --size 32x32 --steps 2 -p x -o x.png
run 2 inspect odd
says 'odd: WanDMDPipeline, cannot be used'
says 'transformer  *WanTransformer3DModel: [0-9]* tensors'
says '_class_name is WanDMDPipeline'
cp model/model_index.json odd
printf 'version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n' >pointer.png
refuse 'pointer.png: .*a Git LFS pointer' i2v -i pointer.png -p x $small -o x.webp
refuse 'pointer.png: .*a Git LFS pointer' inspect pointer.png
for file in tokenizer/tokenizer.json transformer/config.json transformer/diffusion_pytorch_model.fp16.safetensors; do
    mv odd/$file kept
    cp pointer.png odd/$file
    refuse "$file: .*a Git LFS pointer" t2i -m odd -p x -o x.png
    mv kept odd/$file
done
mv odd/transformer/diffusion_pytorch_model.fp16.safetensors odd/transformer/diffusion_pytorch_model.bin
refuse 'only diffusion_pytorch_model.bin, which is not read' t2i -m odd -p x -o x.png
rm -r odd

# ---- what cannot be written ----
run 1 t2i $small -p x -o nowhere/x.png
absent nowhere
run 1 t2i $small -p x -o still.png/x.png
(ulimit -f 4 && run 1 t2i -m model --size 64x64 --steps 1 -p x -o full.png; exit $failures)
[ $? -eq $failures ] || fail "a full disk was not reported"
absent full.png
ls .*png* *.png?* 2>/dev/null && fail "temporary files were left behind"
if (ulimit -v 1000000 && "$program" --version >/dev/null 2>&1); then  # a sanitizer needs more
    (ulimit -v 1000000 && run 1 t2i $small -p x -t 900 -o crowd.png
    says '900 threads cannot be started'; exit $failures)
    [ $? -eq $failures ] || fail "threads that cannot be started were not reported"
    ls crowd.png* 2>/dev/null && fail "a temporary file was left behind"
fi
if [ -c /dev/full ]; then
    "$program" inspect model >/dev/full 2>err
    [ $? -eq 1 ] || fail "a summary that could not be written was not reported"
fi

# ---- interruption ----
mkfifo silent
"$program" i2v -i silent -p turn $small -o x.webp >out 2>err &
id=$!
sleep 0.3
kill -s TERM $id
sleep 0.3
kill -s KILL $id 2>/dev/null  # changes nothing where TERM was enough
wait $id
status=$?
[ $status -eq 143 ] || fail "status $status after TERM while nothing comes from a pipe"
long="i2v -i still.png -p turn --size 64x64 --frames 25 --steps 100 -m model"
run 0 $long -o whole.webp --json
whole=$(hash_of)
signals="INT TERM HUP"
[ "$(sh -c 'kill -s HUP $$; echo ignored' 2>/dev/null)" ] && signals="INT TERM"  # by nohup, as it then stays
for signal in $signals; do
    case $signal in INT) ends=130 ;; TERM) ends=143 ;; HUP) ends=129 ;; esac
    : >err  # of the last run, which the next would be taken for
    "$program" $long -v -o broken.webp >out 2>err &
    id=$!
    until grep -q 'denoise 3/' err; do
        kill -0 $id 2>/dev/null || break
        sleep 0.02
    done
    kill -s $signal $id
    wait $id
    status=$?
    [ $status -eq $ends ] || fail "status $status after $signal"
    absent broken.webp
    ls .*webp* *.webp?* 2>/dev/null | grep -v '\.state$' && fail "a temporary file was left behind by $signal"
    exists broken.webp.state
    says 'same command with --resume'
done
refuse '--steps was 100, is 99' $long --steps 99 -o broken.webp --resume
run 0 $long -o broken.webp --resume --json
[ "$(hash_of)" = "$whole" ] || fail "the resumed run gave other frames"
absent broken.webp.state
refuse 'nothing to resume' $long -o broken.webp --resume
run 0 t2i $small -p 'a fox' -s 7 -o early.png --resume
says 'starts from the beginning'
cmp early.png still.png || fail "a run that had not begun was resumed to other frames"

# ---- what a killed run left, where this one is refused ----
run 0 t2i $small -p x --steps 1 -s 0 -n 2 -o left
: >left/seed-0000.png.firstframe-999999999-0.part
: >left/other.firstframe-999999999-0.part
run 2 t2i $small -p x --steps 1 -s 0 -n 2 -o left
says 'exists already'
absent left/seed-0000.png.firstframe-999999999-0.part
exists left/other.firstframe-999999999-0.part

# ---- outputs that would take the place of inputs ----
cp still.png keep.png
for option in "--dump keep.png" "--preview keep.png" "--preview ./keep.png"; do
    refuse 'would take the place of what is given as --image' i2v $small -i keep.png -p x --frames 5 -o y.webp $option
    refuse 'would take the place of what is given as --last' i2v $small -i still.png --last keep.png -p x --frames 5 -o y.webp $option
done
refuse 'would take the place of what is given as --mask' inpaint $small -i still.png --mask keep.png -p x -o keep.png
ln -s keep.png link.png
refuse 'would take the place of what is given as --image' i2v $small -i link.png -p x --frames 5 -o y.webp --dump keep.png
cp keep.png f-1.png
mkdir pages
cp keep.png pages/clip.webp
for command in "i2v -o f-%d.png -i f-1.png --frames 5" "explain -o pages -i pages/clip.webp --frames 5"; do
    run 2 $command $small -p x
    says 'would take the place of what is given as --image'
done
cmp keep.png f-1.png && cmp keep.png pages/clip.webp || fail "an input was overwritten"
cp -r model copied
run 2 t2i -m copied --size 32x32 --steps 1 -p x -o y.png --dump copied/vae/diffusion_pytorch_model.safetensors
says 'would take the place of a file of the model'
cmp model/vae/diffusion_pytorch_model.safetensors copied/vae/diffusion_pytorch_model.safetensors || fail "a model was overwritten"
run 0 t2i -m copied --size 32x32 --steps 1 -p x -o copied/y.png --dump copied/y.safetensors
run 0 t2i -m copied --size 32x32 --steps 1 -p x -o copied/y.png --dump copied/y.safetensors
for twice in 1 2; do  # pages may lie below the model
    run 0 explain -m copied --size 32x32 --steps 1 -i keep.png -p x --frames 5 -o copied/explained
done
rm -r copied f-1.png pages
run 0 t2i $small -p x --steps 1 -o y.png --dump keep.safetensors
refuse 'would take the place of what is given as --load' t2i $small -p x -o y.png --load keep.safetensors --dump keep.safetensors
cmp still.png keep.png || fail "an input was overwritten"
run 0 inpaint $small -i keep.png --box 8,8,16,16 -p x --steps 1 -o keep.png  # mended in its place
cmp -s still.png keep.png && fail "the picture was not mended in its place"

# ---- values that stop being finite ----
for part in text_encoder/model transformer/diffusion_pytorch_model vae/diffusion_pytorch_model; do
    rm -rf damaged
    cp -r model damaged
    weights=damaged/$part.safetensors
    for at in $((8 + $(od -An -tu8 -N8 $weights))) $(($(wc -c <$weights) - 4)); do  # the first value and the last
        printf '\377\377\377\377' | dd of=$weights bs=1 seek=$at conv=notrunc 2>/dev/null  # NaN in every type
    done
    for command in "i2v -i still.png -p x --frames 5 -o n.webp" "compare -p x --motion y -o n" "t2i -p x -n 3 -o n" \
        "t2v -p x --frames 5 -o n.webp --dump n.safetensors" "t2v -p x --frames 5 -o -"; do
        ls -aR >before
        run 1 $command --size 32x32 --steps 2 -m damaged
        [ "$(wc -l <err)" -eq 1 ] || fail "not one sentence: $command with a damaged $part"
        says "firstframe: values stopped being finite while .*tensor .* of damaged/${part%/*} holds NaN or infinity"
        rmdir n 2>/dev/null
        ls -aR >after
        [ "$command" != "t2v -p x --frames 5 -o -" ] || [ ! -s out ] || fail "something went to standard output"
        cmp -s before after || fail "something was written: $command with a damaged $part"
    done
done

[ $failures -eq 0 ] || exit 1
echo "all command-line checks passed"
