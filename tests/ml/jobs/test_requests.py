"""The requests that create jobs, as the SDK sends them: valid for botocore, isolated, encrypted, tagged."""

import json
from functools import cache

import boto3
import pytest
from botocore.config import Config

from ml.jobs import job_inputs, retries, search, tuning_request
from ml.jobs.launchers import sagemaker
from ml.jobs.launchers.base import Training
from ml.jobs.trials import Trial
from ml.jobs.tuning_request import SearchInputs
from ops.environment import Environment
from ops.outputs import Network
from ops.settings.tuning import ContinuousRange
from tests.environments import with_settings

SEARCH = "image-classifier-dev-abcdefg"
SOURCE = job_inputs.Source("s3://bucket/code/abc/source.tar.gz", "abc")
TUNED = search.SearchResult(
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
FAILED = Trial(TUNED.hyperparameters, "image-classifier-dev-abc-001-f", "Failed", None, None, None, None)


class Sent(Exception):
    """Carries a request out of botocore, which has validated it, before it reaches a network."""


class Session(boto3.Session):
    """Creates SageMaker clients that send nothing; each client once, which takes as long as a short test."""

    @cache  # noqa: B019 (there is one session)
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
def create(account, session, dev, foundation, manifest):
    """Return a function that returns the request of a training or tuning job, with changed settings."""

    def request(kind: str, count: int = 1, given: dict | None = None, **changes) -> dict:
        account.publish("foundation", foundation.model_dump())
        env = Environment(with_settings(dev, **changes).settings, session)
        with pytest.raises(Sent) as sent:
            if kind == "training":
                training = Training(env, manifest, SOURCE, TUNED, count)
                sagemaker.submit(env, training, "image-classifier-dev-train")
            elif kind == "repeated":
                definition = tuning_request.trial_definition(SearchInputs(env, manifest, SOURCE), SEARCH)
                retries._create(env, definition, FAILED, job_inputs.tags(env.settings, manifest))
            else:
                inputs = SearchInputs(env, manifest, SOURCE, **(given or {}))
                tuning_request.create(inputs, SEARCH)
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
        {"Name": d["name"], "Regex": d["regex"]} for d in job_inputs.metric_definitions()
    ]


def test_tuned_hyperparameters_override_and_internal_ones_are_left_out(create):
    given = create("training")["HyperParameters"]
    assert (given["learning-rate"], given["batch-size"], given["optimizer"]) == ("0.01", "64", "sgd")
    assert given["sagemaker_submit_directory"] == "/opt/ml/input/data/code/source.tar.gz"
    assert not any(name.startswith("_") for name in given)


@pytest.mark.parametrize("kind", ["training", "tuning"])
def test_every_job_knows_how_many_images_its_channels_have(create, kind):
    request = create(kind)
    given = (
        request["TrainingJobDefinition"]["StaticHyperParameters"]
        if kind == "tuning"
        else request["HyperParameters"]
    )
    assert given["expected-images"] == "train=10,valid=10,test=10"


def test_a_spot_job_has_a_longest_wait_and_checkpoints(create):
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


def test_a_repeated_trial_is_the_training_job_that_the_search_ran(create):
    request, definition = create("repeated"), create("tuning")["TrainingJobDefinition"]
    assert request.pop("TrainingJobName") == "image-classifier-dev-abc-001-f-retry"
    assert request.pop("Tags")
    given, static = request.pop("HyperParameters"), definition.pop("StaticHyperParameters")
    assert given == {**static, "learning-rate": "0.01", "batch-size": "64", "optimizer": "sgd"}
    assert request == definition


@pytest.mark.parametrize("kind", ["training", "tuning", "repeated"])
def test_sagemaker_repeats_a_job_after_an_error_of_its_own(create, kind):
    request = create(kind)
    assert request.get("TrainingJobDefinition", request)["RetryStrategy"] == {"MaximumRetryAttempts": 1}


def test_tuning_does_not_get_the_test_split(create):
    channels = create("tuning")["TrainingJobDefinition"]["InputDataConfig"]
    assert [c["ChannelName"] for c in channels] == ["train", "valid", "code"]


def test_a_hyperparameter_is_either_tuned_or_fixed(create):
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


# ---- isolation and encryption ----


@pytest.fixture
def job(create):
    """Return a function that returns the definition of a training job in either request."""

    def part(kind: str, count: int = 1, **changes) -> dict:
        request = create(kind, count, **changes)
        return request if kind == "training" else request["TrainingJobDefinition"]

    return part


@pytest.mark.parametrize("kind", ["training", "tuning"])
def test_containers_have_no_network_and_get_their_program_from_a_channel(job, kind):
    request = job(kind)
    assert request["EnableNetworkIsolation"] is True
    assert "VpcConfig" not in request
    code = next(c for c in request["InputDataConfig"] if c["ChannelName"] == "code")
    assert code["DataSource"]["S3DataSource"]["S3Uri"] == "s3://bucket/code/abc/"


@pytest.mark.parametrize("kind", ["training", "tuning"])
@pytest.mark.parametrize(
    ("instance_type", "encrypted"),
    [("ml.m5.large", True), ("ml.g4dn.xlarge", False), ("ml.p5.48xlarge", False)],
)
def test_volumes_are_encrypted_with_the_key_unless_hardware_encrypts_them(
    job, foundation, kind, instance_type, encrypted
):
    resources = job(kind, training={"instance_type": instance_type})["ResourceConfig"]
    assert resources.get("VolumeKmsKeyId") == (foundation.kms_key_arn if encrypted else None)


@pytest.mark.parametrize("kind", ["training", "tuning"])
def test_jobs_run_in_the_private_network(job, foundation, kind):
    foundation.network = Network(subnet_ids=["subnet-a", "subnet-b"], training_security_group_ids=["sg-t"])
    assert job(kind)["VpcConfig"] == {"Subnets": ["subnet-a", "subnet-b"], "SecurityGroupIds": ["sg-t"]}


@pytest.mark.parametrize(
    ("count", "network", "encrypted"),
    [(2, {"vpc": True}, True), (2, {"encrypt_traffic": True}, True), (2, {}, None), (1, {"vpc": True}, None)],
)
def test_traffic_between_instances_is_encrypted_in_a_private_network_or_by_setting(
    job, count, network, encrypted
):
    request = job("training", count, network=network)
    assert request.get("EnableInterContainerTrafficEncryption") is encrypted


def test_parameter_ranges_have_the_form_of_the_api(dev):
    ranges = tuning_request.parameter_ranges(dev.settings.tuning)
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


# ---- strategies, Spot capacity, warm start, features, GPUs ----


def config(request: dict) -> dict:
    return request["HyperParameterTuningJobConfig"]


def test_hyperband_has_epochs_as_resource_and_no_other_early_stopping(create):
    found = config(create("tuning", tuning={"strategy": "Hyperband", "epochs": 9, "min_epochs": 2}))
    resources = {"MinResource": 2, "MaxResource": 9}
    assert found["StrategyConfig"] == {"HyperbandStrategyConfig": resources}
    assert "TrainingJobEarlyStoppingType" not in found


@pytest.mark.parametrize("stopping", ["Off", "Auto"])
def test_other_strategies_stop_early_by_setting(create, stopping):
    found = config(create("tuning", tuning={"early_stopping": stopping}))
    assert found["TrainingJobEarlyStoppingType"] == stopping
    assert "StrategyConfig" not in found


def test_a_grid_leaves_the_number_of_jobs_to_sagemaker(create):
    grid = {
        "strategy": "Grid",
        "continuous": {},
        "integer": {},
        "categorical": {"head": ["linear", "original"]},
    }
    found = config(create("tuning", tuning=grid))
    assert set(found["ResourceLimits"]) == {"MaxParallelTrainingJobs", "MaxRuntimeInSeconds"}
    assert found["ParameterRanges"]["CategoricalParameterRanges"] == [
        {"Name": "head", "Values": ["linear", "original"]}
    ]


@pytest.mark.parametrize("kind", ["tuning", "repeated"])
def test_spot_trials_have_a_longest_wait_and_checkpoints_of_their_own(create, kind):
    request = create(kind, tuning={"spot": True}, training={"max_runtime_seconds": 3600})
    job = request.get("TrainingJobDefinition", request)
    assert job["EnableManagedSpotTraining"] is True
    assert job["StoppingCondition"] == {"MaxRuntimeInSeconds": 3600, "MaxWaitTimeInSeconds": 7200}
    assert job["CheckpointConfig"]["S3Uri"].endswith(f"/checkpoints/{SEARCH}/")
    assert job["Environment"] == {"CHECKPOINTS_BY_JOB": "true"}


def test_a_search_names_the_earlier_ones_that_it_starts_from(create):
    given = {"parents": ("first", "second"), "warm_start_type": "TransferLearning"}
    assert create("tuning", given=given)["WarmStartConfig"] == {
        "ParentHyperParameterTuningJobs": [
            {"HyperParameterTuningJobName": "first"},
            {"HyperParameterTuningJobName": "second"},
        ],
        "WarmStartType": "TransferLearning",
    }
    assert "WarmStartConfig" not in create("tuning")


def test_the_number_of_hyperparameters_does_not_depend_on_what_is_tuned(create):
    """SageMaker refuses a warm start from a search with another number of them."""

    def number(**changes) -> int:
        request = create("tuning", **changes)
        ranges = config(request)["ParameterRanges"].values()
        return len(request["TrainingJobDefinition"]["StaticHyperParameters"]) + sum(map(len, ranges))

    few = {"continuous": {}, "integer": {}, "categorical": {"mixup": ["0", "0.2"]}}
    assert number(tuning=few) == number() == number(training={"instance_type": "ml.g5.12xlarge"})


def test_trials_read_the_features_that_were_computed_once(create):
    request = create("tuning", given={"features": "s3://bucket/features/abc/"})
    channels = request["TrainingJobDefinition"]["InputDataConfig"]
    assert [c["ChannelName"] for c in channels] == ["train", "valid", "code", "features"]
    assert channels[-1]["DataSource"]["S3DataSource"]["S3Uri"] == "s3://bucket/features/abc/"
    modes = [c["InputMode"] for c in channels]
    assert modes == ["FastFile", "FastFile", "File", "File"]  # nobody reads the images


@pytest.mark.parametrize(
    ("instance_type", "enabled"),
    [
        ("ml.m5.2xlarge", "false"),
        ("ml.g5.xlarge", "false"),
        ("ml.g5.12xlarge", "true"),
        ("ml.p5.48xlarge", "true"),
    ],
)
@pytest.mark.parametrize("kind", ["training", "tuning"])
def test_every_gpu_of_an_instance_gets_a_process(create, kind, instance_type, enabled):
    request = create(kind, training={"instance_type": instance_type})
    given = request.get("HyperParameters") or request["TrainingJobDefinition"]["StaticHyperParameters"]
    assert given["sagemaker_torch_distributed_enabled"] == enabled
