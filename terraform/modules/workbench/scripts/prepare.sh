#!/bin/bash
# Unpacks the repository, once, and makes its environment in the background: a start may take five minutes in all.
set -eu
directory="$HOME/${directory}"
if [ ! -e "$directory" ]; then
    mkdir -p "$directory.new"
    aws s3 cp "${uri}" - --only-show-errors | tar --extract --gzip --directory "$directory.new"
    mv "$directory.new" "$directory"
fi
cd "$directory"
if [ ! -e .venv/ready ]; then
    nohup bash -c '
        set -eu
        python3 -m venv --system-site-packages .venv
        if [ -d wheels ]; then
            .venv/bin/pip install --no-index --find-links wheels --requirement requirements.lock
        elif [ "${internet}" = true ]; then
            .venv/bin/pip install --requirement requirements.lock
        else
            echo "The bundle has no wheels and there is no internet: what the image has must do."
        fi
        touch .venv/ready
    ' > prepare.log 2>&1 < /dev/null &
fi
