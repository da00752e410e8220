#!/bin/bash
# Trains one job on this EC2 host and switches the host off, whatever happened. What it is about is set here:
#   REGION, JOB (s3:// of job.json), JOB_NAME, HOST_PROGRAM (s3:// of the tar.gz of ml/runner) and its HOST_DIGEST (SHA-256),
#   LAUNCHED and ENDED (s3:// prefixes of marks, read and left), LOG_GROUP, PACKAGES (what to install where an image has
#   no PyTorch), KMS_KEY, KEEP (yes: the host stays)
@SETTINGS@
set -uo pipefail
export AWS_DEFAULT_REGION=$REGION HOME=${HOME:-/root}
metadata=${AWS_EC2_METADATA_SERVICE_ENDPOINT:-http://169.254.169.254}/latest
work=$HOME/training
mkdir -p "$work" && cd "$work"

token=$(curl --silent --request PUT --header "X-aws-ec2-metadata-token-ttl-seconds: 300" "$metadata/api/token")
instance=$(curl --silent --header "X-aws-ec2-metadata-token: $token" "$metadata/meta-data/instance-id")

# One event beside the program's own log, for what goes wrong before there is a program.
tell() {
    echo "$1"
    local stream="$JOB_NAME/$instance-boot" events
    events=$(printf '%s' "$1" | python3 -c '
import json, sys, time
print(json.dumps([{"timestamp": int(time.time() * 1000), "message": sys.stdin.read()}]))')
    aws logs create-log-stream --log-group-name "$LOG_GROUP" --log-stream-name "$stream" 2> /dev/null
    aws logs put-log-events --log-group-name "$LOG_GROUP" --log-stream-name "$stream" --log-events "$events" > /dev/null
}

# Terraform takes a host that ends before it was seen to run for a failure: wait for the mark that it has seen it.
finish() {
    local status=$? bucket_and_key=${LAUNCHED#s3://}$instance
    if [ "$KEEP" = yes ]; then
        echo "$status" | aws s3 cp - "$ENDED$instance" --sse aws:kms --sse-kms-key-id "$KMS_KEY" --only-show-errors
        echo "The host stays, as asked for."
        return
    fi
    timeout 180 bash -c 'until aws s3api head-object --bucket "$1" --key "$2" > /dev/null 2>&1; do sleep 1; done' \
        wait "${bucket_and_key%%/*}" "${bucket_and_key#*/}"
    shutdown -P now
}
trap finish EXIT
trap 'exit 143' TERM

# The Deep Learning AMI's environment, a conda one, the system's own Python; the first that has what a job needs.
find_python() {
    local python
    for python in /opt/pytorch/bin/python {/opt,/root,/home/*}/*conda*/envs/pytorch/bin/python python3; do
        if "$python" -c '
import sys
from importlib.util import find_spec
needed = ("boto3", "numpy", "PIL", "torch", "torchvision")
sys.exit(sys.version_info < (3, 10) or not all(map(find_spec, needed)))' 2> /dev/null; then
            echo "$python"
            return
        fi
    done
    return 1
}

# Or an environment made here, which takes the internet and some minutes. Amazon Linux's own Python is too old.
make_python() {
    local system=python3
    if ! python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))'; then
        dnf --assumeyes --quiet install python3.12 >&2 && system=python3.12 || return 1
    fi
    "$system" -m venv "$work/venv" &&
        "$work/venv/bin/pip" install --quiet $PACKAGES >&2 && # each a word
        echo "$work/venv/bin/python"
}

if ! python=$(find_python); then
    tell "This image has no environment with PyTorch: making one with $PACKAGES."
    if ! python=$(make_python); then
        tell "An environment with $PACKAGES could not be made: choose a Deep Learning AMI, or give the host a way to a package index."
        exit 1
    fi
fi
echo "PyTorch's environment: $python"

if ! aws s3 cp "$HOST_PROGRAM" host.tar.gz --only-show-errors 2> fetch.log; then
    tell "$HOST_PROGRAM could not be fetched: $(tail -c 500 fetch.log)"
    exit 1
fi
if ! echo "$HOST_DIGEST  host.tar.gz" | sha256sum --check --quiet || ! tar --extract --gzip --file host.tar.gz; then
    tell "$HOST_PROGRAM is not what was asked for: somebody has changed it; remove it and start anew."
    exit 1
fi

# In the background: bash hears a signal while it waits, and hands it on.
"$python" -m runner "$JOB" --instance --work "$work/job" 2> >(tee errors.log >&2) &
program=$!
trap 'kill -TERM "$program" 2> /dev/null; wait "$program"; exit 143' TERM
wait "$program"
status=$?
if [ "$status" != 0 ] && [ -s errors.log ]; then tell "$(tail -c 1000 errors.log)"; fi
exit "$status"
