"""Records of models."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from botocore.exceptions import ClientError
from moto.sagemaker.exceptions import ValidationError

from embedded_aws.iam.trust import RoleNotAssumable
from embedded_aws.runtime import Runtime
from embedded_aws.s3_uri import split
from embedded_aws.services.sagemaker import roles
from embedded_aws.services.sagemaker.registry.backend import RegistryBackend


class ModelsBackend(RegistryBackend):
    """Models by name."""

    def __init__(self, region_name: str, account_id: str):
        super().__init__(region_name, account_id)
        self.hosted_models: dict[str, dict[str, Any]] = {}

    def hosted_model(self, name: str) -> dict[str, Any]:
        """Return the record of a model. Raises ValidationException if there is none."""
        if name not in self.hosted_models:
            raise ValidationError(message=f'Could not find model "{self.resource_arn("model", name)}".')
        return self.hosted_models[name]

    def create_hosted_model(self, request: dict[str, Any]) -> str:
        """Create a model and return its ARN. Raises ValidationException if the role cannot read the model data."""
        tags = request.pop("Tags", None)
        name = request["ModelName"]
        arn = self.resource_arn("model", name)
        if name in self.hosted_models:
            raise ValidationError(message=f'Cannot create already existing model "{arn}".')
        if ("PrimaryContainer" in request) == ("Containers" in request):
            raise ValidationError(message="Exactly one of PrimaryContainer and Containers must be specified.")
        if "ExecutionRoleArn" not in request:
            raise ValidationError(message="ExecutionRoleArn is required to create a model.")
        containers = request.get("Containers") or [request["PrimaryContainer"]]
        for container in containers:
            resolved = self.resolve_container(container)
            if url := resolved.get("ModelDataUrl"):
                _check_readable(self.runtime, url, request["ExecutionRoleArn"], self.region_name)
            container.setdefault("Mode", "SingleModel")
        self.keep_tags(arn, tags)
        self.hosted_models[name] = {
            **request,
            "EnableNetworkIsolation": request.get("EnableNetworkIsolation", False),
            "ModelArn": arn,
            "CreationTime": datetime.now(timezone.utc),
        }
        return arn

    def delete_hosted_model(self, name: str) -> None:
        arn = self.hosted_model(name)["ModelArn"]
        del self.hosted_models[name]
        self.forget_tags(arn)

    def resolve_container(self, container: dict[str, Any]) -> dict[str, Any]:
        """Return Image, ModelDataUrl and Environment of a container, from its model package if it names one."""
        if "ModelPackageName" in container:
            package = self.package(container["ModelPackageName"])
            if package.get("ModelApprovalStatus", "Approved") != "Approved":
                raise ValidationError(
                    message=f"Model package {package['ModelPackageArn']} is not approved: "
                    f"its ModelApprovalStatus is {package['ModelApprovalStatus']}."
                )
            described = package.get("InferenceSpecification", {}).get("Containers", [])
            if len(described) != 1:
                raise ValidationError(
                    message=f"Model package {package['ModelPackageArn']} must specify one inference container."
                )
            resolved = {**described[0], **{k: v for k, v in container.items() if k != "Environment"}}
            environment = {**described[0].get("Environment", {}), **container.get("Environment", {})}
        else:
            resolved, environment = dict(container), container.get("Environment", {})
        if "Image" not in resolved:
            raise ValidationError(message="A container must specify Image or ModelPackageName.")
        source = resolved.get("ModelDataSource", {}).get("S3DataSource", {})
        if source and (source.get("S3DataType"), source.get("CompressionType")) != ("S3Object", "Gzip"):
            raise ValidationError(
                message="The embedded AWS serves models from one model.tar.gz (S3Object, Gzip) only: "
                f"ModelDataSource is {source.get('S3DataType')}, {source.get('CompressionType')}."
            )
        return {
            "Image": resolved["Image"],
            "ModelDataUrl": resolved.get("ModelDataUrl") or source.get("S3Uri"),
            "Environment": environment,
        }


def _check_readable(runtime: Runtime, url: str, role_arn: str, region: str) -> None:
    bucket, key = split(url)
    try:
        roles.client(runtime, "s3", role_arn, region).head_object(Bucket=bucket, Key=key)
    except (ClientError, RoleNotAssumable) as error:
        if isinstance(error, ClientError) and error.response["Error"]["Code"] in (
            "404",
            "NoSuchKey",
            "NoSuchBucket",
        ):
            raise ValidationError(message=f"Could not find model data at {url}.") from error
        raise ValidationError(
            message=f"Could not access model data at {url}. Please ensure that the role "
            f'"{role_arn}" exists and that its trust relationship policy allows the action "sts:AssumeRole" for '
            f'the service principal "{roles.PRINCIPAL}". Also ensure that the role has "s3:GetObject" permissions and '
            f"that the object is located in {region}."
        ) from error
