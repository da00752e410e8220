"""Fake stacks with states in S3: they record what is locked, planned and applied."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

from ops.errors import OperatorError
from ops.terraform import dependencies
from ops.terraform.stack import Change, Plan


def resource(address: str, *needs: str, **attributes: str) -> dict:
    """Return a resource as a state has it."""
    *module, kind, label = address.split(".")
    found = {"mode": "managed", "type": kind, "name": label}
    if module:
        found["module"] = ".".join(module)
    return {**found, "instances": [{"dependencies": list(needs), "attributes": attributes}]}


ROLE, KEY = "module.training_role.aws_iam_role.this", "module.key.aws_kms_key.this"
STATES = {
    "training_host": [resource("module.training_host[0].aws_instance.this")],
    "workbench": [resource("module.workbench[0].aws_sagemaker_domain.this")],
    "serving/image-classifier-dev": [
        resource("module.endpoint.aws_sagemaker_endpoint.this"),
        resource("module.function.aws_lambda_function.this"),
    ],
    "foundation": [
        resource(ROLE, id="training"),
        resource("module.training_role.aws_iam_role_policy.this", ROLE),
        resource(KEY, ROLE, key_id="key-1"),
        resource("module.storage.aws_s3_bucket.this", KEY, ROLE, bucket="b"),
        resource("module.notifications.aws_sns_topic.this", KEY, ROLE),
        resource("aws_sagemaker_model_package_group.this", name="group"),
        resource("aws_ssm_parameter.outputs", KEY, ROLE, "aws_sagemaker_model_package_group.this"),
    ],
}


def address_of(found: dict) -> str:
    """Return the address of a resource in a state."""
    return ".".join(filter(None, (found.get("module"), found["type"], found["name"])))


class Account:
    """The stacks of an environment.

    log: what happened, in order.
    failing: (action, stack) -> error that it raises.
    """

    def __init__(self, env) -> None:
        self.env, self.log, self.failing = env, [], {}

    def happens(self, action: str, name: str) -> None:
        if error := self.failing.get((action, name)):
            raise error
        self.log.append(f"{action} {name}")


class FakeStack:
    """A stack whose state is an object in S3."""

    def __init__(self, account: Account, name: str, bucket: str) -> None:
        self.account, self.name, self.progress = account, name, None
        self.s3, self.state_bucket = account.env.client("s3"), bucket
        self.key = f"dev/{name}.tfstate"
        self.work = Path("work")
        self.held = False

    @contextlib.contextmanager
    def locked(self):
        self.account.happens("lock", self.name)
        self.held = True
        try:
            yield
        finally:
            self.held = False
            self.account.log.append(f"release {self.name}")

    def addresses(self) -> list[str]:
        return [address_of(found) for found in self.resources()]

    def plan(self, *, destroy=False, targets=()):
        assert self.held and destroy
        self.account.happens("plan", self.name)
        chosen = [a for a in self.addresses() if not targets or a in targets]
        for found in self.resources():  # as Terraform: what depends on a target is destroyed as well
            needs = found["instances"][0]["dependencies"]
            address = address_of(found)
            if targets and set(needs) & {dependencies.configuration_address(t) for t in targets}:
                assert address in targets, f"{address} would be destroyed as well"
        return Plan(Path("plan"), tuple(Change(a, ("delete",)) for a in chosen))

    def apply(self, plan):
        assert self.held
        gone = {change.address for change in plan.changes}
        data = {"module.storage.aws_s3_bucket.this", KEY} & gone
        self.account.happens("destroy data of" if data else "destroy", self.name)
        left = [found for found in self.resources() if address_of(found) not in gone]
        if data and self.account.env.client("s3").list_object_versions(
            Bucket=self.account.env.data_bucket
        ).get("Versions"):
            raise OperatorError("the bucket is not empty")
        self.write(left)

    def resources(self):
        try:
            return json.load(self.s3.get_object(Bucket=self.state_bucket, Key=self.key)["Body"])["resources"]
        except self.s3.exceptions.NoSuchKey:
            return []

    def write(self, resources):
        self.s3.put_object(
            Bucket=self.state_bucket, Key=self.key, Body=json.dumps({"resources": resources}).encode()
        )
