#!/bin/sh
# Installs what building and testing need, and nothing that is there already. Says first what it installs.
# usage: sh tools/setup.sh [build|test]      Debian and its kin; elsewhere it names what is missing.
set -eu

build="gcc cmake make pkg-config libc6-dev libcjson-dev libutf8proc-dev libpng-dev libwebp-dev libjpeg-dev"
test="libcmocka-dev qemu-user clang libomp-dev"

wanted=$build
[ "${1:-build}" = test ] && wanted="$wanted $test"

if ! command -v dpkg-query >/dev/null 2>&1; then
    echo "setup: this is not Debian; make sure that these, or what they are called here, are installed: $wanted" >&2
    exit 0
fi

missing=
for package in $wanted; do
    case "$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null || true)" in
    *" installed") ;;
    *) missing="$missing $package" ;;
    esac
done
[ -z "$missing" ] && exit 0

echo "setup: installing$missing"
as_root=
[ "$(id -u)" = 0 ] || as_root=sudo
if [ -n "$as_root" ] && ! command -v sudo >/dev/null 2>&1; then
    echo "setup: needs root: apt-get install$missing" >&2
    exit 1
fi
$as_root apt-get update -qq
DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends $missing >/dev/null
