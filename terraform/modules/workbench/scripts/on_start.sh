#!/bin/bash
# At every start of the notebook instance, as root.
set -eu
export AWS_DEFAULT_REGION=${region}
cat > /usr/local/bin/stop-when-idle <<'PYTHON'
${stop}
PYTHON
nohup /usr/bin/env python3 /usr/local/bin/stop-when-idle "${name}" "${idle_minutes}" \
    > /var/log/stop-when-idle.log 2>&1 < /dev/null &
%{ if prepare != "" ~}
cat > /tmp/prepare.sh <<'BASH'
${prepare}
BASH
sudo -u ec2-user -i env HOME=/home/ec2-user/SageMaker AWS_DEFAULT_REGION="$AWS_DEFAULT_REGION" bash /tmp/prepare.sh
%{ endif ~}
