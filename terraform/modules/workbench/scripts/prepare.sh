#!/bin/bash
# prepare.sh [FOLDER]: unpack the repository into the home folder, or FOLDER in it, unless an earlier start did. Then create
# its virtual environment and Jupyter kernel in the background, as a start may take at most five minutes.
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
    # If python3 is that of a virtual environment, venv ignores its packages: add them.
    packages=$(echo .venv/lib/python3.*/site-packages)
    python3 -c 'import sysconfig; print(sysconfig.get_path("purelib"))' > "$packages/image.pth"
    options=(--disable-pip-version-check)
    if [ -d wheels ]; then
        options+=(--no-index --find-links wheels)
    elif [ "${internet}" != true ]; then
        options+=(--no-index)
    fi
    .venv/bin/pip install "$${options[@]}" --requirement requirements-workbench.lock
    touch .venv/ready
}

install_kernel() { # PYTHON DISPLAY_NAME
    "$1" -m ipykernel install --user --name "${directory}" --display-name "$2" \
        %{ for name, value in variables }--env ${name} "${value}" %{ endfor }
}

(
    trap '' HUP
    set -e
    PATH="$HOME/anaconda3/bin:$PATH" # on notebook instances
    trap '[ $? = 0 ] || install_kernel python3 "Python (${directory}: installing packages failed, see prepare.log)"' EXIT
    [ -e .venv/ready ] || make_environment
    # A notebook instance loses its kernels' folder when it stops: install the kernel at every start.
    install_kernel .venv/bin/python "Python (${directory})"
) > prepare.log 2>&1 < /dev/null &
