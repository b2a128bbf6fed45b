#!/bin/sh
# Installs from Debian the Chromium that `make browser` looks with, where none is found. CI runs it.
set -eu

command -v chromium >/dev/null || command -v chromium-browser >/dev/null && exit 0
echo "Installing chromium"
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
	echo "CANNOT INSTALL chromium: that takes root and apt-get" >&2
	exit 1
fi
apt-get update -qq
apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core >/dev/null
