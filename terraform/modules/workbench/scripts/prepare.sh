#!/bin/bash
# prepare.sh [FOLDER]: unpacks the repository, once, into the home folder or a folder of it. Makes its environment, and
# a kernel of it for Jupyter, in the background: a start may take five minutes in all.
set -euo pipefail
directory="$HOME/$${1:+$1/}${directory}"
if [ ! -e "$directory" ]; then
    mkdir -p "$directory.new"
    aws s3 cp "${uri}" - --only-show-errors | tar --extract --gzip --directory "$directory.new"
    mv "$directory.new" "$directory"
fi
cd "$directory"

make_environment() {
    PATH="$HOME/anaconda3/bin:$PATH" # of notebook instances
    python3 -m venv --system-site-packages .venv
    # python3 may be of an environment itself, which venv looks past.
    packages=$(echo .venv/lib/python3.*/site-packages)
    python3 -c 'import sysconfig; print(sysconfig.get_path("purelib"))' > "$packages/image.pth"
    # What the image has already is neither looked for nor installed.
    options=(--disable-pip-version-check)
    if [ -d wheels ]; then
        options+=(--no-index --find-links wheels)
    elif [ "${internet}" != true ]; then
        options+=(--no-index)
    fi
    .venv/bin/pip install "$${options[@]}" --requirement requirements-workbench.lock
    touch .venv/ready
}

(
    trap '' HUP
    set -e
    [ -e .venv/ready ] || make_environment
    # The folder of kernels does not outlive a stop everywhere.
    .venv/bin/python -m ipykernel install --user --name "${directory}" --display-name "Python (${directory})" \
        %{ for name, value in variables }--env ${name} "${value}" %{ endfor }
) > prepare.log 2>&1 < /dev/null &
