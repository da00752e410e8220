#!/bin/bash
# Trains one job on this EC2 host and switches the host off, whatever happened. What it is about is set here:
#   REGION, JOB (s3:// of job.json), HOST_PROGRAM (s3:// of the tar.gz of ml/host), LAUNCHED (s3:// prefix of the marks),
#   LOG_GROUP, JOB_NAME, TORCH (what to install where an image has no PyTorch), KEEP (yes: the host stays)
@SETTINGS@
set -uo pipefail
export AWS_DEFAULT_REGION=$REGION HOME=${HOME:-/root}
metadata=${AWS_EC2_METADATA_SERVICE_ENDPOINT:-http://169.254.169.254}/latest
work=/var/tmp/training
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
    local bucket_and_key=${LAUNCHED#s3://}$instance
    timeout 180 bash -c 'until aws s3api head-object --bucket "$1" --key "$2" > /dev/null 2>&1; do sleep 1; done' \
        wait "${bucket_and_key%%/*}" "${bucket_and_key#*/}"
    if [ "$KEEP" = yes ]; then echo "The host stays, as asked for."; else shutdown -P now; fi
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
sys.exit(not all(map(find_spec, ("boto3", "numpy", "PIL", "torch", "torchvision"))))' 2> /dev/null; then
            echo "$python"
            return
        fi
    done
    return 1
}

# Or an environment made here, which takes the internet and some minutes.
make_python() {
    python3 -m venv "$work/venv" &&
        "$work/venv/bin/pip" install --quiet boto3 numpy pillow torchvision "$TORCH" >&2 &&
        echo "$work/venv/bin/python"
}

if ! python=$(find_python); then
    tell "This image has no environment with PyTorch: making one with $TORCH."
    if ! python=$(make_python); then
        tell "An environment with $TORCH could not be made: choose a Deep Learning AMI, or give the host a way to a package index."
        exit 1
    fi
fi
echo "PyTorch's environment: $python"

if ! aws s3 cp "$HOST_PROGRAM" - --only-show-errors 2> fetch.log | tar --extract --gzip 2>> fetch.log; then
    tell "$HOST_PROGRAM could not be fetched: $(tail -c 500 fetch.log)"
    exit 1
fi

# In the background, so that a signal reaches both: the program then leaves its checkpoint.
"$python" -m host "$JOB" --instance --work "$work/job" &
program=$!
trap 'kill -TERM "$program" 2> /dev/null; wait "$program"; exit 143' TERM
wait "$program"
