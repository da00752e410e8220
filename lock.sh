#!/bin/sh
# Rewrites requirements.lock, requirements-workbench.lock and requirements-checkov.lock from pyproject.toml: for every
# platform and Python from 3.10, with hashes.
# torch is left out: `inv` installs the build that fits the machine.
set -eu
cd "$(dirname "$0")"
without_torch=$(mktemp)
trap 'rm -f "$without_torch"' EXIT
echo "torch; python_version < '3'" > "$without_torch"
.venv/bin/pip install --quiet uv
.venv/bin/uv pip compile pyproject.toml --group local --group torch-requirements --group dev \
    --universal --python-version 3.10 --generate-hashes --override "$without_torch" \
    --no-annotate --no-header --quiet --output-file requirements.lock "$@"
cp requirements.lock requirements-workbench.lock # uv keeps to the versions that are there
.venv/bin/uv pip compile --group workbench \
    --universal --python-version 3.10 --generate-hashes \
    --no-annotate --no-header --quiet --output-file requirements-workbench.lock "$@"
.venv/bin/uv pip compile --group checkov \
    --universal --python-version 3.10 --generate-hashes \
    --no-annotate --no-header --quiet --output-file requirements-checkov.lock "$@"
