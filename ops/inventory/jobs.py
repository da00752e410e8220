"""Kinds of SageMaker jobs. Only those that run count: SageMaker keeps the records of all others, free of charge."""

from __future__ import annotations

from collections.abc import Iterator

from ops.inventory import prices
from ops.inventory.model import Kind, Place, Resource, pages

_RUNNING = ("InProgress", "Stopping")


def _kind(words: str, operation: str, api: str, instances: str) -> Kind:
    """Return a kind of jobs.

    words: for people, such as "running training job".
    operation: of boto3, such as "training_jobs".
    api: as in the names of the API's fields, such as "TrainingJob".
    instances: the field that describes the instances; empty if other jobs have them.
    """
    noun, arn = operation.removesuffix("s"), operation.removesuffix("s").replace("_", "-")

    def listing(place: Place) -> Iterator[Resource]:
        for status in _RUNNING:
            for job in pages(
                place.client("sagemaker"), f"list_{operation}", f"{api}Summaries", StatusEquals=status
            ):
                yield Resource(
                    job[f"{api}Name"], job[f"{api}Arn"], job[f"{api}Name"], ending=status == "Stopping"
                )

    def inspect(place: Place, job: Resource) -> Resource:
        if not instances:
            return job
        found = getattr(place.client("sagemaker"), f"describe_{noun}")(**{f"{api}Name": job.id})
        chosen = found.get(instances) or {}
        chosen = chosen.get("ClusterConfig", chosen)
        cost = prices.instances(chosen.get("InstanceType"), chosen.get("InstanceCount", 1))
        return Resource(job.name, job.arn, job.id, ending=job.ending, monthly=cost)

    def stop(place: Place, job: Resource) -> None:
        getattr(place.client("sagemaker"), f"stop_{noun}")(**{f"{api}Name": job.id})

    return Kind(words, (), (f"sagemaker:{arn}/",), listing, stop, inspect)


KINDS = (  # searches first: one that stops starts no more trials
    _kind("running tuning job", "hyper_parameter_tuning_jobs", "HyperParameterTuningJob", ""),
    _kind("running training job", "training_jobs", "TrainingJob", "ResourceConfig"),
    _kind("running processing job", "processing_jobs", "ProcessingJob", "ProcessingResources"),
    _kind("running transform job", "transform_jobs", "TransformJob", "TransformResources"),
)
"""In the order of their deletion."""
