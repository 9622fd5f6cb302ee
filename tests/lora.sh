#!/bin/sh
# LoRAs on the command line: in the record, for `again` and --resume; what is said of them, and what is refused.
#   sh tests/lora.sh PROGRAM SOURCE_FOLDER
. "$(dirname "$0")/command.sh"
export FIRSTFRAME_MODEL="$source/golden/diffusers/models/tiny-ti2v"
loras=$source/golden/diffusers/lora
cp "$loras/a.safetensors" "$loras/c.safetensors" "$loras/g.safetensors" .
small="--size 32x32 --steps 2 -p x"
: >out; : >err

says() {
    grep -q -e "$1" out err || fail "\"$1\" was not said"
}

refuse() {
    pattern=$1
    shift
    run 2 "$@"
    [ "$(grep -c '^firstframe: ' err)" -eq 1 ] && grep -q -e "$pattern" err || fail "not one sentence with \"$pattern\""
}

hash_of() {
    sed -n 's/^\t"frames_sha256":.*"\([0-9a-f]*\)".*/\1/p' out
}

# ---- what one holds ----
run 0 inspect g.safetensors
says "taken for a LoRA"
says "products 4, of rank 2 to 2, alpha / rank 1 to 1"
says "sums     16 tensors"
says "used     with --lora g.safetensors:STRENGTH"

# ---- what it changes ----
run 0 t2i $small -o plain.png --json
plain=$(hash_of)
run 0 t2i $small -o one.png --json --lora a.safetensors
one=$(hash_of)
run 0 t2i $small -o two.png --json --lora a.safetensors:0.5 --lora c.safetensors
two=$(hash_of)
run 0 t2i $small -o turned.png --json --lora c.safetensors --lora a.safetensors:0.5
[ "$(printf '%s\n' "$plain" "$one" "$two" | sort -u | grep -c .)" -eq 3 ] || fail "LoRAs change nothing"
run 0 t2i $small -o same.png --json --lora a.safetensors:1.0 --isa scalar -t 1
[ "$(hash_of)" = "$one" ] || fail "other frames with the scalar kernels"
for isa in avx2 avx512; do
    "$program" t2i $small -o same.png --json --lora a.safetensors --isa $isa -t 3 >out 2>err || continue
    [ "$(hash_of)" = "$one" ] || fail "other frames with $isa"
done

# ---- the record ----
run 0 inspect two.png
says 'lora *a.safetensors:0.5 (SHA-256 '
says 'lora *c.safetensors:1 (SHA-256 '
run 0 again two.png
says 'identical to two.png'
run 0 again one.png --lora "$loras/a.safetensors"
mkdir moved
mv a.safetensors moved
refuse 'was made from a.safetensors, which is not there; say with --lora' again one.png
cp c.safetensors a.safetensors
refuse 'a.safetensors is not the file that one.png was made from' again one.png
refuse 'plain.png was made without --lora' again plain.png --lora c.safetensors
cp moved/a.safetensors .

# ---- going on ----
run 0 t2i $small -n 2 -o stills --lora a.safetensors:0.5
rm stills/seed-0001.png
refuse '--lora was a.safetensors:0.5, is a.safetensors:0.6' t2i $small -n 2 -o stills --lora a.safetensors:0.6 --resume
refuse '--lora was a.safetensors:0.5, is not given' t2i $small -n 2 -o stills --resume
cp c.safetensors a.safetensors
refuse 'the content of --lora a.safetensors is another' t2i $small -n 2 -o stills --lora a.safetensors:0.5 --resume
cp moved/a.safetensors .
run 0 t2i $small -n 2 -o stills --lora a.safetensors:0.5 --resume

# ---- what is said ----
run 0 t2i $small -o x.png --lora g.safetensors
says '^note: 4 of 26 tensors of g.safetensors match nothing in this transformer, such as .*_img'
says '^note: 2 of 26 tensors of g.safetensors are for sparse attention (to_gate_compress)'
run 0 t2i $small -o x.png --lora g.safetensors --json
says '"unmatched":.*4'
run 0 t2i $small --estimate --json
sed -n 's/.*"gflop_total":\t//p' out >before
run 0 t2i $small --estimate --json --lora a.safetensors
sed -n 's/.*"gflop_total":\t//p' out >after
cmp -s before after && fail "--estimate does not count a LoRA"

# ---- what is refused ----
refuse 'second transformer' t2i $small -o y.png --lora-2 a.safetensors
refuse 'nowhere: ' t2i $small -o y.png --lora nowhere:2
refuse 'a strength of 200' t2i $small -o y.png --lora a.safetensors:200
refuse 'give the file with --lora' t2i $small -p 'a fox <lora:fox:1>' -o y.png
refuse 'is no LoRA' t2i $small -o y.png --lora "$FIRSTFRAME_MODEL/vae/diffusion_pytorch_model.safetensors"
refuse 'would take the place of what is given as --lora' t2i $small -o a.safetensors --lora a.safetensors:2
size=$(wc -c <c.safetensors)
for bytes in 0 7 100 1000 4096 8192 $((size - 1)); do
    head -c $bytes c.safetensors >cut.safetensors
    refuse 'cut.safetensors' t2i $small -o y.png --lora cut.safetensors
done
[ ! -e y.png ] || fail "something was written"

exit $failures
