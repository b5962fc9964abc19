#!/bin/sh
# Run the quick tests with each other Python that penstock names and that is here, in an environment .venv-3.N of its own.
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
for version in $(sed -n 's/.*Python :: \(3\.[0-9]*\)".*/\1/p' pyproject.toml); do
    test "$version" = "$ours" && continue
    if ! python=$(find_version "$version"); then
        echo "pythons: there is no Python $version here"
        continue
    fi
    PYTHON=$python sh tools/setup.sh ".venv-$version"
    # What the syntax tree, types, processes and the command line have of a version; minutes, not the hour of all.
    ".venv-$version/bin/python" -m pytest -q -n 2 -m "not slow" tests/units tests/config tests/test_build.py \
        tests/cli/test_init.py tests/cli/test_run.py tests/cli/test_questions.py tests/runner/test_worker.py
done
