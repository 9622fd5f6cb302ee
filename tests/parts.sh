#!/bin/sh
# Models made of files, through the command line: options, notes, records, `again`, `--resume`, `inspect`.
#   sh tests/parts.sh PROGRAM SOURCE_FOLDER
. "$(dirname "$0")/command.sh"
cp -r "$source/golden/diffusers/models/tiny-ti2v" model || exit 1
cp model/transformer/diffusion_pytorch_model.safetensors transformer.safetensors
cp model/vae/diffusion_pytorch_model.safetensors vae.safetensors
cp model/text_encoder/model.safetensors umt5.safetensors
run_options="--size 32x32 --steps 2 --frames 5 -p fox"

# says PATTERN: the last command printed it.
says() {
    grep -q -e "$1" out err || fail "\"$1\" was not said"
}

# refuse PATTERN ARGUMENTS...: status 2, one sentence that holds the pattern.
refuse() {
    pattern=$1
    shift
    run 2 "$@"
    [ "$(grep -c '^firstframe: ' err)" -eq 1 ] && [ ! -s out ] || fail "not one sentence: firstframe $*"
    grep -q -e "$pattern" err || fail "no \"$pattern\" in the sentence: firstframe $*"
}

frames_hash() {
    sed -n 's/^\t"frames_sha256":.*"\([0-9a-f]*\)".*/\1/p' out
}
: >out; : >err

# ---- the same frames ----
run 0 t2v -m model $run_options -o folder.webp --json
folder=$(frames_hash)
run 0 t2v -m model --transformer transformer.safetensors --vae vae.safetensors --text-encoder umt5.safetensors \
    --tokenizer model/tokenizer $run_options -o files.webp --json
[ "$(frames_hash)" = "$folder" ] || fail "files gave other frames than the folder"
says 'transformer.safetensors: taken for a model of many steps'
run 0 t2v -m model --diffusion-model transformer.safetensors --t5xxl umt5.safetensors $run_options -o sdcpp.webp --json
[ "$(frames_hash)" = "$folder" ] || fail "stable-diffusion.cpp's names gave other frames"
run 0 t2v --transformer model/transformer --vae model/vae --text-encoder model/text_encoder \
    --tokenizer model/tokenizer $run_options --flow-shift 3 -o parts.webp --json

# ---- records ----
run 0 again files.webp
run 0 inspect files.webp --json
says '"vae":.*"vae.safetensors"'
cp vae.safetensors other.safetensors
run 0 again files.webp --vae vae.safetensors
mv vae.safetensors gone.safetensors
refuse 'was made with the model' again files.webp
run 0 again parts.webp
mv gone.safetensors vae.safetensors
refuse 'was made with the model' again files.webp -m model

# ---- what is refused ----
refuse 'do not run yet' t2v -m model --transformer-2 transformer.safetensors $run_options -o x.webp
refuse 'do not run yet' t2v -m model --image-encoder transformer.safetensors $run_options -o x.webp
refuse 'a transformer was expected; it is Wan2.2.s VAE' t2v -m model --transformer vae.safetensors $run_options -o x.webp
refuse 'a VAE is needed as well; give --vae with' t2v --transformer model/transformer $run_options -o x.webp
refuse 'other.safetensors and ./vae.safetensors could both be meant; say which with --vae' \
    t2v -m transformer.safetensors $run_options -o x.webp
rm other.safetensors

# ---- what lies beside a transformer's file ----
refuse 'it needs a config.json' t2v -m transformer.safetensors $run_options -o x.webp
says 'VAE: ./vae.safetensors, found beside the transformer'
says 'text encoder: ./umt5.safetensors, found beside the transformer'
mkdir -p comfy/diffusion_models comfy/vae comfy/text_encoders
cp transformer.safetensors comfy/diffusion_models
cp vae.safetensors comfy/vae/any-name.safetensors
cp umt5.safetensors comfy/text_encoders
echo text >comfy/vae/notes.safetensors
refuse 'it needs a config.json' t2v -m comfy/diffusion_models/transformer.safetensors $run_options -o x.webp
says 'VAE: comfy/diffusion_models/../vae/any-name.safetensors, found'
says 'text encoder: comfy/diffusion_models/../text_encoders/umt5.safetensors, found'
refuse 'it needs a config.json' t2v --transformer comfy/diffusion_models/transformer.safetensors \
    --vae vae.safetensors $run_options -o x.webp
grep -q 'VAE: ' err && fail "a VAE was looked for though one was given"
rm -r comfy

# ---- what else is refused ----
refuse 'No such file' t2v -m model --vae nowhere.safetensors $run_options -o x.webp
printf 'PK\003\004 and so on' >vae.pth
refuse 'people publish the same as VAE/Wan2.2_VAE' t2v -m model --vae vae.pth $run_options -o x.webp
refuse 'takes the place\|would take the place' t2v -m model --vae vae.safetensors $run_options -o f.webp \
    --dump vae.safetensors
for cut in 4 100 4000 60000; do
    head -c $cut transformer.safetensors >cut.safetensors
    refuse 'cut.safetensors' t2v -m model --transformer cut.safetensors $run_options -o x.webp
    refuse 'cut.safetensors' inspect cut.safetensors
done

gguf=$source/golden/diffusers/gguf/transformer.gguf
size=$(wc -c <"$gguf") cut=0
while [ $cut -lt $size ]; do
    head -c $cut "$gguf" >cut.gguf
    refuse 'cut.gguf' inspect cut.gguf
    cut=$((cut + 16384))
done

# ---- convert ----
cp vae.safetensors second-vae.safetensors   # it asks for no VAE, so two are none too many
run 0 convert -m transformer.safetensors -o plain.gguf --type bf16
run 0 convert -m model -o folder.gguf --type bf16
cmp -s plain.gguf folder.gguf || fail "a file was converted otherwise than its folder"
refuse 'so it is no UMT5 encoder' convert --text-encoder vae.safetensors --part text_encoder --type bf16 -o x.gguf
rm second-vae.safetensors

# ---- inspect ----
run 0 inspect transformer.safetensors
says "taken for a transformer with diffusers' names, as it has blocks.0.attn1.to_q.weight"
says 'F32 .*69 tensors'
says 'needs .*umt5-xxl-encoder'
run 0 inspect umt5.safetensors --json
for key in element_types parts what why geometry needs; do
    says "\"$key\":"
done
run 0 inspect --transformer model/transformer --vae vae.safetensors --text-encoder model/text_encoder \
    --tokenizer model/tokenizer -m model
says 'file .*vae.safetensors'
run 0 inspect model --vae vae.safetensors
says 'file .*vae.safetensors'
refuse 'one of them is enough' inspect model -m model

exit $((failures > 0))
