#!/bin/sh
# Little address space, as in a container or with ulimit -v: every command ends by itself, with its result or with one
# sentence, and leaves nothing half-written behind. OpenBLAS, whose threads try for ever to get a buffer, is loaded only
# when asked for.
#   sh tests/address_space.sh PROGRAM SOURCE_FOLDER [--sanitized]     exits 77, with the reason, where it cannot be done
if [ "${3-}" = --sanitized ]; then
    echo "skipped: a sanitizer takes terabytes of addresses"
    exit 77
fi
command -v timeout >/dev/null || { echo "skipped: there is no timeout"; exit 77; }
(ulimit -v 1000000) 2>/dev/null || { echo "skipped: addresses cannot be limited here"; exit 77; }
. "$(dirname "$0")/command.sh"
cp -r "$source/golden/diffusers/models/tiny-ti2v" model || exit 1
small="--size 32x32 --steps 1 -m model"
: >out; : >err
run 0 t2i $small -p x -o still.png --dump dump.safetensors
mv still.png dump.safetensors model

if command -v readelf >/dev/null; then
    readelf -d "$program" | grep -i 'needed.*blas' && fail "the program is linked to OpenBLAS"
else
    echo "skipped: what the program is linked to, since there is no readelf"
fi

# ends KILOBYTES TROUBLE ARGUMENTS...: within a minute, with status 0, or TROUBLE and one sentence
ends() {
    limit=$1 trouble=$2
    shift 2
    (ulimit -v "$limit" && exec timeout -s KILL 60 "$program" "$@") >out 2>err
    status=$?
    if [ $status -eq 0 ]; then
        succeeded="$succeeded $1"
    elif [ $status -ne "$trouble" ] || [ "$(grep -c '' err)" -ne 1 ] || ! grep -q '^firstframe: ' err; then
        fail "status $status with $limit kB of addresses: firstframe $*"
    else
        ls -d made* .made* 2>/dev/null | grep -v '^made$' && fail "left behind with $limit kB: firstframe $*"
    fi
    rm -rf made*
}

for limit in 50000 70000 100000 130000 150000 180000 200000 225000 250000 300000 350000 400000; do
    succeeded=
    ends $limit 1 --version
    ends $limit 1 t2i --help
    ends $limit 1 inspect model
    ends $limit 1 t2i $small -p x -t 1 -o made.png
    ends $limit 1 t2i $small -p x -t 2 -o made.png
    case $succeeded in
    *--version*t2i*inspect*t2i*t2i*) ;;
    *) fail "$limit kB of addresses are enough for a still" ;;
    esac
    for threads in 1 2; do
        ends $limit 1 t2i $small -p x -t $threads --backend openblas -o made.png
        ends $limit 1 bench -m model --size 32x32 --frames 5 --only transformer -t $threads
        ends $limit 1 bench -m model --size 32x32 --frames 5 --only transformer -t $threads --backend openblas
    done
    ends $limit 1 t2v $small -p x --frames 5 --estimate
    ends $limit 1 i2v $small -i model/still.png -p x --frames 5 -o made.webp
    ends $limit 1 inpaint $small -i model/still.png --box 8,8,8,8 -p x -o made.png
    ends $limit 1 compare $small -p x --motion y --frames 5 -n 2 -o made
    ends $limit 1 explain $small -i model/still.png -p x --frames 5 -o made
    ends $limit 2 verify model/dump.safetensors -m model
    ends $limit 2 diff model/dump.safetensors model/dump.safetensors
done

[ $failures -eq 0 ] || exit 1
echo "every command ends in little address space"
