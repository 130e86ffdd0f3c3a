#!/bin/bash
# test/install.sh PACKAGE...: install those Debian packages that are missing; says nothing when none is.
missing=()
if ! command -v dpkg-query >/dev/null; then
    echo "not Debian: make sure that these are there: $*" >&2
    exit 0
fi
for package in "$@"; do
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
done
[ ${#missing[@]} = 0 ] && exit 0

sudo=
[ "$(id -u)" = 0 ] || sudo=sudo
export DEBIAN_FRONTEND=noninteractive
echo "  APT     ${missing[*]}"
install() { $sudo apt-get -qq -y -o DPkg::Lock::Timeout=300 install --no-install-recommends "${missing[@]}" </dev/null; }
# Lists of packages may be missing or old: only then are they fetched.
out=$(install 2>&1) && exit 0
out=$($sudo apt-get -qq update 2>&1 && install 2>&1) && exit 0
echo "$out" >&2
echo "could not install: ${missing[*]}" >&2
exit 1
