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

show_kernel() { # PYTHON, what Jupyter calls it
    "$1" -m ipykernel install --user --name "${directory}" --display-name "$2" \
        %{ for name, value in variables }--env ${name} "${value}" %{ endfor }
}

(
    trap '' HUP
    set -e
    PATH="$HOME/anaconda3/bin:$PATH" # of notebook instances
    trap '[ $? = 0 ] || show_kernel python3 "Python (${directory}: its packages failed, see prepare.log)"' EXIT
    [ -e .venv/ready ] || make_environment
    # The folder of kernels does not outlive a stop everywhere.
    show_kernel .venv/bin/python "Python (${directory})"
) > prepare.log 2>&1 < /dev/null &
