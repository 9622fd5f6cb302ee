#!/bin/sh
# What is said of words that a model does not know: once a run and with exit 0 where there are any, never where there
# are none, and of a model without a list nothing.
#   sh tests/words.sh PROGRAM SOURCE_FOLDER
. "$(dirname "$0")/command.sh"
export FIRSTFRAME_MODEL="$source/golden/model"
small="--size 32x32 --steps 1"
: >out; : >err

# says COUNT PATTERN: so many of the notes hold the pattern.
says() {
    [ "$(grep -c -e "^note: .*$2" err)" -eq "$1" ] || fail "\"$2\" was not noted $1 times"
}

# unknown PROMPT WORD...: just these are named, in this order.
unknown() {
    prompt=$1 named=
    shift
    for word; do named="$named${named:+, }\"$word\""; done
    run 0 t2i --estimate -p "$prompt"
    says 1 "this model [a-z ]*:\{0,1\} $named; it draws small portraits .* -m, such as Wan2.2.*README, \"A real model\")"
}

# Those of command lines and of Python's calls.
prompts_in() {
    grep -o -e '\(-p\|--motion\|prompt=\) *"[^"]*"' | sed 's/^[^"]*"//; s/"$//'
}

# ---- what it knows: every prompt of the README, the demo, the lesson and the help pages, and the evaluation's ----
{
    prompts_in <"$source/README.md"
    sed -n 's/^\(still\|motion\)="\(.*\)"$/\2/p; s/^mend="\(.*\)\\$/\1/p; s/^ \(looking .*\)"$/\1/p' \
        "$source/tools/demo.sh"
    sed -n 's/^[A-Z]* = "\(.*\)"$/\1/p; s/^    "\([^"]*\)"$/\1/p; s/^    ("[^"]*", [A-Z]*, "\(.*\)"),$/\1/p' \
        "$source/tools/lesson.py"
    for command in t2i inpaint i2v t2v compare explain; do
        "$program" $command --help | prompts_in
    done
    cat <<'END'
Her face slowly turns toward the camera. The smile on his face disappears. There is a subtle smile on her face
Camera moving in on her face quickly. The camera is slowly moving away from her face. The moon comes up over the water
The lighting around her head shifts strongly. A gentle breeze is moving through his hair. Camera panning slowly to the left
She looks at the camera and smiles. Slow zoom out, cinematic. She turns to us, smiling. camera moves closer to the face
A man blinks and looks into the distance. The woman smiles warmly while the camera slowly zooms in. nothing happens
She then slowly turns her head. “The woman’s hair” doesn't move; it's SMILING, very slowly, in 3 seconds
A beautiful, highly detailed portrait of a young woman, 4k
END
} >known
[ "$(wc -l <known)" -ge 25 ] || fail "the prompts of README, demo and lesson were not found"
run 0 t2i --estimate -p "$(cat known)" --json
says 0 'this model'
grep -q '"unknown_words":	\[\]' out || fail "words of its own prompts are unknown"
run 0 t2i --estimate -p ''
says 0 ''
run 0 t2i --estimate -p '... ?!'
says 0 ''

# ---- what it does not know ----
unknown 'a tabby cat on a sofa' tabby cat sofa
unknown 'the dog barks' dog barks
unknown 'portrait of a young woman with a cat' cat
unknown 'Taylor Swift' Taylor Swift
unknown 'cyberpunk city at night' cyberpunk city
unknown 'Portrait of a young woman, gray hair' gray      # drawn in any colour; grey is known
unknown 'astronaut riding a horse' astronaut riding horse
unknown '고양이가 소파에 앉아 있다' 고양이가 소파에 앉아 있다
unknown '一只猫坐在沙发上' 一只猫坐在沙发上
unknown 'ソファの上の猫' ソファの上の猫
unknown 'Кошка на диване' Кошка на диване
unknown 'eine Katze auf dem Sofa' eine Katze auf dem Sofa
unknown 'un chat sur le canapé' un chat sur le canapé
unknown '🐱' 🐱
unknown '12345' 12345
run 0 t2i --estimate -p 'a b c d e f g h'
says 1 'does not know "b", "c", "e", "f", "g" and others;'
run 0 t2i --estimate -p 'eine Katze'
says 1 'this model knows no word of the prompt: "eine", "Katze";'

# ---- once a run, whatever it makes ----
run 0 t2i $small -n 3 -p 'a cat' -o stills --json
says 1 'does not know "cat"'
says 1 ''
grep -q '"unknown_words":	\["cat"\]' out || fail "no unknown_words in the object"
[ "$(grep -c 'does not know' out)" -eq 1 ] || fail "the note is not in the object once"
run 0 t2i $small -n 3 -p 'a cat' -o quiet -q
[ ! -s err ] && [ ! -s out ] || fail "-q was not quiet"
run 0 inpaint $small -i stills/seed-0000.png --box 8,8,16,16 -p 'a hat' -o mended.png
says 1 'does not know "hat"'
run 0 t2v $small --frames 5 -p 'a lake' -o lake.webp
says 0 ''
run 0 t2v $small --frames 5 -p 'a lake' --guidance 2 --negative 'blurry water' -o negative.webp
says 1 'does not know "blurry"'
run 0 t2v $small --frames 5 -p 'a lake' --guidance 1 --negative 'blurry water' -o unguided.webp
says 0 'does not know'
run 0 i2v $small --frames 5 -i mended.png -p 'the dog barks' -o clip.webp
says 1 'does not know "dog", "barks"'
run 0 again clip.webp
says 1 'does not know "dog", "barks"'
run 0 explain --steps 1 --size 64x64 --frames 5 -i mended.png -p 'the dog barks' -o explained --json
says 1 'does not know "dog", "barks"'
grep -q '"unknown_words":	\["dog", "barks"\]' out || fail "no unknown_words of explain"
motions='--motion she.barks --motion slow.push-in'
for more in --estimate "-i mended.png" ''; do
    rm -rf compared
    run 0 compare --steps 1 --size 64x64 --frames 5 -n 1 -p 'a dog' $motions -o compared --json $more
    says 1 'does not know "dog", "barks"'
    says 1 ''
    grep -q '"unknown_words":	\["dog", "barks"\]' out || fail "no unknown_words of compare"
done
grep -q '"unknown_words":	\["dog", "barks"\]' compared/report.json || fail "no unknown_words in report.json"

# ---- inspect, other folders ----
run 0 inspect "$source/golden/model"
grep -q 'draws  *small portraits' out && grep -q 'words  *[0-9][0-9]* that it knows' out || fail "inspect tells of no list"
cp -r "$source/golden/diffusers/models/tiny-ti2v" other
run 0 t2i $small -m other -p 'a tabby cat' -o other.png --json
says 0 ''
grep -q unknown_words out && fail "unknown_words of a folder without a list"
run 0 inspect other
grep -q 'words\|draws' out && fail "inspect tells of a list where there is none"
echo '{"words": ["un chat", "猫"]}' >other/firstframe.json
run 0 t2i $small -m other -p 'un chat noir, 猫' -o noir.png
says 1 'this model does not know "noir"; for anything else name a real model with -m'
echo '{"words": ["a chat", "Chat"]}' >other/firstframe.json
run 2 t2i $small -m other -p x -o x.png
grep -q '^firstframe: other/firstframe.json: words holds "chat" twice' err || fail "a word that is there twice was taken"

[ $failures -eq 0 ] || exit 1
echo "what is said of unknown words: all as expected"
