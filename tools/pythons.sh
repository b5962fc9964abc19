#!/bin/sh
# Run quick tests with other Pythons: those that are named, else each that pyproject.toml names; one that is not here is
# left out. Each has an environment .venv-3.N of its own.
set -eu
cd "$(dirname "$0")/.."

find_version() {
    for python in "$HOME"/.pyenv/versions/"$1".*/bin/python "$(command -v "python$1" || true)"; do
        if "$python" -c 'import ensurepip, venv' 2>/dev/null; then
            echo "$python"
            return
        fi
    done
    return 1
}

ours=$(.venv/bin/python -c 'import sys; print("%d.%d" % sys.version_info[:2])')
for version in ${*:-$(sed -n 's/.*Python :: \(3\.[0-9]*\)".*/\1/p' pyproject.toml)}; do
    test "$version" = "$ours" && continue
    if ! python=$(find_version "$version"); then
        echo "pythons: there is no Python $version here"
        continue
    fi
    echo "pythons: $version"
    mkdir -p ".venv-$version"
    sed -n 's/^\([^ #]*==[^ ]*\).*/\1/p' requirements.lock >".venv-$version/locked.txt"
    test -x ".venv-$version/bin/pytest" || "$python" -m venv ".venv-$version"
    # The engine alone, as the lock has it: that takes seconds, all of the lock minutes.
    if ! ".venv-$version/bin/python" -m pip install -q --disable-pip-version-check -c ".venv-$version/locked.txt" \
        -e . hatchling pytest pytest-xdist hypothesis jsonschema psutil; then
        echo "pythons: the index has not all for Python $version"
        continue
    fi
    # What types, the syntax tree, processes and the command line have of a version.
    ".venv-$version/bin/python" -m pytest -q -n 3 -m "not slow" -p no:cacheprovider tests/units tests/config \
        tests/cli/test_run.py tests/runner/test_worker.py
done
