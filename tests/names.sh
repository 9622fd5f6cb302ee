#!/bin/sh
# Every file and function that is named exists, and is where it is said to be: on the pages of explain and compare, in
# every README, in what --help prints and in the comments of sources. names.awk has the rules.
#   sh tests/names.sh PROGRAM SOURCE_FOLDER
. "$(dirname "$0")/command.sh"
: >out; : >err
export LC_ALL=C

# files of diffusers, Wan, Pillow and others that comments cite
foreign="autoencoder_kl_wan.py transformer_wan.py embeddings.py textimage2video.py utils.py generate.py Resample.c"

# A page as text, line by line: ` for <code>, no pictures, styles and scripts.
text_of() {
    sed 's/data:[^"]*//g' "$1" | awk '
        /<(style|script)>/ { hidden = 1 }
        { print hidden ? "" : $0 }
        /<\/(style|script)>/ { hidden = 0 }' |
        sed "s/<\/*code>/\`/g; s/<[^>]*>/ /g; s/&#39;/'/g; s/&gt;/>/g; s/&lt;/</g; s/&amp;/\&/g"
}

small="-m $source/golden/diffusers/models/tiny-ti2v --size 32x32 --steps 2 --frames 5 -q"
# shellcheck disable=SC2086  # the options are meant to be split
run 0 explain $small -i "$source/golden/frozen/demo/contact.png" -p 'it turns slowly' --ablate all -o explained
# shellcheck disable=SC2086
run 0 compare $small -i "$source/golden/frozen/demo/contact.png" -p 'a fox' --motion 'it turns' -n 2 --color-match \
    -o compared
text_of explained/explain.html >explain.html
text_of compared/report.html >report.html
list_commands >commands
"$program" --help >help
while read -r command; do
    "$program" "$command" --help >"help-$command"
    helps="$helps help-$command"
done <commands

# The tree: what is in the folders of its root that nobody builds into, and at its root.
here=$(pwd)
cd "$source" || exit 1
for entry in *; do
    [ -e "$entry/CMakeCache.txt" ] || [ "$entry" = out ] || find "$entry" -type f
done | grep -v '/__pycache__/\|\.log$' | sort >"$here/tree"
cd "$here" || exit 1
sources=$(grep '\.\([ch]\|py\|sh\)$\|CMakeLists.txt$\|requirements.txt$' tree | grep -v '^golden/\|^tests/names.sh$')
readmes=$(grep '\.md$' tree | grep -v '^golden/frozen/')

# check README...: all there is, with these READMEs and $pages
check() {
    # shellcheck disable=SC2086
    (cd "$source" && awk -f tests/names.awk -v foreign=" $foreign " kind=tree "$here/tree" kind=source $sources \
        kind=readme "$@" kind=page $pages kind=help "$here/help" $(printf " $here/%s" $helps)) | sed "s|^$here/||"
}
pages="$here/explain.html $here/report.html"
# shellcheck disable=SC2086
check $readmes >names
grep -v '^source: \|^readme: \|^help: \|^page: ' names >out && fail "names that do not resolve"
grep -c ': [0-9]* paths and [0-9]* names$' names | grep -qx 4 || fail "not everything was looked at"
cat names

# what is wrong is found: a page and a README that name what is not there
cat >wrong.html <<'END_OF_PAGE'
computed in `ref/nowhere.c, ff_vae_encode`
computed in `ref/vae/vae.c, ff_vae_encode and ff_nothing`
computed in `ref/transformer/block.c, cross_attention; ref/transformer/transformer.c, self_attention`
after `ff_noise_normal(&d->nowhere, ...)` in ref/pipeline/denoise.c, denoise: `attend_nowhere`
END_OF_PAGE
cat >wrong.md <<'END_OF_README'
[a page](golden/nowhere.png), [a heading](README.md#nowhere)
`tools/nowhere.sh` and `text/nowhere.c`, `ff_nowhere`, `token_nowhere`
`vae/vae.c`, `fixes.c`
END_OF_README
pages=$here/wrong.html
check "$here/wrong.md" README.md ref/README.md >out
for wanted in "wrong.html:1: there is no ref/nowhere.c" "wrong.html:2: ff_nothing is not defined in ref/vae/vae.c" \
    "wrong.html:2: there is no ff_nothing" "wrong.html:3: self_attention is not defined in ref/transformer/transformer.c" \
    "wrong.html:4: ref/pipeline/denoise.c has no attend_nowhere" "wrong.html:4: ref/pipeline/denoise.c has no nowhere" \
    "wrong.md:1: there is no golden/nowhere.png" "wrong.md:1: README.md has no heading nowhere" \
    "wrong.md:2: there is no tools/nowhere.sh" "wrong.md:2: there is no text/nowhere.c" \
    "wrong.md:2: there is no ff_nowhere" "wrong.md:2: there is no token_nowhere" "wrong.md:3: there is no fixes.c"; do
    grep -q "^$wanted\$" out || fail "not found: $wanted"
done
[ "$(grep -c '^wrong\.' out)" -eq 13 ] || fail "what is right was called wrong"

[ $failures -eq 0 ] || exit 1
