"""The inference function's module, applied on the embedded AWS: asked over HTTP, and kept warm by its version or a schedule."""

from __future__ import annotations

import json
import os
import subprocess
import urllib.error
import urllib.request

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from ops import packaging
from ops.paths import ROOT
from ops.terraform import binary, module_tables
from ops.terraform import providers as terraform_providers

NAME = "function-module"
SCHEDULES = [{"name": "day", "schedule": "cron(0 8 * * ? *)", "provisioned_concurrency": 2}]


class Module:
    """The module in a root of its own, its state beside it."""

    def __init__(self, aws, folder):
        self._folder, self.aws = folder, aws
        self._environment = {
            **os.environ,
            **aws.credentials,
            "TF_IN_AUTOMATION": "1",
            "CHECKPOINT_DISABLE": "1",
        }
        if config := terraform_providers.cli_config():
            self._environment["TF_CLI_CONFIG_FILE"] = str(config)
        source = os.path.relpath(module_tables.MODULES / "inference_function", folder)
        (folder / "main.tf").write_text(
            f'variable "values" {{}}\nmodule "it" {{\n  source = "{source}"\n'
            + "".join(f"  {name} = var.values.{name}\n" for name in self.values())
            + '}\noutput "it" {\n  value = module.it\n}\n'
        )
        lock = ROOT / "terraform" / "serving" / ".terraform.lock.hcl"
        (folder / lock.name).write_text(lock.read_text())
        self._run("init", "-input=false")

    def values(self, **changed) -> dict:
        return {
            "name": NAME,
            "role_arn": "",
            "kms_key_arn": "",
            "package": {},
            "provisioned_concurrency": 1,
            "environment": {"ENDPOINT_NAME": "none"},
            "schedules": [],
            "log_retention_days": 7,
            "dead_letter_queue": False,  # Terraform waits a minute for one
            "access": {
                "function_url": True,
                "http_api": {"enabled": True, "burst_limit": 2, "rate_limit": 0.01},
            },
            **changed,
        }

    def apply(self, **changed) -> dict:
        (self._folder / "v.auto.tfvars.json").write_text(json.dumps({"values": self.values(**changed)}))
        self._run("apply", "-input=false", "-auto-approve")
        return json.loads(self._run("output", "-json", "it"))

    def changes(self) -> int:
        return subprocess.run(
            [binary.find(), "plan", "-input=false", "-detailed-exitcode"],
            cwd=self._folder,
            env=self._environment,
            capture_output=True,
        ).returncode

    def _run(self, *arguments: str) -> str:
        done = subprocess.run(
            [binary.find(), *arguments],
            cwd=self._folder,
            env=self._environment,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture
def module(embedded_aws, tmp_path):
    return Module(embedded_aws, tmp_path)


@pytest.fixture
def needed(embedded_aws, tmp_path) -> dict:
    """A role, a key and the function's real program."""
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    role = embedded_aws.client("iam").create_role(
        RoleName=NAME, AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    )
    packaging.lambda_zip(ROOT / "lambda_function", tmp_path / "function.zip")
    return {
        "role_arn": role["Role"]["Arn"],
        "kms_key_arn": embedded_aws.client("kms").create_key()["KeyMetadata"]["Arn"],
        "package": {"zip_path": str(tmp_path / "function.zip")},
    }


def ask(
    aws, url: str, service: str, method: str = "POST", content_type: str = "image/gif", signed: bool = True
):
    """Status and JSON of a request with a picture of a kind that is not classified."""
    request = AWSRequest(method, url, data=b"GIF89a", headers={"Content-Type": content_type})
    keys = aws.credentials
    credentials = Credentials(keys["AWS_ACCESS_KEY_ID"], keys["AWS_SECRET_ACCESS_KEY"])
    host = url.split("/")[2]
    request.headers["Host"] = host
    if signed:
        SigV4Auth(credentials, service, "us-east-1").add_auth(request)
    address = url.replace(host, f"127.0.0.1:{host.rpartition(':')[2]}")
    try:
        with urllib.request.urlopen(
            urllib.request.Request(address, b"GIF89a", dict(request.headers), method=method), timeout=20
        ) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def warm(aws) -> dict[str, int]:
    """What is kept warm, by version or alias."""
    configs = aws.client("lambda").list_provisioned_concurrency_configs(FunctionName=NAME)
    return {
        c["FunctionArn"].rpartition(":")[2]: c["RequestedProvisionedConcurrentExecutions"]
        for c in configs["ProvisionedConcurrencyConfigs"]
    }


def test_the_function_is_asked_over_http_and_kept_warm_by_a_version_or_a_schedule(
    embedded_aws, module, needed
):
    made = module.apply(**needed)
    assert warm(embedded_aws) == {"1": 1} and made["provisioned_qualifier"] == "1"
    url = made["function_url"]
    assert ask(embedded_aws, url, "lambda", signed=False)[0] == 403
    assert ask(embedded_aws, url, "lambda", method="PUT")[0] == 405
    status, said = ask(embedded_aws, url, "lambda")
    assert (status, said["error"]["type"]) == (415, "UnsupportedImage")
    port = url.split(":")[2].strip("/")
    api = made["http_api_url"].replace("https://", "http://").replace(".amazonaws.com", f".localhost:{port}")
    assert ask(embedded_aws, api, "execute-api", signed=False)[0] == 403
    answers = [ask(embedded_aws, api, "execute-api")[0] for _ in range(4)]
    assert answers[0] == 415 and answers[-1] == 429  # two at once, and one in 100 s

    # From the version to its alias: by a new version, as Lambda keeps warm only one of them.
    made = module.apply(**needed, schedules=SCHEDULES)
    assert warm(embedded_aws) == {"live": 1} and made["provisioned_qualifier"] == "live"
    scaling = embedded_aws.client("application-autoscaling")
    where = {"ServiceNamespace": "lambda", "ResourceId": f"function:{NAME}:live"}
    (action,) = scaling.describe_scheduled_actions(**where)["ScheduledActions"]
    assert action["ScalableTargetAction"] == {"MinCapacity": 2, "MaxCapacity": 2}
    functions = embedded_aws.client("lambda")
    functions.put_provisioned_concurrency_config(  # as the schedule does at its time
        FunctionName=NAME, Qualifier="live", ProvisionedConcurrentExecutions=2
    )
    assert module.changes() == 0

    # And back.
    module.apply(**needed, provisioned_concurrency=2)
    assert warm(embedded_aws) == {"3": 2}
    targets = scaling.describe_scalable_targets(ServiceNamespace="lambda", ResourceIds=[where["ResourceId"]])
    assert targets["ScalableTargets"] == []
    functions.delete_function(FunctionName=NAME)
