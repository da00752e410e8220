#!/bin/bash
# Runs at every start of the notebook instance, as root.
set -eu
export AWS_DEFAULT_REGION=${region}
nohup python3 - "${name}" "${idle_minutes}" > "$${TMPDIR:-/tmp}/stop-when-idle.log" 2>&1 <<'PYTHON' &
${stop}
PYTHON
%{ if prepare != "" ~}
prepare=$(mktemp)
cat > "$prepare" <<'BASH'
${prepare}
BASH
chmod a+r "$prepare"
# Only the folder SageMaker of ec2-user's home survives a stop.
sudo -u ec2-user -i env AWS_DEFAULT_REGION="$AWS_DEFAULT_REGION" bash "$prepare" SageMaker
%{ endif ~}
