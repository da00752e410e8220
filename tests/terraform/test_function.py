"""Module inference_function on the embedded AWS: invoke it over HTTP, switch provisioned concurrency to a schedule and back."""

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

from ops import child_environment, packaging
from ops.paths import ROOT
from ops.terraform import binary, module_tables, providers

NAME = "function-module"
SCHEDULES = [{"name": "day", "schedule": "cron(0 8 * * ? *)", "provisioned_concurrency": 2}]


class Module:
    """The module in a root of this test, with local state."""

    def __init__(self, variables, folder):
        self._folder = folder
        self._environment = child_environment.build("terraform", variables)
        self._environment["TF_CLI_CONFIG_FILE"] = str(providers.cli_config())
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
        """Return the module's inputs."""
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
        """Apply the module. Return its outputs."""
        (self._folder / "v.auto.tfvars.json").write_text(json.dumps({"values": self.values(**changed)}))
        self._run("apply", "-input=false", "-auto-approve")
        return json.loads(self._run("output", "-json", "it"))

    def check_no_changes(self) -> None:
        """Fail if a plan has changes."""
        self._run("plan", "-input=false", "-detailed-exitcode")

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
def module(embedded_aws, stack_variables, tmp_path):
    return Module(stack_variables(embedded_aws), tmp_path)


@pytest.fixture
def required(embedded_aws, tmp_path) -> dict:
    """The required inputs: a role, a key and the zip of the real function."""
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


def send(aws, url: str, service: str, method: str = "POST", signed: bool = True) -> tuple[int, dict]:
    """Send an image of an unsupported type. Return status and JSON."""
    request = AWSRequest(method, url, data=b"<svg/>", headers={"Content-Type": "image/svg+xml"})
    keys = aws.credentials
    credentials = Credentials(keys["AWS_ACCESS_KEY_ID"], keys["AWS_SECRET_ACCESS_KEY"])
    host = url.split("/")[2]
    request.headers["Host"] = host
    if signed:
        SigV4Auth(credentials, service, "us-east-1").add_auth(request)
    address = url.replace(host, f"127.0.0.1:{host.rpartition(':')[2]}")
    try:
        with urllib.request.urlopen(
            urllib.request.Request(address, b"<svg/>", dict(request.headers), method=method), timeout=20
        ) as response:
            return response.status, json.loads(response.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def provisioned(aws) -> dict[str, int]:
    """Return the provisioned concurrency by version or alias."""
    configs = aws.client("lambda").list_provisioned_concurrency_configs(FunctionName=NAME)
    return {
        c["FunctionArn"].rpartition(":")[2]: c["RequestedProvisionedConcurrentExecutions"]
        for c in configs["ProvisionedConcurrencyConfigs"]
    }


def test_the_function_responds_over_http_and_provisioned_concurrency_moves_to_the_alias_and_back(
    embedded_aws, module, required
):
    made = module.apply(**required)
    assert provisioned(embedded_aws) == {"1": 1} and made["provisioned_qualifier"] == "1"
    url = made["function_url"]
    assert send(embedded_aws, url, "lambda", signed=False)[0] == 403
    assert send(embedded_aws, url, "lambda", method="PUT")[0] == 405
    status, body = send(embedded_aws, url, "lambda")
    assert (status, body["error"]["type"]) == (415, "UnsupportedImage")
    port = url.split(":")[2].strip("/")
    api = made["http_api_url"].replace("https://", "http://").replace(".amazonaws.com", f".localhost:{port}")
    assert send(embedded_aws, api, "execute-api", signed=False)[0] == 403
    statuses = [send(embedded_aws, api, "execute-api")[0] for _ in range(4)]
    assert statuses[0] == 415 and statuses[-1] == 429  # a burst of two, then one every 100 s

    # Lambda takes provisioned concurrency on a version or on its alias, never on both: the switch publishes a version.
    made = module.apply(**required, schedules=SCHEDULES)
    assert provisioned(embedded_aws) == {"live": 1} and made["provisioned_qualifier"] == "live"
    scaling = embedded_aws.client("application-autoscaling")
    target = {"ServiceNamespace": "lambda", "ResourceId": f"function:{NAME}:live"}
    (action,) = scaling.describe_scheduled_actions(**target)["ScheduledActions"]
    assert action["ScalableTargetAction"] == {"MinCapacity": 2, "MaxCapacity": 2}
    functions = embedded_aws.client("lambda")
    functions.put_provisioned_concurrency_config(  # as the schedule does
        FunctionName=NAME, Qualifier="live", ProvisionedConcurrentExecutions=2
    )
    module.check_no_changes()

    # Back to a version.
    module.apply(**required, provisioned_concurrency=2)
    assert provisioned(embedded_aws) == {"3": 2}
    targets = scaling.describe_scalable_targets(ServiceNamespace="lambda", ResourceIds=[target["ResourceId"]])
    assert targets["ScalableTargets"] == []
    functions.delete_function(FunctionName=NAME)
