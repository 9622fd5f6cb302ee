#!/bin/sh
# Runs every fuzz target over seeds taken from the goldens, and over what is made of them.
#   sh tests/fuzz/run.sh FOLDER_OF_TARGETS SOURCE_FOLDER [OPTION...]     options of libFuzzer (default: -runs=2000)
# Whatever is found is left in FOLDER_OF_TARGETS/NAME.found, with libFuzzer.
set -u
targets=$(cd "$1" && pwd) golden=$(cd "$2" && pwd)/golden
shift 2
[ $# -gt 0 ] || set -- -runs=2000
seeds=$(mktemp -d) || exit 1
trap 'rm -rf "$seeds"' EXIT

for name in safetensors gguf lora config tokenizer spiece prompt picture map; do
    mkdir "$seeds/$name"
done
find "$golden/diffusers/gguf" -name '*.gguf' -size -16k -exec cp {} "$seeds/gguf" \;
find "$golden" -name '*.safetensors' -size -16k | while IFS= read -r file; do
    cp "$file" "$seeds/safetensors/$(cksum <"$file" | tr ' ' -)"  # many have the same name
done
printf '\070\000\000\000\000\000\000\000%s0000' '{"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}   ' \
    >"$seeds/safetensors/scalar"
cp "$golden"/diffusers/lora/[a-g]*.safetensors "$seeds/lora"
rm "$seeds/lora/golden.safetensors"
find "$golden/diffusers/image" -type f -size -16k \( -name '*.png' -o -name '*.jpg' -o -name '*.webp' \) \
    -exec cp {} "$seeds/picture" \;
find "$golden/diffusers/models" -name '*config.json' | while IFS= read -r file; do
    cp "$file" "$seeds/config/$(cksum <"$file" | tr ' ' -)"
done
printf '{"a": [NaN, -Infinity, {"b": Infinity}], "NaN": "Infinity"}' >"$seeds/config/python"
for model in "$golden"/diffusers/text/*/spiece.model; do
    cp "$model" "$seeds/spiece/$(cksum <"$model" | tr ' ' -)"
done
cp "$golden/diffusers/text/pieces/tokenizer.json" "$seeds/tokenizer/pieces"
cat >"$seeds/tokenizer/small" <<'END'
{"added_tokens": [{"id": 3, "content": "<pad>", "special": true, "lstrip": true, "rstrip": false, "single_word": false,
"normalized": false}], "normalizer": {"type": "Sequence", "normalizers": [{"type": "Lowercase"}, {"type": "NFKC"},
{"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "}]}, "pre_tokenizer": {"type": "Metaspace",
"replacement": "▁", "prepend_scheme": "always"}, "model": {"type": "Unigram", "unk_id": 2, "byte_fallback": true,
"vocab": [["<pad>", 0], ["</s>", 0], ["<unk>", 0], ["<0x41>", -14], ["▁", -2], ["s", -3], ["she", -4], ["▁She", -5]]}}
END
printf 'She slowly turns her head toward the camera' >"$seeds/prompt/plain"
printf '&amp;amp; &#x41; &#65 &eacute; &notit; &#0; &#1114112;' >"$seeds/prompt/entities"
printf 'ﬁne “quoted” ＡＢ e\314\201 한글 😀' >"$seeds/prompt/unicode"
printf 'a\r\nb\302\205c\342\200\250d\tb\033[31m\377' >"$seeds/prompt/lines"
cat >"$seeds/map/whole" <<'END'
# ours              theirs
latents          <- final                 : permute 1 0 2
call.{2*s}.output   <- step{s}/prediction : select 0 0
call.{c}.block.{b}.attn1.q <- c{c}/layers.{b}.q : permute 1 0 2 : reshape -1 6
noise <- noise : channels-first : transpose
END
printf 'call.{c+1}.block.{b-1}.* <- call.{c}.block.{b}.* : reshape 4 -1 : channels-last\n' >"$seeds/map/shifted"

failed=0 count=0
for target in "$targets"/fuzz_*; do
    name=${target##*/fuzz_}
    [ -f "$target" ] && [ -x "$target" ] || continue
    [ -d "$seeds/$name" ] || { echo "fuzz_$name has no seeds" >&2; exit 1; }
    count=$((count + 1))
    mkdir -p "$targets/$name.corpus"
    folders="$targets/$name.corpus $seeds/$name"
    # shellcheck disable=SC2086  # the words are meant to be split
    if ! (cd "$targets" && "./fuzz_$name" "$@" -artifact_prefix="$name.found-" $folders) \
        >"$targets/$name.log" 2>&1; then
        echo "fuzz_$name fails:"
        tail -n 60 "$targets/$name.log"
        failed=1
    else
        echo "fuzz_$name: $(grep '^Done\|inputs' "$targets/$name.log" | tail -n 1)"
    fi
done
[ $count -gt 0 ] || { echo "there is no fuzz target in $targets" >&2; exit 1; }
exit $failed
