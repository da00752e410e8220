"""Tags of SageMaker resources, in one store keyed by ARN."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from moto.core.resource_tagging import TaggedResource
from moto.core.responses import ActionResult, EmptyResult
from moto.sagemaker.exceptions import ResourceNotFound, ValidationError
from moto.sagemaker.models import SageMakerModelBackend

from embedded_aws.runtime import Runtime
from embedded_aws.services.sagemaker.requests import Response, page, validated

LIMIT = 50  # tags of one resource


class TagStore(SageMakerModelBackend):
    """The base of our backends. Call `keep_tags` for a new resource, `forget_tags` for a deleted one.

    Other ARNs belong to moto's resources, which have their tags themselves.
    """

    runtime: Runtime  # set by the provider

    def __init__(self, region_name: str, account_id: str):
        super().__init__(region_name, account_id)
        self.resource_tags: dict[str, dict[str, str]] = {}

    def resource_arn(self, kind: str, name: str) -> str:
        """Return the ARN of a resource of this account and region. kind: for example "model"."""
        return f"arn:{self.partition}:sagemaker:{self.region_name}:{self.account_id}:{kind}/{name}"

    def keep_tags(self, arn: str, tags: list[dict[str, str]] | None) -> None:
        """Store the tags of a new resource, as its Create request lists them."""
        self.resource_tags[arn] = {}
        try:
            self.add_tags(arn, tags or [])
        except ValidationError:
            del self.resource_tags[arn]
            raise

    def forget_tags(self, arn: str) -> None:
        """Delete the tags of a deleted resource."""
        self.resource_tags.pop(arn, None)

    def tags_of(self, arn: str) -> list[dict[str, str]]:
        """Return tags as AWS lists them. Raises ResourceNotFound."""
        if arn in self.resource_tags:
            return _listed(self.resource_tags[arn])
        resource = self._moto_resource(arn)
        return list(resource.tags or [])

    def add_tags(self, arn: str, tags: list[dict[str, str]]) -> list[dict[str, str]]:
        """Add or overwrite tags; return all tags of the resource."""
        keys = [tag["Key"] for tag in tags]
        if len(set(keys)) < len(keys):
            raise ValidationError(message="Duplicate tag keys are not allowed in one request.")
        if any(key.lower().startswith("aws:") for key in keys):
            raise ValidationError(message="Tag keys that start with 'aws:' are reserved.")
        merged = {tag["Key"]: tag["Value"] for tag in [*self.tags_of(arn), *tags]}
        if len(merged) > LIMIT:
            raise ValidationError(message=f"A resource can have at most {LIMIT} tags.")
        self._set_tags(arn, merged)
        return _listed(merged)

    def delete_tags(self, arn: str, tag_keys: list[str]) -> None:
        """Remove tags by key. Unknown keys are ignored."""
        self._set_tags(arn, {t["Key"]: t["Value"] for t in self.tags_of(arn) if t["Key"] not in tag_keys})

    def iter_tagged_resources(self) -> Iterator[TaggedResource]:
        """Yield every tagged resource, for the Resource Groups Tagging API."""
        for arn, tags in self.resource_tags.items():
            yield TaggedResource(arn=arn, tags=tags, resource_type=f"sagemaker:{_kind(arn)}")
        yield from super().iter_tagged_resources()

    def _set_tags(self, arn: str, tags: dict[str, str]) -> None:
        if arn in self.resource_tags:
            self.resource_tags[arn] = tags
        else:
            self._moto_resource(arn).tags = _listed(tags)

    def _moto_resource(self, arn: str) -> Any:
        try:
            resource = self._get_resource_from_arn(arn)
        except (AttributeError, ValueError, KeyError):  # an ARN that moto does not know
            resource = None
        if resource is None:
            raise ResourceNotFound(message=f"Could not find resource {arn}.")
        return resource


class TagResponse(Response):
    def add_tags(self) -> ActionResult:
        request = validated(self)
        return ActionResult(
            {"Tags": self.sagemaker_backend.add_tags(request["ResourceArn"], request["Tags"])}
        )

    def list_tags(self) -> ActionResult:
        request = validated(self)
        return ActionResult(page(self.sagemaker_backend.tags_of(request["ResourceArn"]), request, "Tags"))

    def delete_tags(self) -> ActionResult:
        request = validated(self)
        self.sagemaker_backend.delete_tags(request["ResourceArn"], request["TagKeys"])
        return EmptyResult()


def _listed(tags: dict[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def _kind(arn: str) -> str:
    return arn.split(":", 5)[5].split("/")[0]
