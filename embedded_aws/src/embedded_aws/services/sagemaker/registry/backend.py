"""Records of model package groups and model packages."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from moto.sagemaker.exceptions import ConflictException, ValidationError

from embedded_aws.services.sagemaker import events
from embedded_aws.services.sagemaker.tags import TagStore

UPDATABLE = (
    "ModelApprovalStatus",
    "ApprovalDescription",
    "InferenceSpecification",
    "SourceUri",
    "ModelCard",
    "ModelLifeCycle",
)


class RegistryBackend(TagStore):
    """Groups and packages by ARN."""

    def __init__(self, region_name: str, account_id: str):
        super().__init__(region_name, account_id)
        self.package_groups: dict[str, dict[str, Any]] = {}
        self.packages: dict[str, dict[str, Any]] = {}
        self.package_versions: dict[str, int] = {}  # the last version of each group, deleted ones included
        self.package_group_policies: dict[str, str] = {}
        self.package_tokens: dict[str, str] = {}  # ARNs by ClientToken

    def package_group(self, name_or_arn: str) -> dict[str, Any]:
        """Return the record of a group. Raises ValidationException if there is none."""
        arn = self._registry_arn("model-package-group", name_or_arn)
        if arn not in self.package_groups:
            raise ValidationError(message=f"ModelPackageGroup {arn} does not exist.")
        return self.package_groups[arn]

    def package(self, name_or_arn: str) -> dict[str, Any]:
        """Return the record of a package. Raises ValidationException if there is none."""
        arn = self._registry_arn("model-package", name_or_arn)
        if arn not in self.packages:
            raise ValidationError(message=f"ModelPackage {arn} does not exist.")
        return self.packages[arn]

    def create_package_group(self, request: dict[str, Any]) -> str:
        """Create a group and return its ARN."""
        tags = request.pop("Tags", None)
        arn = self.resource_arn("model-package-group", request["ModelPackageGroupName"])
        if arn in self.package_groups:
            raise ValidationError(message=f"Model Package Group already exists: {arn}")
        self.keep_tags(arn, tags)
        self.package_groups[arn] = {
            **request,
            "ModelPackageGroupArn": arn,
            "ModelPackageGroupStatus": "Completed",
            "CreationTime": datetime.now(timezone.utc),
            "CreatedBy": {},
        }
        return arn

    def create_package(self, request: dict[str, Any]) -> str:
        """Create a package and return its ARN: the next version of a group, or an unversioned package.

        A ClientToken that was used before creates nothing and returns the same ARN.
        """
        tags = request.pop("Tags", None)
        token = request.pop("ClientToken", None)
        if token in self.package_tokens:
            return self.package_tokens[token]
        name, group_name = request.get("ModelPackageName", ""), request.get("ModelPackageGroupName", "")
        if name and group_name:
            raise ValidationError(
                message="Both ModelPackageName and ModelPackageGroupName are provided in the input. "
                "Cannot determine which one to use."
            )
        if not name and not group_name:
            raise ValidationError(message="Missing ARN.")
        if request.get("CertifyForMarketplace"):
            raise ValidationError(message="The embedded AWS does not certify packages for AWS Marketplace.")
        record = {**request, "ModelPackageStatus": "Completed"}
        if group_name:
            if tags:
                raise ValidationError(
                    message="Tags cannot be specified for a model package version: tag its group."
                )
            arn = self._add_version(record)
        else:
            arn = self.resource_arn("model-package", name)
            if arn in self.packages:
                raise ConflictException(f"Model Package already exists: {arn}")
        self.keep_tags(arn, tags)
        self.packages[arn] = {
            **record,
            "ModelPackageArn": arn,
            "ModelPackageStatusDetails": {"ValidationStatuses": [], "ImageScanStatuses": []},
            "CreationTime": datetime.now(timezone.utc),
            "CreatedBy": {},
        }
        if token is not None:
            self.package_tokens[token] = arn
        events.model_package(self.region_name, self.packages[arn], [])
        return arn

    def _add_version(self, record: dict[str, Any]) -> str:
        """Make a new package the next version of its group. Return its ARN."""
        group = self.package_group(record["ModelPackageGroupName"])
        version = self.package_versions.get(group["ModelPackageGroupArn"], 0) + 1
        self.package_versions[group["ModelPackageGroupArn"]] = version
        record["ModelPackageGroupName"] = group["ModelPackageGroupName"]
        record["ModelPackageVersion"] = version
        record.setdefault("ModelApprovalStatus", "PendingManualApproval")
        return self.resource_arn("model-package", f"{group['ModelPackageGroupName']}/{version}")

    def update_package(self, request: dict[str, Any]) -> str:
        """Update a package and return its ARN."""
        record = self.package(request["ModelPackageArn"])
        record.update({key: request[key] for key in UPDATABLE if key in request})
        removed = request.get("CustomerMetadataPropertiesToRemove", [])
        metadata = {
            **record.get("CustomerMetadataProperties", {}),
            **request.get("CustomerMetadataProperties", {}),
        }
        if metadata or removed:
            record["CustomerMetadataProperties"] = {k: v for k, v in metadata.items() if k not in removed}
        if "AdditionalInferenceSpecificationsToAdd" in request:
            record["AdditionalInferenceSpecifications"] = [
                *record.get("AdditionalInferenceSpecifications", []),
                *request["AdditionalInferenceSpecificationsToAdd"],
            ]
        record["LastModifiedTime"] = datetime.now(timezone.utc)
        record["LastModifiedBy"] = {}
        updated = sorted(request.keys() - {"ModelPackageArn"})
        events.model_package(self.region_name, record, updated)
        arn: str = record["ModelPackageArn"]
        return arn

    def delete_package(self, name_or_arn: str) -> None:
        arn = self.package(name_or_arn)["ModelPackageArn"]
        del self.packages[arn]
        self.package_tokens = {
            token: package for token, package in self.package_tokens.items() if package != arn
        }
        self.forget_tags(arn)

    def delete_package_group(self, name_or_arn: str) -> None:
        """Delete a group. Raises ConflictException while it has packages."""
        group = self.package_group(name_or_arn)
        arn, name = group["ModelPackageGroupArn"], group["ModelPackageGroupName"]
        if any(package.get("ModelPackageGroupName") == name for package in self.packages.values()):
            raise ConflictException(
                f"Model Package Group {arn} cannot be deleted because it contains Model Packages."
            )
        del self.package_groups[arn]
        self.package_versions.pop(arn, None)
        self.package_group_policies.pop(arn, None)
        self.forget_tags(arn)

    def _registry_arn(self, kind: str, name_or_arn: str) -> str:
        return name_or_arn if name_or_arn.startswith("arn:") else self.resource_arn(kind, name_or_arn)
