"""Operations that the embedded AWS refuses, because moto would only pretend that they succeed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from moto.core.utils import camelcase_to_underscores

# They would run something, or act on or describe a resource that cannot exist here. Search would not find our resources.
REFUSED = (
    "CreateTransformJob",
    "DescribeTransformJob",
    "CreateCompilationJob",
    "DescribeCompilationJob",
    "DeleteCompilationJob",
    "CreateAutoMLJobV2",
    "DescribeAutoMLJobV2",
    "StopAutoMLJob",
    "CreatePipeline",
    "UpdatePipeline",
    "DescribePipeline",
    "DeletePipeline",
    "StartPipelineExecution",
    "DescribePipelineExecution",
    "DescribePipelineDefinitionForExecution",
    "ListPipelineExecutions",
    "ListPipelineParametersForExecution",
    "CreateDataQualityJobDefinition",
    "DescribeDataQualityJobDefinition",
    "DeleteDataQualityJobDefinition",
    "CreateModelQualityJobDefinition",
    "DescribeModelQualityJobDefinition",
    "DeleteModelQualityJobDefinition",
    "CreateModelBiasJobDefinition",
    "DescribeModelBiasJobDefinition",
    "DeleteModelBiasJobDefinition",
    "CreateModelExplainabilityJobDefinition",
    "DescribeModelExplainabilityJobDefinition",
    "DeleteModelExplainabilityJobDefinition",
    "CreateCluster",
    "DescribeCluster",
    "DescribeClusterNode",
    "DeleteCluster",
    "ListClusterNodes",
    "CreateFeatureGroup",
    "DescribeFeatureGroup",
    "Search",
)


def _refuse(operation: str) -> Callable[[Any], Any]:
    def handler(self: Any) -> Any:
        raise NotImplementedError(operation)

    return handler


# Its methods return HTTP 501 NotImplementedException. The List operations stay: an empty list is correct, and tools that
# look for leftover resources call them.
RefusedResponse = type(
    "RefusedResponse", (), {camelcase_to_underscores(name): _refuse(name) for name in REFUSED}
)
