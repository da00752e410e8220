"""Warm start: which earlier searches can be started from, and how they are related to the new one."""

import pytest
from botocore.exceptions import ClientError

from ml.jobs import job_inputs, warm_start
from ops.errors import Refused
from ops.settings.tuning import WarmStart
from tests.environments import with_clients, with_settings

EARLIER = "image-classifier-dev-earlier"
SOURCE = job_inputs.Source("s3://bucket/code/abc/source.tar.gz", "abc")


class Sagemaker:
    """One tuning job, `earlier`, and the tags of its ARN."""

    def __init__(self, image: str, data_hash: str):
        code = {"S3DataSource": {"S3Uri": "s3://bucket/code/abc/"}}
        self.job = {
            "HyperParameterTuningJobArn": "arn:earlier",
            "HyperParameterTuningJobStatus": "Completed",
            "BestTrainingJob": {},
            "TrainingJobDefinition": {
                "AlgorithmSpecification": {"TrainingImage": image},
                "InputDataConfig": [{"ChannelName": "code", "DataSource": code}],
            },
        }
        self.data_hash = data_hash

    def describe_hyper_parameter_tuning_job(self, HyperParameterTuningJobName):
        if HyperParameterTuningJobName != EARLIER:
            error = {"Code": "ValidationException", "Message": "can't find a tuning job with the name"}
            raise ClientError({"Error": error}, "DescribeHyperParameterTuningJob")
        return self.job

    def get_paginator(self, operation):
        assert operation == "list_tags"
        return self

    def paginate(self, ResourceArn):
        assert ResourceArn == "arn:earlier"
        return [{"Tags": []}, {"Tags": [{"Key": "DataHash", "Value": self.data_hash}]}]


@pytest.fixture
def sagemaker(dev, manifest):
    return Sagemaker(job_inputs.training_image(dev.settings), manifest.hash[:16])


@pytest.fixture
def relation(dev, sagemaker, manifest):
    """Return a function that returns the warm start type of a search."""

    def found(*jobs: str, type: str = "Auto", source: job_inputs.Source = SOURCE) -> str:
        chosen = with_settings(dev, tuning={"warm_start": WarmStart(jobs=list(jobs), type=type)})
        return warm_start.relation(with_clients(chosen, sagemaker=sagemaker), manifest, source)

    return found


def test_without_earlier_searches_there_is_none(relation):
    assert relation() == ""


def test_the_same_data_program_and_image_are_identical(relation):
    assert relation(EARLIER) == "IdenticalDataAndAlgorithm"


def test_other_data_are_transfer_learning(relation, sagemaker):
    sagemaker.data_hash = "0" * 16
    assert relation(EARLIER) == "TransferLearning"


def test_another_program_is_transfer_learning(relation):
    assert (
        relation(EARLIER, source=job_inputs.Source("s3://bucket/code/x/source.tar.gz", "x"))
        == "TransferLearning"
    )


def test_another_image_is_transfer_learning(relation, sagemaker):
    sagemaker.job["TrainingJobDefinition"]["AlgorithmSpecification"]["TrainingImage"] += "-gpu"
    assert relation(EARLIER) == "TransferLearning"


def test_the_setting_decides(relation):
    assert relation(EARLIER, type="TransferLearning") == "TransferLearning"


def test_a_search_that_does_not_exist_is_refused_by_name(relation):
    with pytest.raises(Refused, match="There is no tuning job 'image-classifier-dev-nobody' to start from"):
        relation(EARLIER, "image-classifier-dev-nobody")


def test_a_running_search_is_refused(relation, sagemaker):
    sagemaker.job["HyperParameterTuningJobStatus"] = "InProgress"
    with pytest.raises(Refused, match=f"{EARLIER} is still running"):
        relation(EARLIER)


def test_a_search_without_a_result_is_refused(relation, sagemaker):
    del sagemaker.job["BestTrainingJob"]
    with pytest.raises(Refused, match="No trial of the tuning job image-classifier-dev-earlier has a result"):
        relation(EARLIER)


def test_a_search_of_another_environment_is_refused(relation):
    with pytest.raises(Refused, match="'image-classifier-prod-1' is no tuning job of this environment"):
        relation("image-classifier-prod-1")
