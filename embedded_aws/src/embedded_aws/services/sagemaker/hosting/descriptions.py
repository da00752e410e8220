"""Descriptions of endpoints as DescribeEndpoint returns them."""

from __future__ import annotations

from typing import Any

from embedded_aws.services.sagemaker.hosting.fleet import Fleet

INTERNAL = ("Deployed", "Pending", "AsyncQueue")  # members of a record that DescribeEndpoint does not return


def endpoint(record: dict[str, Any], fleet: Fleet | None) -> dict[str, Any]:
    """Return the answer of DescribeEndpoint. fleet: the one that serves."""
    answer = {k: v for k, v in record.items() if k not in INTERNAL}
    deployed = record["Deployed"]
    if not deployed:
        return answer
    for member, kind in (("ProductionVariants", "Variants"), ("ShadowProductionVariants", "ShadowVariants")):
        if found := deployed.get(kind):
            answer[member] = [_variant(v, fleet.count(v["VariantName"]) if fleet else 0) for v in found]
    if capture := deployed.get("DataCaptureConfig"):
        answer["DataCaptureConfig"] = _capture(capture)
    if inference := deployed.get("AsyncInferenceConfig"):
        answer["AsyncInferenceConfig"] = inference
    if pending := record["Pending"]:
        answer["PendingDeploymentSummary"] = {
            "EndpointConfigName": pending["EndpointConfigName"],
            "StartTime": record["LastModifiedTime"],
        }
    return answer


def _variant(variant: dict[str, Any], count: int) -> dict[str, Any]:
    image = variant["Container"]["Image"]
    if serverless := variant.get("ServerlessConfig"):
        capacity = {
            "CurrentInstanceCount": 0,
            "CurrentServerlessConfig": serverless,
            "DesiredServerlessConfig": variant.get("DesiredServerlessConfig", serverless),
        }
    else:
        capacity = {
            "CurrentInstanceCount": count,
            "DesiredInstanceCount": variant["DesiredInstanceCount"],
        }
    return {
        "VariantName": variant["VariantName"],
        "DeployedImages": [
            {
                "SpecifiedImage": image,
                "ResolvedImage": image,
                "ResolutionTime": variant["ResolutionTime"],
            }
        ],
        "CurrentWeight": variant["CurrentWeight"],
        "DesiredWeight": variant["DesiredWeight"],
        **capacity,
    }


def _capture(config: dict[str, Any]) -> dict[str, Any]:
    enabled = config.get("EnableCapture", False)
    summary = {
        "EnableCapture": enabled,
        "CaptureStatus": "Started" if enabled else "Stopped",
        "CurrentSamplingPercentage": config["InitialSamplingPercentage"],
        "DestinationS3Uri": config["DestinationS3Uri"],
        "KmsKeyId": config.get("KmsKeyId"),
    }
    return {key: value for key, value in summary.items() if value is not None}
