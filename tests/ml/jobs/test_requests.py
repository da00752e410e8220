"""The requests that create jobs, as the SDK sends them: valid by botocore's model, private, encrypted, tagged."""

import json

import boto3
import pytest
from botocore.config import Config

from ml.jobs import job_inputs as program
from ml.jobs import search as tune
from ml.jobs.launchers import Training, sagemaker
from ops import outputs as handover
from ops import settings as environments
from ops.settings.jobs import ContinuousRange

SOURCE = program.Source("s3://bucket/code/abc/source.tar.gz", "abc")
TUNED = tune.Result(
    tuning_job="search",
    model={},
    data_hash="d",
    dataset="sample",
    best_training_job="best",
    best_objective=0.9,
    hyperparameters={
        "learning-rate": "0.01",
        "batch-size": "64",
        "optimizer": "sgd",
        "_tuning_objective_metric": "x",
    },
)


class Sent(Exception):
    """Carries a request out of botocore, which has validated it, before it reaches a network."""


class Session(boto3.Session):
    """Its SageMaker clients send nothing."""

    def client(self, service, region_name=None, config=None, **options):
        made = super().client(service, region_name, config=(config or Config()), **options)
        made.meta.events.register("before-call.sagemaker", self._stop)
        return made

    @staticmethod
    def _stop(params, **_):
        raise Sent(json.loads(params["body"]))


@pytest.fixture(scope="module")
def session():
    return Session("test", "test", region_name="us-east-1")


@pytest.fixture
def create(session, monkeypatch, dev, foundation, manifest):
    """The request of a training or tuning job under changed settings of `training` or `tuning`."""
    for module in (sagemaker, tune):
        monkeypatch.setattr(module, "session", lambda region: session)

    def request(kind: str, count: int = 1, **changes) -> dict:
        settings = dev.model_copy(
            update={name: getattr(dev, name).model_copy(update=change) for name, change in changes.items()}
        )
        with pytest.raises(Sent) as sent:
            if kind == "training":
                training = Training(settings, foundation, manifest, SOURCE, TUNED, count)
                sagemaker.create(training, "image-classifier-dev-train")
            else:
                tune._create(settings, foundation, manifest, SOURCE, "image-classifier-dev-abcdefg")
        return sent.value.args[0]

    return request


def test_training_request(create, foundation):
    request = create("training", count=3)
    assert request["TrainingJobName"] == "image-classifier-dev-train"
    assert request["RoleArn"] == foundation.training_role_arn
    assert request["ResourceConfig"] == {
        "InstanceType": "ml.m5.2xlarge",
        "InstanceCount": 3,
        "VolumeSizeInGB": 30,
        "VolumeKmsKeyId": foundation.kms_key_arn,
    }
    assert request["OutputDataConfig"] == {
        "S3OutputPath": f"s3://{foundation.bucket}/training",
        "KmsKeyId": foundation.kms_key_arn,
    }
    assert [c["ChannelName"] for c in request["InputDataConfig"]] == ["train", "valid", "test", "code"]
    assert request["CheckpointConfig"]["S3Uri"].endswith("/checkpoints/image-classifier-dev-train/")
    assert request["AlgorithmSpecification"]["MetricDefinitions"] == [
        {"Name": d["name"], "Regex": d["regex"]} for d in program.metric_definitions()
    ]


def test_tuned_hyperparameters_override_and_internal_ones_stay_away(create):
    given = create("training")["HyperParameters"]
    assert (given["learning-rate"], given["batch-size"], given["optimizer"]) == ("0.01", "64", "sgd")
    assert given["sagemaker_submit_directory"] == "/opt/ml/input/data/code/source.tar.gz"
    assert not any(name.startswith("_") for name in given)


def test_spot_has_a_longest_wait_and_checkpoints(create):
    assert create("training")["EnableManagedSpotTraining"] is False
    request = create("training", training={"spot": True, "max_runtime_seconds": 3600})
    assert request["EnableManagedSpotTraining"] is True
    assert request["StoppingCondition"] == {"MaxRuntimeInSeconds": 3600, "MaxWaitTimeInSeconds": 7200}
    assert request["CheckpointConfig"]


def test_tuning_request(create, foundation):
    request = create("tuning", tuning={"strategy": "Random", "max_jobs": 6, "max_parallel_jobs": 3})
    config, definition = request["HyperParameterTuningJobConfig"], request["TrainingJobDefinition"]
    assert request["HyperParameterTuningJobName"] == "image-classifier-dev-abcdefg"
    assert config["Strategy"] == "Random"
    assert config["HyperParameterTuningJobObjective"] == {
        "Type": "Maximize",
        "MetricName": "validation:accuracy",
    }
    assert config["ResourceLimits"]["MaxNumberOfTrainingJobs"] == 6
    assert config["ResourceLimits"]["MaxParallelTrainingJobs"] == 3
    assert config["RandomSeed"] == 1  # the SDK drops what is zero
    assert definition["OutputDataConfig"]["KmsKeyId"] == foundation.kms_key_arn
    assert definition["RoleArn"] == foundation.training_role_arn
    assert definition["StoppingCondition"]["MaxRuntimeInSeconds"] > 0


def test_tuning_never_sees_the_test_split(create):
    channels = create("tuning")["TrainingJobDefinition"]["InputDataConfig"]
    assert [c["ChannelName"] for c in channels] == ["train", "valid", "code"]


def test_a_hyperparameter_is_either_searched_or_fixed(create):
    weight_decay = {"weight-decay": ContinuousRange(min=0.0001, max=0.01)}
    request = create("tuning", tuning={"continuous": weight_decay})
    ranges = request["HyperParameterTuningJobConfig"]["ParameterRanges"]
    assert [r["Name"] for r in ranges["ContinuousParameterRanges"]] == ["weight-decay"]
    assert "weight-decay" not in request["TrainingJobDefinition"]["StaticHyperParameters"]


@pytest.mark.parametrize("kind", ["training", "tuning"])
def test_jobs_carry_the_cost_tags(create, kind, manifest):
    tags = {tag["Key"]: tag["Value"] for tag in create(kind)["Tags"]}
    assert tags == {
        "Project": "image-classifier",
        "Environment": "dev",
        "ManagedBy": "invoke",
        "DataHash": manifest.hash[:16],
        "Application": "image-classifier-dev",
    }


# ---- what nobody else may see ----


@pytest.fixture
def job(create):
    """The part of a request that is about one training job, whichever asks for it."""

    def part(kind: str, count: int = 1, **changes) -> dict:
        request = create(kind, count, **changes)
        return request if kind == "training" else request["TrainingJobDefinition"]

    return part


@pytest.mark.parametrize("kind", ["training", "tuning"])
def test_containers_have_no_network_and_get_their_program_by_a_channel(job, kind):
    asked = job(kind)
    assert asked["EnableNetworkIsolation"] is True
    assert "VpcConfig" not in asked
    code = next(c for c in asked["InputDataConfig"] if c["ChannelName"] == "code")
    assert code["DataSource"]["S3DataSource"]["S3Uri"] == "s3://bucket/code/abc/"


@pytest.mark.parametrize("kind", ["training", "tuning"])
@pytest.mark.parametrize(
    ("instance_type", "takes_a_key"),
    [("ml.m5.large", True), ("ml.g4dn.xlarge", False), ("ml.p5.48xlarge", False)],
)
def test_volumes_are_encrypted_with_the_key_where_hardware_does_not(
    job, foundation, kind, instance_type, takes_a_key
):
    resources = job(kind, training={"instance_type": instance_type})["ResourceConfig"]
    assert resources.get("VolumeKmsKeyId") == (foundation.kms_key_arn if takes_a_key else None)


@pytest.mark.parametrize("kind", ["training", "tuning"])
def test_jobs_of_a_private_network_run_in_it(job, foundation, kind):
    foundation.network = handover.Network(
        subnet_ids=["subnet-a", "subnet-b"], training_security_group_ids=["sg-t"]
    )
    assert job(kind)["VpcConfig"] == {"Subnets": ["subnet-a", "subnet-b"], "SecurityGroupIds": ["sg-t"]}


@pytest.mark.parametrize(
    ("count", "network", "encrypted"),
    [(2, {"vpc": True}, True), (2, {"encrypt_traffic": True}, True), (2, {}, None), (1, {"vpc": True}, None)],
)
def test_traffic_between_instances_is_encrypted_in_a_private_network_or_on_request(
    job, count, network, encrypted
):
    asked = job("training", count, network=network)
    assert asked.get("EnableInterContainerTrafficEncryption") is encrypted


def test_ranges_as_the_api_takes_them():
    ranges = tune.parameter_ranges(environments.load("dev").tuning)
    assert ranges == {
        "continuous_parameter_ranges": [
            {
                "name": "learning-rate",
                "min_value": "0.0001",
                "max_value": "0.1",
                "scaling_type": "Logarithmic",
            }
        ],
        "integer_parameter_ranges": [
            {"name": "batch-size", "min_value": "16", "max_value": "256", "scaling_type": "Logarithmic"}
        ],
        "categorical_parameter_ranges": [{"name": "optimizer", "values": ["adamw", "sgd"]}],
    }
