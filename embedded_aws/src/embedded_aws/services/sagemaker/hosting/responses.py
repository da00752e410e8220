"""SageMaker's operations on models, endpoint configurations and endpoints."""

from __future__ import annotations

from moto.core.responses import ActionResult, EmptyResult

from embedded_aws.services.sagemaker.requests import Response, page, validated


class ModelResponse(Response):
    def create_model(self) -> ActionResult:
        return ActionResult({"ModelArn": self.sagemaker_backend.create_hosted_model(validated(self))})

    def describe_model(self) -> ActionResult:
        return ActionResult(self.sagemaker_backend.hosted_model(validated(self)["ModelName"]))

    def list_models(self) -> ActionResult:
        models = [
            {key: model[key] for key in ("ModelName", "ModelArn", "CreationTime")}
            for model in self.sagemaker_backend.hosted_models.values()
        ]
        return ActionResult(page(models, validated(self), "Models", "ModelName"))

    def delete_model(self) -> ActionResult:
        self.sagemaker_backend.delete_hosted_model(validated(self)["ModelName"])
        return EmptyResult()


class EndpointConfigResponse(Response):
    def create_endpoint_config(self) -> ActionResult:
        return ActionResult(
            {"EndpointConfigArn": self.sagemaker_backend.create_hosted_config(validated(self))}
        )

    def describe_endpoint_config(self) -> ActionResult:
        return ActionResult(self.sagemaker_backend.hosted_config(validated(self)["EndpointConfigName"]))

    def list_endpoint_configs(self) -> ActionResult:
        configs = [
            {key: config[key] for key in ("EndpointConfigName", "EndpointConfigArn", "CreationTime")}
            for config in self.sagemaker_backend.hosted_configs.values()
        ]
        return ActionResult(page(configs, validated(self), "EndpointConfigs", "EndpointConfigName"))

    def delete_endpoint_config(self) -> ActionResult:
        self.sagemaker_backend.delete_hosted_config(validated(self)["EndpointConfigName"])
        return EmptyResult()


class EndpointResponse(Response):
    def create_endpoint(self) -> ActionResult:
        return ActionResult({"EndpointArn": self.sagemaker_backend.create_hosted_endpoint(validated(self))})

    def describe_endpoint(self) -> ActionResult:
        return ActionResult(self.sagemaker_backend.described_endpoint(validated(self)["EndpointName"]))

    def update_endpoint(self) -> ActionResult:
        return ActionResult({"EndpointArn": self.sagemaker_backend.update_hosted_endpoint(validated(self))})

    def update_endpoint_weights_and_capacities(self) -> ActionResult:
        request = validated(self)
        arn = self.sagemaker_backend.resize_hosted_endpoint(
            request["EndpointName"], request["DesiredWeightsAndCapacities"]
        )
        return ActionResult({"EndpointArn": arn})

    def list_endpoints(self) -> ActionResult:
        members = ("EndpointName", "EndpointArn", "CreationTime", "LastModifiedTime", "EndpointStatus")
        endpoints = [
            {key: endpoint[key] for key in members}
            for endpoint in self.sagemaker_backend.hosted_endpoints.values()
        ]
        return ActionResult(page(endpoints, validated(self), "Endpoints", "EndpointName"))

    def delete_endpoint(self) -> ActionResult:
        self.sagemaker_backend.delete_hosted_endpoint(validated(self)["EndpointName"])
        return EmptyResult()


class HostingResponse(ModelResponse, EndpointConfigResponse, EndpointResponse):
    """All operations of hosting."""
