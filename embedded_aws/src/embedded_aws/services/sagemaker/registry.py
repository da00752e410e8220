"""The model registry: model package groups and the packages in them."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from moto.core.responses import ActionResult, EmptyResult
from moto.sagemaker.exceptions import ConflictException, ValidationError

from embedded_aws.services.events import sagemaker as events
from embedded_aws.services.sagemaker.requests import Operations, page, validated
from embedded_aws.services.sagemaker.tags import TagStore

UPDATABLE = (
    "ModelApprovalStatus",
    "ApprovalDescription",
    "InferenceSpecification",
    "SourceUri",
    "ModelCard",
    "ModelLifeCycle",
)
PACKAGE_SUMMARY = (
    "ModelPackageName",
    "ModelPackageGroupName",
    "ModelPackageVersion",
    "ModelPackageArn",
    "ModelPackageDescription",
    "CreationTime",
    "ModelPackageStatus",
    "ModelApprovalStatus",
)
GROUP_SUMMARY = (
    "ModelPackageGroupName",
    "ModelPackageGroupArn",
    "ModelPackageGroupDescription",
    "CreationTime",
    "ModelPackageGroupStatus",
)


class RegistryBackend(TagStore):
    """Records by ARN, each what was asked plus what AWS adds."""

    def __init__(self, region_name: str, account_id: str):
        super().__init__(region_name, account_id)
        self.package_groups: dict[str, dict[str, Any]] = {}
        self.packages: dict[str, dict[str, Any]] = {}
        self.package_versions: dict[str, int] = {}  # the last number given in a group, deleted ones included
        self.package_group_policies: dict[str, str] = {}
        self.package_tokens: dict[str, str] = {}  # ARNs by ClientToken

    def package_group(self, name_or_arn: str) -> dict[str, Any]:
        """Raises ValidationException if there is none."""
        arn = self._registry_arn("model-package-group", name_or_arn)
        if arn not in self.package_groups:
            raise ValidationError(message=f"ModelPackageGroup {arn} does not exist.")
        return self.package_groups[arn]

    def package(self, name_or_arn: str) -> dict[str, Any]:
        """Raises ValidationException if there is none."""
        arn = self._registry_arn("model-package", name_or_arn)
        if arn not in self.packages:
            raise ValidationError(message=f"ModelPackage {arn} does not exist.")
        return self.packages[arn]

    def create_package_group(self, request: dict[str, Any]) -> str:
        """Returns the ARN."""
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
        """Returns the ARN: in a group of the next version, otherwise by a name of its own. A ClientToken that was there
        before makes nothing, and gives the ARN that it gave."""
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
            group = self.package_group(group_name)
            version = self.package_versions.get(group["ModelPackageGroupArn"], 0) + 1
            arn = self.resource_arn("model-package", f"{group['ModelPackageGroupName']}/{version}")
            self.package_versions[group["ModelPackageGroupArn"]] = version
            record["ModelPackageGroupName"] = group["ModelPackageGroupName"]
            record["ModelPackageVersion"] = version
            record.setdefault("ModelApprovalStatus", "PendingManualApproval")
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

    def update_package(self, request: dict[str, Any]) -> str:
        """Returns the ARN."""
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
        return record["ModelPackageArn"]

    def delete_package(self, name_or_arn: str) -> None:
        arn = self.package(name_or_arn)["ModelPackageArn"]
        del self.packages[arn]
        self.package_tokens = {token: of for token, of in self.package_tokens.items() if of != arn}
        self.forget_tags(arn)

    def delete_package_group(self, name_or_arn: str) -> None:
        """Raises ConflictException while packages are in it."""
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


class RegistryOperations(Operations):
    def create_model_package_group(self) -> ActionResult:
        return ActionResult(
            {"ModelPackageGroupArn": self.sagemaker_backend.create_package_group(validated(self))}
        )

    def describe_model_package_group(self) -> ActionResult:
        return ActionResult(self.sagemaker_backend.package_group(validated(self)["ModelPackageGroupName"]))

    def list_model_package_groups(self) -> ActionResult:
        groups = [_pick(group, GROUP_SUMMARY) for group in self.sagemaker_backend.package_groups.values()]
        return ActionResult(
            page(groups, validated(self), "ModelPackageGroupSummaryList", "ModelPackageGroupName")
        )

    def delete_model_package_group(self) -> ActionResult:
        self.sagemaker_backend.delete_package_group(validated(self)["ModelPackageGroupName"])
        return EmptyResult()

    def put_model_package_group_policy(self) -> ActionResult:
        request, backend = validated(self), self.sagemaker_backend
        arn = backend.package_group(request["ModelPackageGroupName"])["ModelPackageGroupArn"]
        backend.package_group_policies[arn] = request["ResourcePolicy"]
        return ActionResult({"ModelPackageGroupArn": arn})

    def get_model_package_group_policy(self) -> ActionResult:
        backend = self.sagemaker_backend
        arn = backend.package_group(validated(self)["ModelPackageGroupName"])["ModelPackageGroupArn"]
        if arn not in backend.package_group_policies:
            raise ValidationError(message=f"Cannot find Resource Policy for: {arn}")
        return ActionResult({"ResourcePolicy": backend.package_group_policies[arn]})

    def delete_model_package_group_policy(self) -> ActionResult:
        backend = self.sagemaker_backend
        arn = backend.package_group(validated(self)["ModelPackageGroupName"])["ModelPackageGroupArn"]
        backend.package_group_policies.pop(arn, None)
        return EmptyResult()

    def create_model_package(self) -> ActionResult:
        return ActionResult({"ModelPackageArn": self.sagemaker_backend.create_package(validated(self))})

    def describe_model_package(self) -> ActionResult:
        return ActionResult(self.sagemaker_backend.package(validated(self)["ModelPackageName"]))

    def update_model_package(self) -> ActionResult:
        return ActionResult({"ModelPackageArn": self.sagemaker_backend.update_package(validated(self))})

    def list_model_packages(self) -> ActionResult:
        """Versions are listed only when a group or ModelPackageType asks for them, as on AWS."""
        request, backend = validated(self), self.sagemaker_backend
        group, approval = request.get("ModelPackageGroupName"), request.get("ModelApprovalStatus")
        kind = request.get("ModelPackageType", "Versioned" if group else "Unversioned")
        if group:
            group = backend.package_group(group)["ModelPackageGroupName"]
        packages = [
            _pick(package, PACKAGE_SUMMARY)
            for package in backend.packages.values()
            if (kind == "Both" or (kind == "Versioned") == ("ModelPackageVersion" in package))
            and (group is None or package.get("ModelPackageGroupName") == group)
            and (approval is None or package.get("ModelApprovalStatus") == approval)
        ]
        return ActionResult(page(packages, request, "ModelPackageSummaryList", "ModelPackageArn"))

    def delete_model_package(self) -> ActionResult:
        self.sagemaker_backend.delete_package(validated(self)["ModelPackageName"])
        return EmptyResult()


def _pick(record: dict[str, Any], keys: tuple[str, ...]) -> dict[str, Any]:
    return {key: record[key] for key in keys if key in record}
