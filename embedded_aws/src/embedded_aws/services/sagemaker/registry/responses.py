"""SageMaker's operations on model package groups and model packages."""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult, EmptyResult
from moto.sagemaker.exceptions import ValidationError

from embedded_aws.services.sagemaker.requests import Response, page, validated

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


class RegistryResponse(Response):
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
        """List unversioned packages, and versions only if a group or ModelPackageType is given, as on AWS."""
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
