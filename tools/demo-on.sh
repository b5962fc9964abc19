#!/bin/sh
# Run the demo on a real scheduler that is brought up for it on this machine: tools/demo-on.sh slurm [options of the demo]
set -eu
scheduler=$1
shift
environment=$(.venv/bin/python -m tests.cluster up "$scheduler")
trap '.venv/bin/python -m tests.cluster down "$scheduler"' EXIT
eval "$environment"
.venv/bin/penstock demo acoustics "demo-$scheduler" --scheduler "$scheduler" "$@"
