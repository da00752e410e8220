#!/bin/bash
# Trains one job on this EC2 host, then shuts the host down, also after a failure. The launcher sets these variables:
#   REGION           AWS region
#   JOB_URI          s3:// URI of job.json
#   JOB_NAME         name of the job, and prefix of its log streams
#   RUNNER_URI       s3:// URI of runner.tar.gz, the package `runner`
#   RUNNER_SHA256    its SHA-256, hexadecimal
#   LAUNCHED_PREFIX  s3:// prefix; the launcher writes <prefix><instance ID> once Terraform has seen the host running
#   ENDED_PREFIX     s3:// prefix; a kept host writes <prefix><instance ID> when its job has ended
#   LOG_GROUP        CloudWatch Logs group
#   PIP_PACKAGES     packages to install when the image has no PyTorch, separated by spaces
#   KMS_KEY          key that encrypts what the host writes
#   KEEP             yes: keep the host running after the job
@SETTINGS@
set -uo pipefail
export AWS_DEFAULT_REGION=$REGION HOME=${HOME:-/root}
metadata=${AWS_EC2_METADATA_SERVICE_ENDPOINT:-http://169.254.169.254}/latest
work=$HOME/training
mkdir -p "$work" && cd "$work"

token=$(curl --silent --request PUT --header "X-aws-ec2-metadata-token-ttl-seconds: 300" "$metadata/api/token")
instance=$(curl --silent --header "X-aws-ec2-metadata-token: $token" "$metadata/meta-data/instance-id")

# Write one event to the host's own log stream. For errors before the runner starts its stream.
log_event() {
    echo "$1"
    local stream="$JOB_NAME/$instance-boot" events
    events=$(printf '%s' "$1" | python3 -c '
import json, sys, time
print(json.dumps([{"timestamp": int(time.time() * 1000), "message": sys.stdin.read()}]))')
    aws logs create-log-stream --log-group-name "$LOG_GROUP" --log-stream-name "$stream" 2> /dev/null
    aws logs put-log-events --log-group-name "$LOG_GROUP" --log-stream-name "$stream" --log-events "$events" > /dev/null
}

# Shut down, or keep the host. Terraform reports an error for an instance that terminates before it has seen it running,
# so wait for the launcher's mark first.
finish() {
    local status=$? bucket_and_key=${LAUNCHED_PREFIX#s3://}$instance
    if [ "$KEEP" = yes ]; then
        echo "$status" |
            aws s3 cp - "$ENDED_PREFIX$instance" --sse aws:kms --sse-kms-key-id "$KMS_KEY" --only-show-errors
        echo "The host keeps running (--keep)."
        return
    fi
    timeout 180 bash -c 'until aws s3api head-object --bucket "$1" --key "$2" > /dev/null 2>&1; do sleep 1; done' \
        wait "${bucket_and_key%%/*}" "${bucket_and_key#*/}"
    shutdown -P now
}
trap finish EXIT
trap 'exit 143' TERM

# Whether a Python can run the runner: 3.10 or later, with tarfile's filters (3.10.12, 3.11.4).
can_run() {
    "$1" -c 'import sys, tarfile; sys.exit(sys.version_info < (3, 10) or not hasattr(tarfile, "data_filter"))' 2> /dev/null
}

# Print the first Python with everything the job needs: the Deep Learning AMI's, a conda environment's, the system's.
find_python() {
    local python
    for python in /opt/pytorch/bin/python {/opt,/root,/home/*}/*conda*/envs/pytorch/bin/python python3; do
        if can_run "$python" && "$python" -c '
import sys
from importlib.util import find_spec
sys.exit(not all(map(find_spec, ("boto3", "numpy", "PIL", "torch", "torchvision"))))' 2> /dev/null; then
            echo "$python"
            return
        fi
    done
    return 1
}

# Create a virtual environment and print its Python. Needs a package index and takes minutes. Amazon Linux's own Python
# is too old.
create_python() {
    local system=python3
    if ! can_run python3; then
        dnf --assumeyes --quiet install python3.12 >&2 && system=python3.12 || return 1
    fi
    "$system" -m venv "$work/venv" &&
        "$work/venv/bin/pip" install --quiet $PIP_PACKAGES >&2 && # unquoted: one word per package
        echo "$work/venv/bin/python"
}

if ! python=$(find_python); then
    log_event "This image has no Python environment with PyTorch. Installing $PIP_PACKAGES."
    if ! python=$(create_python); then
        log_event "Cannot install $PIP_PACKAGES: use a Deep Learning AMI, or give the host access to a package index."
        exit 1
    fi
fi
echo "Python with PyTorch: $python"

if ! aws s3 cp "$RUNNER_URI" runner.tar.gz --only-show-errors 2> download.log; then
    log_event "Cannot download $RUNNER_URI: $(tail -c 500 download.log)"
    exit 1
fi
if ! echo "$RUNNER_SHA256  runner.tar.gz" | sha256sum --check --quiet; then
    log_event "$RUNNER_URI does not have the expected SHA-256: the object was changed. Delete it and start the job again."
    exit 1
fi
if ! tar --extract --gzip --file runner.tar.gz 2> tar.log; then
    log_event "Cannot unpack $RUNNER_URI: $(tail -c 500 tar.log)"
    exit 1
fi

# In the background, because bash handles a signal only while it waits. The trap passes SIGTERM on to the runner.
"$python" -m runner "$JOB_URI" --instance --work "$work/job" 2> >(tee errors.log >&2) &
runner=$!
trap 'kill -TERM "$runner" 2> /dev/null; wait "$runner"; exit 143' TERM
wait "$runner"
status=$?
if [ "$status" != 0 ] && [ -s errors.log ]; then log_event "$(tail -c 1000 errors.log)"; fi
exit "$status"
