#!/bin/sh
# Fetches from Debian what `make ops-test` runs, where it is missing, into .cache/operation. It installs nothing.
set -eu
cd "$(dirname "$0")/../.."

wanted=""
command -v promtool >/dev/null && command -v prometheus >/dev/null || wanted="$wanted prometheus"
command -v amtool >/dev/null || wanted="$wanted prometheus-alertmanager"
[ ! -x .cache/operation/usr/bin/promtool ] || [ ! -x .cache/operation/usr/bin/amtool ] || wanted=""
[ -n "$wanted" ] || exit 0

echo "Fetching$wanted"
if ! command -v apt-get >/dev/null || ! command -v dpkg >/dev/null; then
	echo "CANNOT FETCH$wanted: that takes apt-get" >&2
	exit 1
fi
mkdir -p .cache/operation/debs
cd .cache/operation/debs
[ "$(id -u)" != 0 ] || apt-get -qq update
# shellcheck disable=SC2086 # a list of packages
apt-get -qq -o APT::Sandbox::User=root download $wanted
for package in *.deb; do
	dpkg -x "$package" ..
done
