#!/bin/sh
# Pin everything in pyproject.toml for Python 3.11 and newer, with the hashes of its files; no index address and no
# machine's path gets in.
set -eu
cd "$(dirname "$0")/.."

command -v uv >/dev/null || { echo "lock: needs uv; pip install uv" >&2; exit 1; }
uv pip compile -q --universal --python-version 3.11 --all-extras --upgrade --no-header --no-annotate --generate-hashes \
    --no-emit-index-url --no-emit-find-links --no-emit-package penstock \
    --output-file requirements.lock pyproject.toml
