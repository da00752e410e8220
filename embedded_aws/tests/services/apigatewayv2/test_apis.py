"""HTTP APIs of the running embedded AWS: routes, authorization, throttling."""

from __future__ import annotations

import json
import uuid

import pytest
from botocore.exceptions import ClientError

from functions_kit import Functions, expect_error, package, send

ECHO = "def handler(event, context): return event"
ACCOUNT = "arn:aws:iam::123456789012"


class Api:
    """An API with a stage `$default`."""

    def __init__(self, aws, **stage):
        self.aws, self.functions, self.client = aws, Functions(aws), aws.client("apigatewayv2")
        api = self.client.create_api(Name=f"api-{uuid.uuid4().hex[:8]}", ProtocolType="HTTP")
        self.id = api["ApiId"]
        self.url = f"http://{self.id}.execute-api.us-east-1.localhost:{aws.port}"
        assert api["ApiEndpoint"] == f"https://{self.id}.execute-api.us-east-1.amazonaws.com"
        self.client.create_stage(ApiId=self.id, StageName="$default", AutoDeploy=True, **stage)

    def route(self, key: str, function: str, grant: str | None = "*/*", **settings) -> str:
        """Create a route to a function. grant: stage, method and path that the function's policy allows."""
        arn = self.functions.client.get_function(FunctionName=function)["Configuration"]["FunctionArn"]
        integration = self.client.create_integration(
            ApiId=self.id,
            IntegrationType="AWS_PROXY",
            IntegrationUri=arn,
            PayloadFormatVersion="2.0",
            **settings.pop("integration", {}),
        )
        target = f"integrations/{integration['IntegrationId']}"
        if grant:
            self.functions.client.add_permission(
                FunctionName=function,
                StatementId=uuid.uuid4().hex,
                Action="lambda:InvokeFunction",
                Principal="apigateway.amazonaws.com",
                SourceArn=f"arn:aws:execute-api:us-east-1:123456789012:{self.id}/{grant}",
            )
        return self.client.create_route(ApiId=self.id, RouteKey=key, Target=target, **settings)["RouteId"]

    def send(self, path: str, *arguments, **settings):
        return send(self.url + path, *arguments, service="execute-api", **settings)


def test_route_calls_its_function_if_the_policy_allows_it(embedded_aws):
    api = Api(embedded_aws)
    name = api.functions.create(ECHO)
    api.route("POST /predict/{model}", name, grant="*/GET/*")
    posted = ("/predict/best?top=3", "POST", b'{"n": 1}')
    status, _, body = api.send(*posted, Content_Type="application/json")
    assert (status, json.loads(body)) == (500, {"message": "Internal Server Error"})
    api.functions.client.add_permission(
        FunctionName=name,
        StatementId="route",
        Action="lambda:InvokeFunction",
        Principal="apigateway.amazonaws.com",
        SourceArn=f"arn:aws:execute-api:us-east-1:123456789012:{api.id}/*/POST/predict/*",
    )
    status, headers, body = api.send(*posted, Content_Type="application/json", Cookie="k=v")
    event = json.loads(body)
    assert (status, headers["content-type"]) == (200, "application/json")
    context = event["requestContext"]
    assert headers["apigw-requestid"] == context["requestId"]
    assert (
        (event["version"], event["routeKey"])
        == ("2.0", "POST /predict/{model}")
        == ("2.0", context["routeKey"])
    )
    assert (event["rawPath"], event["pathParameters"]) == ("/predict/best", {"model": "best"})
    assert (event["body"], event["isBase64Encoded"], event["cookies"]) == ('{"n": 1}', False, ["k=v"])
    assert (context["accountId"], context["apiId"], context["stage"]) == ("123456789012", api.id, "$default")
    assert context["domainName"] == f"{api.id}.execute-api.us-east-1.localhost"
    for path, method in (("/predict/best", "GET"), ("/other", "POST")):
        status, _, body = api.send(path, method)
        assert (status, json.loads(body)) == (404, {"message": "Not Found"})
    assert api.send("/predict/best", "POST", Origin="http://a.page")[0] == 403
    api.client.delete_api(ApiId=api.id)
    assert api.send(*posted)[0] == 404


def test_results_and_errors_become_http_responses(embedded_aws):
    api = Api(embedded_aws)
    name = api.functions.create("def handler(event, context): return {'statusCode': 418, 'body': 'tea'}")
    api.route("$default", name)
    status, headers, body = api.send("/any/where")
    assert (status, headers["content-type"], body) == (418, "text/plain; charset=utf-8", b"tea")
    update = api.functions.client.update_function_code
    for source in ("raise ValueError('secret')", "return {'statusCode': 'x'}"):
        update(FunctionName=name, ZipFile=package(f"def handler(e, c): {source}"))
        assert api.send("/")[0::2] == (500, b'{"message": "Internal Server Error"}')
    api.functions.client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    assert api.send("/")[0::2] == (503, b'{"message": "Service Unavailable"}')
    assert api.send("/", "POST", b"x" * (5 << 20))[0] == 413  # more than 6 MB in base64


def test_integration_timeout_returns_503(embedded_aws):
    api = Api(embedded_aws)
    name = api.functions.create("import time\ndef handler(e, c): time.sleep(2)", Timeout=3)
    api.route("$default", name, integration={"TimeoutInMillis": 200})
    assert api.send("/")[0::2] == (503, b'{"message": "Service Unavailable"}')


def test_iam_route_needs_a_signature_and_a_permission(embedded_aws):
    api = Api(embedded_aws)
    route = api.route("POST /predict", api.functions.create(ECHO), AuthorizationType="AWS_IAM")
    assert api.send("/predict", "POST")[0::2] == (403, b'{"message": "Forbidden"}')
    trust = {
        "Statement": {"Effect": "Allow", "Principal": {"AWS": "123456789012"}, "Action": "sts:AssumeRole"}
    }
    trust["Version"] = "2012-10-17"
    role = api.functions.role(["sts:GetCallerIdentity"], trust).rsplit("/", 1)[1]
    keys = embedded_aws.session_of(role)

    def allow(method: str) -> None:
        resource = f"arn:aws:execute-api:us-east-1:123456789012:{api.id}/$default/{method}/predict"
        statement = {"Effect": "Allow", "Action": "execute-api:Invoke", "Resource": resource}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        api.functions.iam.put_role_policy(RoleName=role, PolicyName="p", PolicyDocument=policy)

    allow("GET")
    assert api.send("/predict", "POST", keys=keys)[0] == 403
    allow("POST")
    status, _, body = api.send("/predict", "POST", b"x", keys=keys)
    assert status == 200
    iam = json.loads(body)["requestContext"]["authorizer"]["iam"]
    assert iam["userArn"].endswith(f":assumed-role/{role}/test") and iam["accountId"] == "123456789012"
    assert (
        send(f"{api.url}/predict", "POST", keys=keys, service="lambda")[0] == 403
    )  # signed for another service
    api.client.update_route(ApiId=api.id, RouteId=route, AuthorizationType="NONE")
    assert api.send("/predict", "POST")[0] == 200


def test_stage_and_route_throttle_requests(embedded_aws):
    few = {"ThrottlingBurstLimit": 2, "ThrottlingRateLimit": 0.001}
    api = Api(embedded_aws, DefaultRouteSettings=few)
    name = api.functions.create(ECHO)
    api.route("GET /a", name)
    api.route("GET /b", name)
    statuses = [api.send("/a")[0] for _ in range(3)]
    assert statuses == [200, 200, 429]
    assert api.send("/a")[2] == b'{"message": "Too Many Requests"}'
    assert api.send("/b")[0] == 200
    none = {"ThrottlingBurstLimit": 0, "ThrottlingRateLimit": 0}
    where = {"ApiId": api.id, "StageName": "$default"}
    updated = api.client.update_stage(**where, RouteSettings={"GET /b": none}, StageVariables={"a": "1"})
    assert updated["DefaultRouteSettings"]["ThrottlingBurstLimit"] == 2 and updated["AutoDeploy"]
    assert api.send("/b")[0] == 429
    api.client.delete_route_settings(**where, RouteKey="GET /b")
    status, _, body = api.send("/b")
    assert (status, json.loads(body)["stageVariables"]) == (200, {"a": "1"})


def test_named_stage_has_a_path_prefix(embedded_aws):
    api = Api(embedded_aws)
    api.route("GET /a", api.functions.create(ECHO), grant="v1/GET/a")
    api.client.create_stage(ApiId=api.id, StageName="v1", AutoDeploy=True)
    status, _, body = api.send("/v1/a")
    assert (status, json.loads(body)["rawPath"], json.loads(body)["routeKey"]) == (200, "/v1/a", "GET /a")
    assert api.send("/a")[0] == 500  # the policy allows the stage v1 only


def test_unsupported_settings_are_refused(embedded_aws):
    api = Api(embedded_aws)
    client, here = api.client, {"ApiId": api.id}
    uri = "arn:aws:lambda:us-east-1:123456789012:function:f"
    proxy = {**here, "IntegrationType": "AWS_PROXY", "IntegrationUri": uri}
    jwt = {**here, "AuthorizerType": "JWT", "IdentitySource": ["$request.header.Authorization"], "Name": "j"}
    for call, arguments in (
        (client.create_api, {"Name": "w", "ProtocolType": "WEBSOCKET", "RouteSelectionExpression": "$r"}),
        (
            client.create_integration,
            {**here, "IntegrationType": "HTTP_PROXY", "IntegrationUri": "https://a.example"},
        ),
        (client.create_integration, {**proxy, "PayloadFormatVersion": "1.0"}),
        (
            client.create_integration,
            {**proxy, "PayloadFormatVersion": "2.0", "CredentialsArn": f"{ACCOUNT}:role/r"},
        ),
        (client.create_authorizer, jwt),
        (
            client.create_route,
            {**here, "RouteKey": "GET /a", "AuthorizationType": "JWT", "AuthorizerId": "j"},
        ),
        (client.create_stage, {**here, "StageName": "manual"}),
        (client.create_deployment, here),
    ):
        with pytest.raises(ClientError) as error:
            call(**arguments)
        assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 501, arguments
        assert error.value.response["Error"]["Code"] == "NotImplementedException"
    expect_error("BadRequestException", client.create_integration, **proxy)
    expect_error("BadRequestException", client.create_route, **here, RouteKey="predict")
    expect_error("BadRequestException", client.create_stage, **here, StageName="$default", AutoDeploy=True)


def test_operations_are_authorized_by_method_and_path(embedded_aws):
    api = Api(embedded_aws)
    trust = {
        "Statement": {"Effect": "Allow", "Principal": {"AWS": "123456789012"}, "Action": "sts:AssumeRole"}
    }
    role = api.functions.role(["none:None"], {"Version": "2012-10-17", **trust}).rsplit("/", 1)[1]
    statement = {
        "Effect": "Allow",
        "Action": "apigateway:GET",
        "Resource": f"arn:aws:apigateway:us-east-1::/apis/{api.id}/stages/$default",
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    api.functions.iam.put_role_policy(RoleName=role, PolicyName="p", PolicyDocument=policy)
    client = embedded_aws.client("apigatewayv2", **embedded_aws.session_of(role))
    assert client.get_stage(ApiId=api.id, StageName="$default")["AutoDeploy"]
    expect_error("AccessDeniedException", client.get_api, ApiId=api.id)
    answer = expect_error("AccessDeniedException", client.delete_stage, ApiId=api.id, StageName="$default")
    assert "apigateway:DELETE" in answer["Error"]["Message"]
