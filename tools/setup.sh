#!/bin/sh
# Make .venv at the locked versions, with uv when it is there and with pip otherwise.
set -eu
cd "$(dirname "$0")/.."

find_python() {
    for name in ${PYTHON:-} python3.11 python3.12 python3.13 python3; do
        if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$name"
            return
        fi
    done
    echo "setup: no Python 3.11 or newer found; install one, e.g. apt-get install python3.11 python3.11-venv" >&2
    return 1
}

make_venv() {
    python=$(find_python)
    if command -v uv >/dev/null; then
        uv venv -q --seed --python "$("$python" -c 'import sys; print(sys.executable)')" .venv
    elif "$python" -c 'import ensurepip' 2>/dev/null; then
        "$python" -m venv .venv
    else
        version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
        echo "setup: $python cannot make an environment with pip; apt-get install python$version-venv" >&2
        return 1
    fi
}

install() {
    if command -v uv >/dev/null; then
        VIRTUAL_ENV=$PWD/.venv uv pip install -q --compile-bytecode "$@"
    else
        .venv/bin/python -m pip install -q --disable-pip-version-check "$@"
    fi
}

.venv/bin/python -c '' 2>/dev/null || { rm -rf .venv; make_venv; }
echo "setup: installing the locked versions into .venv (a few minutes the first time)"
install --require-hashes -r requirements.lock
install --no-deps --no-build-isolation -e .
echo "setup: .venv/bin/penstock is there"
