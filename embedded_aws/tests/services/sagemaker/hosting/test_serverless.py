"""Serverless endpoints: cold starts, concurrency, memory, provisioned concurrency, refusals."""

import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError

from embedded_aws.runtime import Runtime
from embedded_aws.services.sagemaker.hosting import serverless as serverless_module
from embedded_aws.services.sagemaker.hosting.exceptions import (
    ColdStartFailed,
    ModelNotReadyException,
    ThrottlingException,
)
from embedded_aws.services.sagemaker.hosting.serverless import ServerlessFleet
from hosting_kit import Hosting, containers, serverless, variant


class Process:
    """A simulated instance. It becomes healthy at once by default."""

    def __init__(self, comes_up: bool = True, starting: bool = False):
        self.healthy, self.starting, self.in_flight, self.pid = comes_up, starting, 0, 0
        self.id, self.ended, self.came_up = "i-1", False, comes_up

    def wait_ready(self, timeout=None):
        return self.healthy

    def end(self):
        self.ended = True


@pytest.fixture
def fleet(monkeypatch, tmp_path):
    """Return a fleet of simulated processes, with a list of them in `made`."""
    runtime = Runtime(home=tmp_path, port=1, time_scale=10_000)  # idle for 60 ms
    monkeypatch.setattr(ServerlessFleet, "prepare", lambda self: None)
    fleets = []

    def make(process=Process, **config) -> ServerlessFleet:
        record = serverless("m", **config)
        made = ServerlessFleet(runtime, {"Id": "1", "Variants": [record]}, "us-east-1", lambda *_: None)
        made.made = []

        def add(variant, count):
            added = [process() for _ in range(count)]
            made.made += added
            made._instances[variant["VariantName"]] += added
            return added

        monkeypatch.setattr(made, "_add", add)
        fleets.append(made)
        return made

    yield make
    for made in fleets:
        for process in made.made:
            process.in_flight = 0  # no request to wait for
        made.end()


def test_container_is_reused_and_ends_when_idle(fleet, until):
    made = fleet(most=2)
    made.launch()
    assert [process.ended for process in made.made] == [True]  # started once for a test, as AWS does
    _, first = made.acquire(None)
    _, second = made.acquire("AllTraffic")
    assert first is not second
    made.release(second)
    assert made.acquire(None)[1] is second
    made.release(second)
    until(lambda: second.ended)
    assert not first.ended  # it still handles a request
    made.release(first)
    until(lambda: first.ended)


def test_provisioned_container_stays_when_idle(fleet, until):
    made = fleet(most=2, ProvisionedConcurrency=1)
    made.launch()
    picked = [made.acquire(None)[1] for _ in range(2)]
    for process in picked:
        made.release(process)
    until(lambda: sum(process.ended for process in picked) == 1)
    time.sleep(0.1)  # longer than a process may idle
    assert [process for process in made.made if not process.ended]


def test_request_beyond_max_concurrency_is_throttled(fleet):
    made = fleet(most=1)
    made.launch()
    _, process = made.acquire(None)
    assert made.request_metrics("AllTraffic", process)["ServerlessConcurrentExecutionsUtilization"] == 1
    with pytest.raises(ThrottlingException, match="as many requests as its MaxConcurrency, 1"):
        made.acquire(None)
    with pytest.raises(KeyError):
        made.acquire("absent")
    made.release(process)
    assert made.acquire(None)


def test_spillover_is_reported_separately(fleet):
    made = fleet(most=2, ProvisionedConcurrency=1)
    made.launch()
    _, first = made.acquire(None)
    assert made.request_metrics("AllTraffic", first)["ServerlessProvisionedConcurrencyInvocations"] == 1
    _, second = made.acquire(None)
    measured = made.request_metrics("AllTraffic", second)
    assert measured["ServerlessProvisionedConcurrencySpilloverInvocations"] == 1
    assert measured["ServerlessProvisionedConcurrencyUtilization"] == 1
    assert "ModelSetupTime" in measured


def test_failed_provisioned_container_is_replaced_after_a_pause(fleet, monkeypatch, until):
    monkeypatch.setattr(serverless_module, "RETRY_SECONDS", 0.3)
    made = fleet(ProvisionedConcurrency=1)
    made.launch()
    [first] = made.made
    first.healthy = first.came_up = False
    with made._changed:
        made._changed.notify()
    until(lambda: len(made.made) == 2 and first.ended)
    assert 0 < made._retry_at <= time.monotonic()


@pytest.mark.parametrize(("starting", "error"), [(False, ColdStartFailed), (True, ModelNotReadyException)])
def test_failed_cold_start_frees_its_concurrency(fleet, starting, error):
    made = fleet(process=lambda: Process(False, starting), most=1)
    for _ in range(2):
        with pytest.raises(error):
            made.acquire(None)


def test_container_above_its_memory_size_is_killed(fleet, monkeypatch):
    made = fleet(most=1)
    killed = SimpleNamespace(id="i-1", pid=7, kill=lambda: setattr(killed, "pid", 0))
    monkeypatch.setattr(serverless_module.memory, "peak", lambda pid: 1024 << 20)
    made._limit_memory(killed)
    assert killed.pid == 7  # exactly at the limit
    monkeypatch.setattr(serverless_module.memory, "peak", lambda pid: (1024 << 20) + 4096)
    made._limit_memory(killed)
    assert killed.pid == 0


@pytest.fixture(scope="module")
def aws(embedded_aws):
    running = Hosting(embedded_aws)
    running.model("serverless", isolated=False, VERSION="on-demand")
    running.config("serverless", serverless("serverless", most=2))
    running.endpoint("serverless", "serverless")
    yield running
    running.delete_endpoints()


def test_first_request_starts_a_container_that_the_next_one_uses(aws):
    [described] = aws.sagemaker.describe_endpoint(EndpointName="serverless")["ProductionVariants"]
    assert described["CurrentServerlessConfig"] == {"MemorySizeInMB": 1024, "MaxConcurrency": 2}
    assert described["CurrentInstanceCount"] == 0
    assert containers("on-demand") == set()
    pid = aws.ask("serverless")["pid"]
    assert aws.ask("serverless")["pid"] == pid and containers("on-demand") == {pid}
    assert aws.metric("serverless", "Invocations") == 2
    setup = aws.metric("serverless", "ModelSetupTime", "Maximum")
    assert aws.metric("serverless", "ModelSetupTime", "SampleCount") == 1
    assert aws.metric("serverless", "OverheadLatency", "Maximum") >= setup > 1e5  # microseconds
    assert aws.metric("serverless", "ServerlessConcurrentExecutionsUtilization", "Maximum") == 0.5
    assert aws.metric("serverless", "InvocationsPerInstance") is None


def test_concurrent_requests_have_their_own_containers_up_to_max_concurrency(aws):
    with ThreadPoolExecutor(2) as pool:
        requests = [pool.submit(aws.ask, "serverless", b"sleep1.5") for _ in range(2)]
        aws.until(lambda: len(containers("on-demand")) == 2)
        with pytest.raises(ClientError) as error:
            aws.ask("serverless")
        assert len({answer.result()["pid"] for answer in requests}) == 2
    assert error.value.response["Error"]["Code"] == "ThrottlingException"
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_request_to_a_container_that_exceeds_its_memory_fails(aws):
    for _ in range(2):  # the second one reuses a connection to the other container
        with pytest.raises(ClientError) as error:
            aws.ask("serverless", b"grow1600")
        assert error.value.response["Error"]["Code"] == "ModelError"
        assert error.value.response["OriginalStatusCode"] == 0
    stream = error.value.response["LogStreamArn"].partition(":log-stream:")[2]
    events = aws.client("logs").get_log_events(
        logGroupName="/aws/sagemaker/Endpoints/serverless", logStreamName=stream
    )["events"]
    assert "more than MemorySizeInMB, 1024." in events[-1]["message"]
    assert aws.ask("serverless")["size"] == 7


def test_request_body_is_limited_to_4_mib(aws):
    assert aws.ask("serverless", b"x" * 4_194_304)["size"] == 4_194_304
    with pytest.raises(ClientError, match="has oversize body") as error:
        aws.ask("serverless", b"x" * 4_194_305)
    assert error.value.response["Error"]["Code"] == "ValidationError"
    with pytest.raises(ClientError, match="Endpoint no-such of account 123456789012 not found"):
        aws.ask("no-such", b"x" * 4_194_305)


def test_endpoint_on_instances_cannot_become_serverless(aws):
    aws.config("no-longer-serverless", variant("serverless"))
    aws.sagemaker.update_endpoint(EndpointName="serverless", EndpointConfigName="no-longer-serverless")
    [described] = aws.stable("serverless")["ProductionVariants"]
    assert described["CurrentInstanceCount"] == 1 and "CurrentServerlessConfig" not in described
    aws.until(lambda: containers("on-demand") == {aws.ask("serverless")["pid"]})
    with pytest.raises(ClientError, match="from instances to serverless") as error:
        aws.sagemaker.update_endpoint(EndpointName="serverless", EndpointConfigName="serverless")
    assert error.value.response["Error"]["Code"] == "ValidationException"
    aws.sagemaker.delete_endpoint(EndpointName="serverless")


def test_provisioned_containers_run_before_the_endpoint_is_in_service(aws):
    aws.model("provisioned", isolated=False, VERSION="provisioned")
    aws.config("provisioned", serverless("provisioned", ProvisionedConcurrency=1))
    aws.endpoint("provisioned", "provisioned")
    [pid] = containers("provisioned")
    assert aws.ask("provisioned")["pid"] == pid
    assert aws.metric("provisioned", "ModelSetupTime") is None
    assert aws.metric("provisioned", "ServerlessProvisionedConcurrencyInvocations", "Maximum") == 1
    update = aws.sagemaker.update_endpoint_weights_and_capacities

    def change(**desired):
        wanted = [{"VariantName": "AllTraffic", **desired}]
        update(EndpointName="provisioned", DesiredWeightsAndCapacities=wanted)

    change(ServerlessUpdateConfig={"MaxConcurrency": 3, "ProvisionedConcurrency": 2})
    [described] = aws.stable("provisioned")["ProductionVariants"]
    assert described["CurrentServerlessConfig"]["ProvisionedConcurrency"] == 2
    assert len(containers("provisioned")) == 2
    for refused, message in (
        ({"DesiredInstanceCount": 1}, "it is serverless"),
        ({"ServerlessUpdateConfig": {"ProvisionedConcurrency": 4}}, "equal to its MaxConcurrency, 3"),
    ):
        with pytest.raises(ClientError, match=message):
            change(**refused)
    aws.sagemaker.delete_endpoint(EndpointName="provisioned")
    aws.until(lambda: not containers("provisioned"))


def test_container_that_does_not_start_fails_the_endpoint(aws):
    url = aws.put("serverless-crash.tar.gz", {"code/app.py": "raise SystemExit('no')"})
    aws.model("serverless-crash", url, isolated=False)
    aws.config("serverless-crash", serverless("serverless-crash"))
    described = aws.endpoint("serverless-crash", "serverless-crash")
    assert described["EndpointStatus"] == "Failed"
    assert "did not pass the ping health check" in described["FailureReason"]


CAPTURE = {
    "EnableCapture": True,
    "InitialSamplingPercentage": 100,
    "DestinationS3Uri": "s3://hosting-models/captured",
    "CaptureOptions": [{"CaptureMode": "Input"}],
}
ASYNC = {"OutputConfig": {"S3OutputPath": "s3://hosting-models/async"}}
VPC = {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]}


@pytest.mark.parametrize(
    ("variants", "settings", "message"),
    [
        (
            [serverless("serverless", memory=1500)],
            {},
            "MemorySizeInMB 1500 .* 1 GB increments: 1024 MB, 2048 MB",
        ),
        ([serverless("serverless", memory=7168)], {}, "memorySizeInMB.*less than or equal to 6144"),
        ([serverless("serverless", most=201)], {}, "maxConcurrency.*less than or equal to 200"),
        (
            [serverless("serverless", ProvisionedConcurrency=3)],
            {},
            "less than or equal to its MaxConcurrency, 2",
        ),
        (
            [serverless("serverless") | {"InstanceType": "ml.m5.large"}],
            {},
            "InstanceType cannot be specified with",
        ),
        ([serverless("serverless") | {"VolumeSizeInGB": 9}], {}, "VolumeSizeInGB cannot be specified with"),
        ([serverless("serverless"), serverless("serverless", name="b")], {}, "has one production variant"),
        (
            [serverless("serverless")],
            {"DataCaptureConfig": CAPTURE},
            "DataCaptureConfig of the endpoint conf",
        ),
        ([serverless("serverless")], {"AsyncInferenceConfig": ASYNC}, "AsyncInferenceConfig of the endpoint"),
        ([serverless("serverless")], {"VpcConfig": VPC}, "VpcConfig of the endpoint configuration is not"),
        ([serverless("isolated")], {}, "EnableNetworkIsolation of the model isolated is not supported"),
    ],
)
def test_unsupported_serverless_configuration_is_refused(aws, variants, settings, message):
    if variants[0]["ModelName"] == "isolated":
        aws.model("isolated")
    with pytest.raises(ClientError, match=message) as error:
        aws.config("refused-serverless", *variants, **settings)
    assert error.value.response["Error"]["Code"] == "ValidationException"


def test_false_instance_member_is_accepted(aws):
    """Terraform's provider sends EnableSSMAccess = false for every variant."""
    assert aws.config("as-terraform-says", serverless("serverless") | {"EnableSSMAccess": False})
