#!/bin/sh
# The order of the house: which way includes go, names that are had once, and how long files, parameter lists and
# folders may be. house.awk has the rules.
#   sh tests/house.sh SOURCE_FOLDER
set -eu
source=$(cd "$1" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
rules=$source/tests/house.awk
export LC_ALL=C

# check FOLDER: what is wrong in the tree below it, a line each
check() {
    (
        cd "$1"
        find ref simd tools tests -type f | grep '\.\([ch]\|py\|sh\|awk\)$' | sort >"$work/tree"
        # shellcheck disable=SC2046  # names of sources have no spaces
        awk -f "$rules" kind=tree "$work/tree" kind=source $(grep '\.[ch]$' "$work/tree") \
            kind=other $(grep -v '\.[ch]$' "$work/tree")
    )
}

failures=0
check "$source" >"$work/wrong"
if [ -s "$work/wrong" ]; then
    echo "FAILED: the tree is not in order"
    cat "$work/wrong"
    failures=1
fi
[ "$(wc -l <"$work/tree")" -gt 300 ] || { echo "FAILED: not everything was looked at"; failures=1; }

# ---- what is wrong is found ----

# A small tree in order.
plant() {
    rm -rf "$work/small"
    mkdir -p "$work/small" && cd "$work/small"
    mkdir -p ref/base ref/kernels ref/weights ref/text ref/vae ref/pipeline simd tools/check/diff tests \
        tools/firstframe/line tools/firstframe/run
    header ref/base/sizes.h FF_SIZES_H
    header ref/kernels/kernels.h FF_KERNELS_H '#include "base/sizes.h"'
    header ref/weights/weights.h FF_WEIGHTS_H '#include "kernels/kernels.h"'
    header ref/text/text.h FF_TEXT_H '#include "../weights/weights.h"'
    header ref/vae/vae.h FF_VAE_H '#include "weights/weights.h"'
    header ref/pipeline/run.h FF_RUN_H '#include "text/text.h"' '#include "vae/vae.h"'
    header simd/product.h FF_PRODUCT_H '#include "../ref/kernels/kernels.h"'
    header tools/check/diff/diff.h FF_DIFF_H '#include "pipeline/run.h"'
    header tools/firstframe/line/help.h FF_HELP_H '#include "check/diff/diff.h"'
    header tools/firstframe/run/job.h FF_JOB_H '#include "../line/help.h"'
    echo 'print(1)' >tests/inject.py
}

# header PATH GUARD LINE...
header() {
    path=$1 guard=$2
    shift 2
    printf '%s\n' "#ifndef $guard" "#define $guard" "$@" '#endif' >"$path"
}

# expect NAME LINE...: these are the things that are wrong with the small tree
expect() {
    name=$1
    shift
    : >"$work/wanted"
    [ $# -eq 0 ] || printf '%s\n' "$@" >"$work/wanted"
    check "$work/small" | sort >"$work/found"
    if ! cmp -s "$work/wanted" "$work/found"; then
        echo "FAILED: $name: expected"
        sed 's/^/    /' "$work/wanted"
        echo "  found"
        sed 's/^/    /' "$work/found"
        failures=1
    fi
}

plant
expect 'a tree in order'

plant
echo '#include "base/sizes.h"' >ref/kernels/scalar.c
echo '#include "../kernels/kernels.h"' >ref/base/arena.c
echo '#include "../vae/vae.h"' >ref/text/clean.c
echo '#include "../../simd/product.h"' >ref/kernels/choose.c
echo '#include "check/diff/diff.h"' >ref/pipeline/plan.c
echo '#include "../ref/weights/weights.h"' >simd/matmul.c
echo '#include "../../firstframe/line/help.h"' >tools/check/diff/map.c
echo '#include "nowhere.h"' >tools/firstframe/run/make.c
expect 'includes' \
    'ref/base/arena.c:1: includes ref/kernels/kernels.h, against the direction' \
    'ref/kernels/choose.c:1: includes simd/product.h, against the direction' \
    'ref/pipeline/plan.c:1: includes tools/check/diff/diff.h, against the direction' \
    'ref/text/clean.c:1: includes ref/vae/vae.h, against the direction' \
    'simd/matmul.c:1: includes ref/weights/weights.h, against the direction' \
    'tools/check/diff/map.c:1: includes tools/firstframe/line/help.h, against the direction' \
    'tools/firstframe/run/make.c:1: includes nowhere.h, which is not there'

plant
header ref/vae/window.h FF_TEXT_H 'typedef struct ff_view {' '    int x;' '} ff_view;'
header tools/check/diff/strided.h FF_STRIDED_H 'typedef enum ff_view { FF_NEAR, FF_FAR } ff_view;'
header ref/text/pieces.h FF_PIECES_H 'typedef struct ff_piece ff_piece;' 'typedef int (*ff_call)(int x);'
header ref/vae/pieces.h FF_VAE_PIECES_H 'typedef struct ff_piece ff_piece;'
printf '%s\n' 'typedef struct run {' '    int a;' '} run;' >ref/text/words.c
printf '%s\n' 'typedef struct run {' '    int b;' '} run;' 'typedef double (*ff_call)(void);' >ref/vae/cost.c
echo 'print(2)' >tools/inject.py
expect 'names' \
    'ref/text/pieces.h, ref/vae/cost.c: more than one type ff_call' \
    'ref/text/pieces.h, ref/vae/pieces.h: more than one type ff_piece' \
    'ref/vae/pieces.h: has the name of ref/text/pieces.h' \
    'ref/vae/window.h, tools/check/diff/strided.h: more than one type ff_view' \
    'ref/vae/window.h: has the include guard of ref/text/text.h' \
    'tools/inject.py: has the name of tests/inject.py'

plant
awk 'BEGIN { for (i = 0; i < 501; i++) print "// line" }' >ref/text/words.c
awk 'BEGIN { print "# one"; for (i = 1; i < 501; i++) print "pass" }' >tests/inject.py
awk 'BEGIN { print "// Written by tools/table.py."; for (i = 1; i < 600; i++) print "// line" }' >ref/text/table.c
expect 'lengths of files' \
    'ref/text/words.c: 501 lines, at most 500' \
    'tests/inject.py: 501 lines, at most 500'

plant
cat >ref/text/words.c <<'END_OF_SOURCE'
// nine(a, b, c, d, e, f, g, h, i) in a comment
static int eight(int a, int b, int c, int d, int e,
                 int f, int (*g)(int x, int y), int h)
{
    return printf("%d %d %d %d %d %d %d %d %d", a, b, c, d, e, f, g(a, b), h, 9);
}

int variadic(int a, int b, int c, int d, int e, int f, int g, const char *format, ...);

const char *nine(int a, int b, int c, int d, int e,  // the first five
                 int f, int g, int h, int i)
{
    return "";
}

typedef struct table {
    void (*ten)(int a, int b, int c, int d, int e, int f, int g, int h, int i,
                int j);
} table;
END_OF_SOURCE
expect 'parameters' \
    'ref/text/words.c:10: nine has 9 parameters, at most 8' \
    'ref/text/words.c:17: ten has 10 parameters, at most 8'

plant
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do echo 'int x;' >tools/firstframe/line/option$i.c; done
expect 'folders' 'tools/firstframe/line: more than 15 files'

[ $failures -eq 0 ] || exit 1
echo "the house is in order"
