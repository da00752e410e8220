"""Service models are parsed once, but for S3's, which its clients change."""

import boto3
import botocore.session
from botocore.loaders import Loader
from botocore.stub import Stubber


def uri(service: str, operation: str) -> str:
    model = botocore.session.get_session().get_service_model(service)
    return str(model.operation_model(operation).http["requestUri"])


def test_a_client_of_s3_does_not_change_the_paths_of_other_sessions():
    client = boto3.Session(region_name="us-east-1").client(
        "s3", aws_access_key_id="a", aws_secret_access_key="b"
    )
    with Stubber(client) as stub:
        stub.add_response("put_object", {})
        client.put_object(Bucket="b", Key="k")
    assert uri("s3", "PutObject") == "/{Bucket}/{Key+}"


def test_other_models_are_shared():
    sessions = [botocore.session.get_session() for _ in range(2)]
    files = [
        session.get_component("data_loader").load_service_model("sqs", "service-2") for session in sessions
    ]
    assert files[0]["operations"] is files[1]["operations"]


def test_the_list_of_services_is_shared_but_not_with_other_folders(tmp_path):
    sessions = [botocore.session.get_session() for _ in range(2)]
    first, second = (session.get_component("data_loader") for session in sessions)
    assert first.list_available_services("service-2") is second.list_available_services("service-2")
    (tmp_path / "mine" / "2026-01-01").mkdir(parents=True)
    (tmp_path / "mine" / "2026-01-01" / "service-2.json").write_text("{}")
    other = Loader(extra_search_paths=[str(tmp_path)])
    assert "mine" in other.list_available_services("service-2")
    assert "mine" not in first.list_available_services("service-2")
