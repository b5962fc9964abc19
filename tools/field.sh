#!/bin/sh
# Install the programs that tests of the workflows compare with, each in an environment of its own.
set -eu
cd "$(dirname "$0")/.."
for each in pypam:lifewatch-pypam pbp:mbari-pbp astropy:astropy ctapipe:ctapipe; do
    folder=".venv-${each%%:*}"
    .venv/bin/python -m venv "$folder"
    "$folder/bin/python" -m pip install -q --disable-pip-version-check "${each##*:}"
done
