#!/bin/sh
# Prints a Python 3.12 to run the official validator of FOCUS with: it needs this version, no other.
set -eu

for one in python3.12 "$HOME"/.pyenv/versions/3.12*/bin/python /root/.pyenv/versions/3.12*/bin/python; do
	if "$one" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info[:2] != (3, 12))' 2>/dev/null; then
		command -v "$one"
		exit 0
	fi
done
uv="$(dirname "$0")/../../.venv/bin/uv"
if "$uv" python install --quiet 3.12 2>/dev/null; then
	"$uv" python find 3.12
	exit 0
fi
echo "no Python 3.12 is here, and none could be fetched" >&2
exit 1
