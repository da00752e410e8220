#!/bin/sh
# Rewrites requirements.lock, requirements-workbench.lock and requirements-checkov.lock from pyproject.toml: for every
# platform and Python from 3.10, with hashes.
# Left out: torch, of which `inv` installs the build that fits the machine; and rfc3987-syntax, for which every import of
# jsonschema, and so of the SageMaker SDK, would compile a grammar (1.4 s), to check a format that nobody here uses.
set -eu
cd "$(dirname "$0")"
left_out=$(mktemp)
trap 'rm -f "$left_out"' EXIT
printf '%s; python_version < "3"\n' torch rfc3987-syntax > "$left_out"
.venv/bin/pip install --quiet uv
.venv/bin/uv pip compile pyproject.toml --group local --group torch-requirements --group dev \
    --universal --python-version 3.10 --generate-hashes --override "$left_out" \
    --no-annotate --no-header --quiet --output-file requirements.lock "$@"
cp requirements.lock requirements-workbench.lock # uv keeps to the versions that are there
.venv/bin/uv pip compile --group workbench \
    --universal --python-version 3.10 --generate-hashes \
    --no-annotate --no-header --quiet --output-file requirements-workbench.lock "$@"
.venv/bin/uv pip compile --group checkov \
    --universal --python-version 3.10 --generate-hashes \
    --no-annotate --no-header --quiet --output-file requirements-checkov.lock "$@"
