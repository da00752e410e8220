"""Operations that moto answers with invented success, and that the embedded AWS therefore refuses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from moto.core.utils import camelcase_to_underscores

# What would run something (moto says it has run), would act on what no job here can, or would describe either; Search would
# not find what is ours.
REFUSED = (
    "CreateProcessingJob",
    "DescribeProcessingJob",
    "StopProcessingJob",
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


# A Response mixin whose methods become HTTP 501 NotImplementedException. The List operations of these kinds stay: there
# are none, which is true, and a sweep for leftovers asks.
RefusedOperations = type(
    "RefusedOperations", (), {camelcase_to_underscores(name): _refuse(name) for name in REFUSED}
)
