#!/bin/sh
# The whole workflow, from a prompt to a clip, into out/: ten stills and a contact sheet, one of them mended, the mended
# one animated, and the same idea without the still to compare. Sets up what is missing and builds first.
# usage: sh tools/demo.sh      BUILD=folder chooses the build folder (build), OUT=folder the results (out)
set -eu
cd "$(dirname "$0")/.."
build=${BUILD:-build} out=${OUT:-out}
sh tools/setup.sh build
sh tools/build.sh "$build"
firstframe=$build/firstframe
pick=seed-0001.png
box=0,92,128,36
still="Portrait of a young woman with auburn hair, soft studio lighting, looking slightly off-camera, soft illustration"
mend="Portrait of a young woman with shoulder-length auburn hair, tan skin, red top, soft studio lighting,\
 looking slightly off-camera, soft illustration"
motion="She slowly turns her head toward the camera and gives a subtle smile. Gentle lighting shift."
mkdir -p "$out"

step() { printf '\n%s\n' "$*"; }

# Makes a file unless it is there already, so that a second run is done at once.
make() {
    target=$1
    shift
    if [ -e "$target" ]; then echo "$target is there already"; else "$firstframe" "$@"; fi
}

step "1. Ten stills from one prompt: the first frame decides everything but the motion."
make "$out/stills/contact.png" t2i -p "$still" -n 10 -o "$out/stills"
step "2. Mend the pick, $pick, here the top: only the box changes."
make "$out/mended.png" inpaint -i "$out/stills/$pick" --box "$box" -p "$mend" -o "$out/mended.png"
step "3. Animate it with a simple motion prompt, 3 seconds."
make "$out/clip.webp" i2v -i "$out/mended.png" -p "$motion" --seconds 3 -o "$out/clip.webp"
step "4. The same idea without the still, to see what the first frame was worth."
make "$out/unanchored.webp" t2v -p "$still. $motion" --seconds 3 -o "$out/unanchored.webp"
step "Look at $out/stills/contact.png, $out/mended.png, $out/clip.webp and $out/unanchored.webp."
