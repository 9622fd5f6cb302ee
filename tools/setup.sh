#!/bin/sh
# Installs what building and testing need, and nothing that is there already. Says first what it installs.
# usage: sh tools/setup.sh [build|test]      Debian and its kin; elsewhere it names what is missing.
# Without the optional packages some tests are skipped and --backend openblas is not there.
set -eu

build="gcc cmake make pkg-config libc6-dev libcjson-dev libutf8proc-dev libpng-dev libwebp-dev libjpeg-dev
    zlib1g-dev"
test="libcmocka-dev qemu-user clang libclang-rt-dev libomp-dev libopenblas-dev"
optional=
[ "$(uname -m)" = x86_64 ] && optional="gcc-aarch64-linux-gnu libc6-dev:arm64 libgomp1:arm64 libcjson-dev:arm64
    libutf8proc-dev:arm64 libpng-dev:arm64 libwebp-dev:arm64 libjpeg-dev:arm64 libcmocka-dev:arm64"

wanted=$build
if [ "${1:-build}" = test ]; then
    wanted="$wanted $test"
else
    optional=
fi

if ! command -v dpkg-query >/dev/null 2>&1; then
    echo "setup: this is not Debian; make sure that these, or what they are called here, are installed: $wanted" >&2
    exit 0
fi

# those of the packages named that are not installed
missing_of() {
    for package; do
        case "$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null || true)" in
        *" installed") ;;
        *) printf ' %s' "$package" ;;
        esac
    done
}
# shellcheck disable=SC2086  # the lists are meant to be split
missing=$(missing_of $wanted) missing_optional=$(missing_of $optional)
[ -z "$missing$missing_optional" ] && exit 0

echo "setup: installing$missing$missing_optional"
as_root=
[ "$(id -u)" = 0 ] || as_root=sudo
if [ -n "$as_root" ] && ! command -v sudo >/dev/null 2>&1; then
    echo "setup: needs root: apt-get install$missing$missing_optional" >&2
    [ -z "$missing" ]
    exit
fi
install() {
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends $1 >/dev/null
}
if [ -n "$missing" ]; then
    $as_root apt-get update -qq
    install "$missing"
fi
if [ -n "$missing_optional" ] && ! { $as_root dpkg --add-architecture arm64 && $as_root apt-get update -qq &&
    install "$missing_optional"; }; then
    echo "setup: what builds for ARM cannot be had here; the test that needs it will be skipped" >&2
fi
