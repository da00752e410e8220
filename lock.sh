#!/bin/sh
# Rewrites the requirements*.lock files from pyproject.toml: for every platform and every Python from 3.10, with hashes.
# Needs access to PyPI and to PyTorch's package index.
# requirements.lock leaves out torch and torchvision, which have their own lock files (default and CPU build), and
# rfc3987-syntax: with it, every import of jsonschema, and so of the SageMaker SDK, compiles a grammar for a format that
# is not used here (1.4 s).
set -eu
cd "$(dirname "$0")"
left_out=$(mktemp)
trap 'rm -f "$left_out"' EXIT
printf '%s; python_version < "3"\n' torch torchvision rfc3987-syntax > "$left_out"
.venv/bin/pip install --quiet uv
.venv/bin/uv pip compile pyproject.toml --group local --group torch-requirements --group dev \
    --universal --python-version 3.10 --generate-hashes --override "$left_out" \
    --no-annotate --no-header --quiet --output-file requirements.lock "$@"
.venv/bin/uv pip compile --group torch --constraint requirements.lock \
    --universal --python-version 3.10 --generate-hashes \
    --no-annotate --no-header --quiet --output-file requirements-torch.lock "$@"
sed -n 's/^\(torch[a-z]*==[0-9.]*\) .*/\1+cpu/p' requirements-torch.lock | .venv/bin/uv pip compile - \
    --torch-backend cpu --no-deps \
    --universal --python-version 3.10 --generate-hashes \
    --no-annotate --no-header --quiet --output-file requirements-torch-cpu.lock "$@"
cp requirements.lock requirements-workbench.lock # uv keeps the versions of an existing file
.venv/bin/uv pip compile --group workbench \
    --universal --python-version 3.10 --generate-hashes \
    --no-annotate --no-header --quiet --output-file requirements-workbench.lock "$@"
.venv/bin/uv pip compile --group checkov \
    --universal --python-version 3.10 --generate-hashes \
    --no-annotate --no-header --quiet --output-file requirements-checkov.lock "$@"
