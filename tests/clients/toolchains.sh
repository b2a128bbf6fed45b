#!/bin/sh
# Installs from Debian what `make clients` compiles with, where it is missing. CI runs it.
set -eu

wanted=""
command -v go >/dev/null || wanted="$wanted golang-go"
command -v javac >/dev/null || wanted="$wanted default-jdk-headless"
[ -x /usr/bin/cargo ] || wanted="$wanted cargo"
for library in \
	golang-gopkg-validator.v2-dev \
	libgeronimo-annotation-1.3-spec-java libjsr305-java \
	librust-chrono-dev librust-reqwest-dev librust-serde-json-dev librust-serde-repr-dev librust-url-dev; do
	dpkg -s "$library" >/dev/null 2>&1 || wanted="$wanted $library"
done

[ -n "$wanted" ] || exit 0
echo "Installing$wanted"
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
	echo "CANNOT INSTALL$wanted: that takes root and apt-get" >&2
	exit 1
fi
apt-get -qq update
# shellcheck disable=SC2086 # a list of packages
DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install $wanted >/dev/null
