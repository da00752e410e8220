"""The preflight of quotas: what it says of an account that may not launch what is asked, and that it lets others pass."""

from __future__ import annotations

import json
import re
import shlex
from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError
from moto.ec2.models.instance_types import INSTANCE_TYPES

from ops import aws, quotas
from ops.errors import OperatorError

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
    """EC2 and Service Quotas of an account, behind ops.aws.client.

    applied, default: quota code to vCPUs. running: what DescribeInstances tells. requests: (code, desired, status).
    denied: operations that the caller may not call.
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

    def client(self, service: str, region: str) -> SimpleNamespace:
        assert region == REGION and service in ("ec2", "service-quotas")
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
def account(monkeypatch) -> Account:
    account = Account()
    monkeypatch.setattr(quotas, "client", account.client)
    return account


def refused(instance_type: str, **more) -> str:
    with pytest.raises(OperatorError) as caught:
        quotas.check_vcpus(REGION, instance_type, **more)
    return str(caught.value)


def test_a_new_account_may_not_launch_gpus_and_is_told_what_to_ask_for(account):
    assert refused("g5.xlarge") == (
        "The account's quota L-DB2E81BA (Running On-Demand G and VT) in eu-west-1 is 0 vCPUs, of which 0 are in use, "
        "and 1 more g5.xlarge would need 4: ask for more with `aws service-quotas request-service-quota-increase "
        "--service-code ec2 --quota-code L-DB2E81BA --desired-value 4 --region eu-west-1`."
    )
    assert "L-3819A6DF" in refused("g5.xlarge", spot=True)


def test_the_accounts_own_value_goes_before_the_default(account):
    account.applied["L-DB2E81BA"] = 8.0
    assert quotas.check_vcpus(REGION, "g5.xlarge", count=2) is None
    assert "is 8 vCPUs" in refused("g5.xlarge", count=3) and "desired-value 12 " in refused(
        "g5.xlarge", count=3
    )


def test_what_runs_counts_with_its_market_and_family(account):
    account.runs("t3.large")
    account.runs("m5.large", InstanceLifecycle="spot")
    account.runs("g4dn.xlarge", 3)
    account.runs("t3.large", Placement={"Tenancy": "host"})
    account.runs("m5.large", InstanceLifecycle="capacity-block")
    assert quotas.check_vcpus(REGION, "t3.medium") is None
    account.runs("m5.large", Placement={"Tenancy": "default"})
    assert "is 5 vCPUs, of which 4 are in use, and 1 more t3.medium would need 6:" in refused("t3.medium")
    assert quotas.check_vcpus(REGION, "t3.medium", spot=True) is None
    account.runs("t3.large", InstanceLifecycle="spot")
    assert "(All Standard Spot) in eu-west-1 is 5 vCPUs, of which 4" in refused("t3.medium", spot=True)


def test_p5_on_spot_counts_alone_or_with_all_of_p_as_the_account_has_it(account):
    account.applied |= {"L-C4BD4855": 192.0, "L-7212CCBC": 96.0}
    account.runs("p4d.24xlarge", InstanceLifecycle="spot")
    assert quotas.check_vcpus(REGION, "p5.48xlarge", spot=True) is None
    account.runs("p5.48xlarge", InstanceLifecycle="spot")
    assert "L-C4BD4855" in refused("p5.48xlarge", spot=True)
    assert "of which 96 are in use" in refused("p4d.24xlarge", spot=True)
    del account.applied["L-C4BD4855"]
    assert "(All P Spot) in eu-west-1 is 96 vCPUs, of which 288 are in use" in refused(
        "p4d.24xlarge", spot=True
    )
    assert "L-7212CCBC (All P Spot)" in refused("p5.48xlarge", spot=True)


@pytest.mark.parametrize(
    ("requests", "told"),
    [
        (
            [("L-DB2E81BA", 8.0, "CASE_OPENED")],
            "a request for 8 is already open (CASE_OPENED), so wait until",
        ),
        (
            [("L-DB2E81BA", 2.0, "PENDING")],
            "a request for 2 is already open (PENDING), so once AWS has answered it ask",
        ),
        (
            [("L-DB2E81BA", 8.0, "DENIED"), ("L-1216C47A", 9.0, "PENDING")],
            "would need 4: ask for more with `aws",
        ),
    ],
)
def test_a_request_that_is_open_is_told_of(account, requests, told):
    account.requests = requests
    assert told in refused("g5.xlarge")
    assert ("desired-value" in refused("g5.xlarge")) == ("wait until" not in told)


@pytest.mark.parametrize(
    ("asked", "near"),
    [("t3.mediun", "t3.medium"), ("ml.g5.xlarge", "g5.xlarge"), ("nonsense", "t3.medium or g5.xlarge?")],
)
def test_an_unknown_type_is_told_with_those_like_it(account, asked, near):
    told = refused(asked)
    assert told.startswith(f"EC2 has no instance type {asked!r} in eu-west-1: did you mean ") and near in told


@pytest.mark.parametrize(
    ("operation", "code"),
    [("GetServiceQuota", "AccessDeniedException"), ("DescribeInstanceTypes", "UnauthorizedOperation")],
)
def test_a_caller_who_may_not_look_is_told_so_and_goes_on(account, operation, code):
    account.denied[operation] = code
    note = quotas.check_vcpus(REGION, "g5.xlarge")
    assert note == (
        f"The vCPU quota of g5.xlarge was not checked, as the caller may not call {operation}: "
        "AWS decides at the launch."
    )


def test_a_caller_who_may_not_see_requests_gets_the_command(account):
    account.denied["ListRequestedServiceQuotaChangeHistoryByQuota"] = "AccessDeniedException"
    assert "ask for more with `aws service-quotas" in refused("g5.xlarge")


def test_other_refusals_of_aws_end_the_check(account):
    account.denied["GetServiceQuota"] = "TooManyRequestsException"
    told = refused("g5.xlarge")
    assert told == "AWS refused while checking the vCPU quota of g5.xlarge: TooManyRequestsException: no."


def test_a_type_without_a_quota_passes_with_a_note(account):
    note = quotas.check_vcpus(REGION, "mac2.metal")
    assert note and note.startswith(
        "AWS lists no vCPU quota for mac2.metal as an On-Demand Instance in eu-west-1"
    )


@pytest.mark.parametrize("spot", [False, True])
def test_every_instance_type_counts_toward_the_quota_that_names_its_family(running, spot):
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
        assert quotas.codes_of(kind, spot)[:1] == named, kind


# Against the running embedded AWS.


@pytest.fixture
def running(embedded_aws, monkeypatch):
    for name, value in embedded_aws.credentials.items():
        monkeypatch.setenv(name, value)
    aws.forget()
    yield embedded_aws
    (embedded_aws.home / "quotas.json").unlink(missing_ok=True)
    aws.forget()


def limit(running, **services: dict[str, float]) -> None:
    (running.home / "quotas.json").write_text(json.dumps(services))


def of_running(instance_type: str, **more) -> str:
    with pytest.raises(OperatorError) as caught:
        quotas.check_vcpus("us-east-1", instance_type, **more)
    return str(caught.value)


def ask(running, message: str) -> dict:
    """What AWS makes of the command in a message."""
    words = shlex.split(message.split("`")[1])
    assert words[:3] == ["aws", "service-quotas", "request-service-quota-increase"]
    options = dict(zip(words[3::2], words[4::2], strict=True))
    return running.client("service-quotas", region_name=options["--region"]).request_service_quota_increase(
        ServiceCode=options["--service-code"],
        QuotaCode=options["--quota-code"],
        DesiredValue=float(options["--desired-value"]),
    )["RequestedQuota"]


def test_a_new_account_is_told_before_ec2_refuses_and_the_command_is_taken(running):
    told = of_running("g5.xlarge")
    assert told.startswith(
        "The account's quota L-DB2E81BA (Running On-Demand G and VT instances) in us-east-1 is 0 vCPUs, of which 0 are "
        "in use, and 1 more g5.xlarge would need 4: "
    )
    made = ask(running, told)
    assert (made["QuotaCode"], made["DesiredValue"], made["Status"]) == ("L-DB2E81BA", 4, "PENDING")
    assert of_running("g5.xlarge").endswith(
        "a request for 4 is already open (PENDING), so wait until AWS has granted it."
    )
    assert "a request for 4 is already open (PENDING), so once AWS has answered it ask" in of_running(
        "g5.2xlarge"
    )
    assert "L-C4BD4855 (All P5 Spot Instance Requests)" in of_running("p5.48xlarge", spot=True)


def test_the_check_and_ec2_say_the_same_of_one_more(running, until):
    ec2 = running.client("ec2")
    image = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]

    def used() -> int:
        limit(running, ec2={"L-1216C47A": 0})
        return int(of_running("t3.medium").split("of which ")[1].split()[0])

    before = used()  # other tests may have left instances
    limit(running, ec2={"L-1216C47A": before + 2})
    assert quotas.check_vcpus("us-east-1", "t3.medium") is None
    run = {"ImageId": image, "MinCount": 1, "MaxCount": 1, "InstanceType": "t3.medium"}
    made = ec2.run_instances(**run)["Instances"][0]["InstanceId"]
    assert f"of which {before + 2} are in use, and 1 more t3.medium would need {before + 4}:" in of_running(
        "t3.medium"
    )
    with pytest.raises(ClientError, match="VcpuLimitExceeded"):
        ec2.run_instances(**run)
    assert quotas.check_vcpus("us-east-1", "t3.medium", spot=True) is None
    ec2.terminate_instances(InstanceIds=[made])
    until(lambda: used() == before)


def test_an_unknown_type_gets_near_ones_of_the_region(running):
    assert "did you mean g4dn.xlarge or " in of_running("g4dn.xlarg")


def test_a_role_without_permissions_is_told_that_nothing_was_checked(running, monkeypatch):
    trust = {"Effect": "Allow", "Principal": {"AWS": "123456789012"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    running.client("iam").create_role(RoleName="blind", AssumeRolePolicyDocument=document)
    keys = running.session_of("blind")
    for name in ("aws_access_key_id", "aws_secret_access_key", "aws_session_token"):
        monkeypatch.setenv(name.upper(), keys[name])
    aws.forget()
    assert "may not call DescribeInstanceTypes" in (quotas.check_vcpus("us-east-1", "g5.xlarge") or "")
