"""The check of vCPU quotas: it refuses a launch over the quota, with the command to request more, and accepts others."""

from __future__ import annotations

import json
import re
import shlex
from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError
from moto.ec2.models.instance_types import INSTANCE_TYPES

from ops import settings
from ops.environment import Environment
from ops.errors import OperatorError
from ops.facts import vcpu_quotas
from ops.quotas import vcpus
from tests.environments import with_clients, with_settings

REGION = "eu-west-1"
TYPES = {
    "t3.medium": 2,
    "t3.large": 2,
    "m5.large": 2,
    "g5.xlarge": 4,
    "g4dn.xlarge": 4,
    "p4d.24xlarge": 96,
    "p5.48xlarge": 192,
    "mac2.metal": 8,
}
NAMES = {
    "L-1216C47A": "Running On-Demand Standard",
    "L-34B43A08": "All Standard Spot",
    "L-DB2E81BA": "Running On-Demand G and VT",
    "L-3819A6DF": "All G and VT Spot",
    "L-417A185B": "Running On-Demand P",
    "L-7212CCBC": "All P Spot",
}


def refusal(code: str, operation: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "no"}}, operation)


class Account:
    """EC2 and Service Quotas of an account.

    applied, default: vCPUs of each quota code.
    running: the instances of DescribeInstances.
    requests: (code, desired value, status) of each.
    denied: error codes of the operations that the caller may not call.
    """

    def __init__(self):
        self.applied: dict[str, float] = {}
        self.default = {
            "L-1216C47A": 5.0,
            "L-34B43A08": 5.0,
            **dict.fromkeys(("L-DB2E81BA", "L-3819A6DF"), 0.0),
        }
        self.running: list[dict] = []
        self.requests: list[tuple[str, float, str]] = []
        self.denied: dict[str, str] = {}

    def runs(self, instance_type: str, count: int = 1, **more) -> None:
        self.running += [{"InstanceType": instance_type, **more}] * count

    def client(self) -> SimpleNamespace:
        operations = {
            name: getattr(self, name) for name in ("get_service_quota", "get_aws_default_service_quota")
        }
        return SimpleNamespace(
            **operations,
            get_paginator=lambda name: SimpleNamespace(paginate=lambda **asked: getattr(self, name)(**asked)),
        )

    def _check(self, operation: str) -> None:
        if operation in self.denied:
            raise refusal(self.denied[operation], operation)

    def _quota(self, known: dict[str, float], code: str) -> dict:
        if code not in known:
            raise refusal("NoSuchResourceException", "GetServiceQuota")
        return {
            "Quota": {
                "ServiceCode": "ec2",
                "QuotaCode": code,
                "QuotaName": NAMES.get(code, code),
                "Value": known[code],
            }
        }

    def get_service_quota(self, ServiceCode, QuotaCode):
        self._check("GetServiceQuota")
        return self._quota(self.applied, QuotaCode)

    def get_aws_default_service_quota(self, ServiceCode, QuotaCode):
        return self._quota(self.default, QuotaCode)

    def describe_instance_types(self, InstanceTypes=(), Filters=()):
        self._check("DescribeInstanceTypes")
        if unknown := set(InstanceTypes) - set(TYPES):
            raise refusal("InvalidInstanceType", f"DescribeInstanceTypes of {unknown}")
        prefixes = tuple(value.rstrip("*") for wanted in Filters for value in wanted["Values"])
        found = InstanceTypes or [name for name in TYPES if name.startswith(prefixes)]
        yield from (
            {"InstanceTypes": [{"InstanceType": name, "VCpuInfo": {"DefaultVCpus": TYPES[name]}}]}
            for name in found
        )

    def describe_instances(self, Filters):
        assert Filters == [{"Name": "instance-state-name", "Values": ["pending", "running"]}]
        yield from ({"Reservations": [{"Instances": [instance]}]} for instance in self.running)

    def list_requested_service_quota_change_history_by_quota(self, ServiceCode, QuotaCode):
        self._check("ListRequestedServiceQuotaChangeHistoryByQuota")
        yield {
            "RequestedQuotas": [
                {"DesiredValue": desired, "Status": status}
                for code, desired, status in self.requests
                if code == QuotaCode
            ]
        }


@pytest.fixture
def account() -> Account:
    return Account()


@pytest.fixture
def env(dev, account) -> Environment:
    """An environment in the account."""
    client = account.client()
    return with_clients(with_settings(dev, region=REGION), ec2=client, service_quotas=client)


@pytest.fixture
def refused(env):
    """Return a function that returns the error of a refused check."""

    def check(instance_type: str, **more) -> str:
        with pytest.raises(OperatorError) as caught:
            vcpus.check_vcpus(env, instance_type, **more)
        return str(caught.value)

    return check


def test_a_new_account_is_refused_gpus_with_the_command_to_request_them(account, env, refused):
    assert refused("g5.xlarge") == (
        "The account's quota L-DB2E81BA (Running On-Demand G and VT) in eu-west-1 is 0 vCPUs, of which 0 are in use, "
        "and 1 more g5.xlarge would need 4: request an increase with `aws service-quotas request-service-quota-increase "
        "--service-code ec2 --quota-code L-DB2E81BA --desired-value 4 --region eu-west-1`."
    )
    assert "L-3819A6DF" in refused("g5.xlarge", spot=True)


def test_the_value_of_the_account_overrides_the_default(account, env, refused):
    account.applied["L-DB2E81BA"] = 8.0
    assert vcpus.check_vcpus(env, "g5.xlarge", count=2) is None
    assert "is 8 vCPUs" in refused("g5.xlarge", count=3) and "desired-value 12 " in refused(
        "g5.xlarge", count=3
    )


def test_running_instances_count_by_market_and_family(account, env, refused):
    account.runs("t3.large")
    account.runs("m5.large", InstanceLifecycle="spot")
    account.runs("g4dn.xlarge", 3)
    account.runs("t3.large", Placement={"Tenancy": "host"})
    account.runs("m5.large", InstanceLifecycle="capacity-block")
    assert vcpus.check_vcpus(env, "t3.medium") is None
    account.runs("m5.large", Placement={"Tenancy": "default"})
    assert "is 5 vCPUs, of which 4 are in use, and 1 more t3.medium would need 6:" in refused("t3.medium")
    assert vcpus.check_vcpus(env, "t3.medium", spot=True) is None
    account.runs("t3.large", InstanceLifecycle="spot")
    assert "(All Standard Spot) in eu-west-1 is 5 vCPUs, of which 4" in refused("t3.medium", spot=True)


def test_p5_spot_counts_by_its_quota_or_by_that_of_all_p_instances(account, env, refused):
    account.applied |= {"L-C4BD4855": 192.0, "L-7212CCBC": 96.0}
    account.runs("p4d.24xlarge", InstanceLifecycle="spot")
    assert vcpus.check_vcpus(env, "p5.48xlarge", spot=True) is None
    account.runs("p5.48xlarge", InstanceLifecycle="spot")
    assert "L-C4BD4855" in refused("p5.48xlarge", spot=True)
    assert "of which 96 are in use" in refused("p4d.24xlarge", spot=True)
    del account.applied["L-C4BD4855"]
    assert "(All P Spot) in eu-west-1 is 96 vCPUs, of which 288 are in use" in refused(
        "p4d.24xlarge", spot=True
    )
    assert "L-7212CCBC (All P Spot)" in refused("p5.48xlarge", spot=True)


@pytest.mark.parametrize(
    ("requests", "message"),
    [
        (
            [("L-DB2E81BA", 8.0, "CASE_OPENED")],
            "a request for 8 is already open (CASE_OPENED), so wait until",
        ),
        (
            [("L-DB2E81BA", 2.0, "PENDING")],
            "a request for 2 is already open (PENDING); after AWS has answered it, request more",
        ),
        (
            [("L-DB2E81BA", 8.0, "DENIED"), ("L-1216C47A", 9.0, "PENDING")],
            "would need 4: request an increase with `aws",
        ),
    ],
)
def test_an_open_request_is_reported(account, refused, requests, message):
    account.requests = requests
    assert message in refused("g5.xlarge")
    assert ("desired-value" in refused("g5.xlarge")) == ("wait until" not in message)


@pytest.mark.parametrize(
    ("asked", "near"),
    [("t3.mediun", "t3.medium"), ("ml.g5.xlarge", "g5.xlarge"), ("nonsense", "t3.medium or g5.xlarge?")],
)
def test_an_unknown_type_is_refused_with_suggestions(refused, asked, near):
    message = refused(asked)
    assert (
        message.startswith(f"EC2 has no instance type {asked!r} in eu-west-1: did you mean ")
        and near in message
    )


@pytest.mark.parametrize(
    ("operation", "code"),
    [("GetServiceQuota", "AccessDeniedException"), ("DescribeInstanceTypes", "UnauthorizedOperation")],
)
def test_a_caller_without_permission_gets_a_note(account, env, operation, code):
    account.denied[operation] = code
    note = vcpus.check_vcpus(env, "g5.xlarge")
    assert note == (
        f"The vCPU quota of g5.xlarge was not checked, as the caller may not call {operation}: "
        "AWS decides at the launch."
    )


def test_a_caller_who_may_not_list_requests_gets_the_command(account, env, refused):
    account.denied["ListRequestedServiceQuotaChangeHistoryByQuota"] = "AccessDeniedException"
    assert "request an increase with `aws service-quotas" in refused("g5.xlarge")


def test_other_errors_of_aws_end_the_check(account, env, refused):
    account.denied["GetServiceQuota"] = "TooManyRequestsException"
    message = refused("g5.xlarge")
    assert (
        message
        == "AWS refused during the check of the vCPU quota of g5.xlarge: TooManyRequestsException: no."
    )


def test_a_type_without_a_quota_is_accepted_with_a_note(account, env, refused):
    note = vcpus.check_vcpus(env, "mac2.metal")
    assert note and note.startswith(
        "AWS lists no vCPU quota for mac2.metal as an On-Demand Instance in eu-west-1"
    )


@pytest.mark.parametrize("spot", [False, True])
def test_every_instance_type_has_the_quota_that_names_its_family(running, spot):
    pages = running.client("service-quotas").get_paginator("list_service_quotas").paginate(ServiceCode="ec2")
    market = "Spot Instance Requests" if spot else "Running On-Demand"
    listed = {q["QuotaCode"]: q["QuotaName"] for page in pages for q in page["Quotas"]}
    for kind in INSTANCE_TYPES:
        letters, generation = re.match(r"([a-z]+)-?(\d*)", kind).groups()
        family = {"gr": "g", "im": "i", "is": "i", "u": "High Memory"}.get(letters, letters)
        if spot and family == "p":
            family = "P5" if int(generation) >= 5 else "P2"
        named = [
            code
            for code, name in listed.items()
            if market in name and re.search(rf"\b{family}\b", name.removeprefix("All"), re.IGNORECASE)
        ]
        assert vcpu_quotas.codes_of(kind, spot)[:1] == named, kind


# Against the running embedded AWS.


@pytest.fixture
def running(embedded_aws, monkeypatch):
    for name, value in embedded_aws.credentials.items():
        monkeypatch.setenv(name, value)
    yield embedded_aws
    (embedded_aws.home / "quotas.json").unlink(missing_ok=True)


@pytest.fixture
def local(running) -> Environment:
    """An environment in the embedded AWS."""
    return Environment(settings.load("local"))


def limit(running, **services: dict[str, float]) -> None:
    (running.home / "quotas.json").write_text(json.dumps(services))


@pytest.fixture
def refused_there(local):
    """Return a function that returns the error of a check that the embedded AWS makes fail."""

    def check(instance_type: str, **more) -> str:
        with pytest.raises(OperatorError) as caught:
            vcpus.check_vcpus(local, instance_type, **more)
        return str(caught.value)

    return check


def request_increase(running, message: str) -> dict:
    """Send the request of the command in a message. Returns AWS's answer."""
    words = shlex.split(message.split("`")[1])
    assert words[:3] == ["aws", "service-quotas", "request-service-quota-increase"]
    options = dict(zip(words[3::2], words[4::2], strict=True))
    return running.client("service-quotas", region_name=options["--region"]).request_service_quota_increase(
        ServiceCode=options["--service-code"],
        QuotaCode=options["--quota-code"],
        DesiredValue=float(options["--desired-value"]),
    )["RequestedQuota"]


def test_a_new_account_is_refused_with_a_command_that_aws_accepts(running, refused_there):
    message = refused_there("g5.xlarge")
    assert message.startswith(
        "The account's quota L-DB2E81BA (Running On-Demand G and VT instances) in us-east-1 is 0 vCPUs, of which 0 are "
        "in use, and 1 more g5.xlarge would need 4: "
    )
    made = request_increase(running, message)
    assert (made["QuotaCode"], made["DesiredValue"], made["Status"]) == ("L-DB2E81BA", 4, "PENDING")
    assert refused_there("g5.xlarge").endswith(
        "a request for 4 is already open (PENDING), so wait until AWS has granted it."
    )
    assert (
        "a request for 4 is already open (PENDING); after AWS has answered it, request more"
        in refused_there("g5.2xlarge")
    )
    assert "L-C4BD4855 (All P5 Spot Instance Requests)" in refused_there("p5.48xlarge", spot=True)


def test_the_check_and_ec2_agree_on_one_more_instance(running, local, refused_there, until):
    ec2 = running.client("ec2")
    image = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]

    def used() -> int:
        limit(running, ec2={"L-1216C47A": 0})
        return int(refused_there("t3.medium").split("of which ")[1].split()[0])

    before = used()  # other tests may have left instances
    limit(running, ec2={"L-1216C47A": before + 2})
    assert vcpus.check_vcpus(local, "t3.medium") is None
    run = {"ImageId": image, "MinCount": 1, "MaxCount": 1, "InstanceType": "t3.medium"}
    made = ec2.run_instances(**run)["Instances"][0]["InstanceId"]
    assert (
        f"of which {before + 2} are in use, and 1 more t3.medium would need {before + 4}:"
        in refused_there("t3.medium")
    )
    with pytest.raises(ClientError, match="VcpuLimitExceeded"):
        ec2.run_instances(**run)
    assert vcpus.check_vcpus(local, "t3.medium", spot=True) is None
    ec2.terminate_instances(InstanceIds=[made])
    until(lambda: used() == before)


def test_an_unknown_type_gets_suggestions_from_the_region(refused_there):
    assert "did you mean g4dn.xlarge or " in refused_there("g4dn.xlarg")


def test_a_role_without_permissions_gets_a_note(running, monkeypatch):
    trust = {"Effect": "Allow", "Principal": {"AWS": "123456789012"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    running.client("iam").create_role(RoleName="blind", AssumeRolePolicyDocument=document)
    keys = running.session_of("blind")
    for name in ("aws_access_key_id", "aws_secret_access_key", "aws_session_token"):
        monkeypatch.setenv(name.upper(), keys[name])
    note = vcpus.check_vcpus(Environment(settings.load("local")), "g5.xlarge")
    assert "may not call DescribeInstanceTypes" in note
