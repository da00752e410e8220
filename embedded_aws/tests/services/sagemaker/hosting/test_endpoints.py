"""Records of endpoints."""

import pickle

from embedded_aws.runtime import Runtime
from embedded_aws.services.sagemaker.backend import EmbeddedSageMakerBackend
from embedded_aws.services.sagemaker.hosting.deployments import Deployments
from embedded_aws.services.servicequotas.quotas import Quotas


def test_records_can_be_pickled(monkeypatch, tmp_path):
    runtime = Runtime(home=tmp_path, port=1)
    runtime.add(Quotas(tmp_path))
    runtime.add(Deployments(runtime, None, None, None))
    monkeypatch.setattr(Deployments, "deploy", lambda *arguments: None)
    monkeypatch.setattr(EmbeddedSageMakerBackend, "runtime", runtime, raising=False)
    backend = EmbeddedSageMakerBackend("us-east-1", "123456789012")
    container = {"Image": "image", "Environment": {}}
    backend.create_hosted_model({"ModelName": "m", "ExecutionRoleArn": "arn", "PrimaryContainer": container})
    variant = {"VariantName": "v", "ModelName": "m", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    backend.create_hosted_config({"EndpointConfigName": "c", "ProductionVariants": [variant]})
    backend.create_hosted_endpoint({"EndpointName": "e", "EndpointConfigName": "c"})
    saved = pickle.loads(pickle.dumps(backend.hosted_endpoints))
    assert saved["e"]["Pending"]["Variants"][0]["DesiredWeight"] == 1.0
