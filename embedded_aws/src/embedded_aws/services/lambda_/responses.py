"""Lambda's operations: moto's responses, completed, and corrected where they ignore the qualifier."""

from __future__ import annotations

import base64
import json
import re
import uuid
from typing import Any
from urllib.parse import parse_qs, unquote

from moto.awslambda.models import FunctionUrlConfig
from moto.awslambda.responses import LambdaResponse
from moto.core.responses import TYPE_RESPONSE  # type: ignore[attr-defined]
from moto.core.utils import get_service_model

from embedded_aws.services.lambda_.backend import EmbeddedLambdaBackend
from embedded_aws.services.lambda_.exceptions import InvalidRequestContentException, ResourceConflictException
from embedded_aws.services.lambda_.function import check_specification
from embedded_aws.services.lambda_.pool import ACCOUNT_CONCURRENCY
from embedded_aws.services.lambda_.service import LambdaService
from embedded_aws.services.lambda_.urls import address
from embedded_aws.services.lambda_.versions import LATEST


def paths() -> list[str]:
    """Return a URL pattern of moto's for every operation of the API.

    moto has patterns for some operations only; a request for another one would get no clear error.
    """
    model = get_service_model("lambda")
    uris = {model.operation_model(name).http["requestUri"].split("?")[0] for name in model.operation_names}
    return sorted("{0}" + re.sub(r"\{(\w+)\+?\}", r"(?P<\1>[^/]+)", uri) + "/?$" for uri in uris)


class EmbeddedLambdaResponse(LambdaResponse):
    """moto's responses, with ours in front. Bodies stay bytes: only the function interprets its payload."""

    use_raw_body = True
    backend: EmbeddedLambdaBackend
    request_id = ""

    @property
    def service(self) -> LambdaService:
        return self.backend.runtime.get(LambdaService)

    @property
    def reference(self) -> str:
        """The function in the request's path: a name or an ARN, with or without a qualifier."""
        return unquote(self.path.split("/functions/", 1)[1].split("/")[0])

    @property
    def qualifier(self) -> str | None:
        """The qualifier in the query string. moto would also look for it in the payload."""
        return self._query("Qualifier")

    def _query(self, name: str) -> str | None:
        return parse_qs(self.parsed_url.query).get(name, [None])[0]

    def call_action(self) -> TYPE_RESPONSE:
        status, headers, body = super().call_action()
        if self.request_id:
            headers["x-amzn-requestid"] = self.request_id
        return status, headers, body

    # Invocation

    def invoke(self) -> TYPE_RESPONSE:
        invocation_type = self.headers.get("X-Amz-Invocation-Type", "RequestResponse")
        payload = self.raw_body
        if invocation_type == "DryRun":
            self.service.check(self.region, self.reference, self.qualifier, payload, invocation_type)
            return _response(204)
        if invocation_type == "Event":
            self.request_id = self.service.submit(self.region, self.reference, self.qualifier, payload)
            return _response(202)
        self.request_id = str(uuid.uuid4())
        client_context = _client_context(self.headers.get("X-Amz-Client-Context", ""))
        response = self.service.invoke(
            self.region, self.reference, self.qualifier, payload, client_context, self.request_id
        )
        headers = {"content-type": "application/json", "X-Amz-Executed-Version": response.executed_version}
        if response.function_error:
            headers["X-Amz-Function-Error"] = response.function_error
        if self.headers.get("X-Amz-Log-Type") == "Tail":
            headers["X-Amz-Log-Result"] = base64.b64encode(response.log_tail).decode()
        return _response(200, response.payload, headers)

    def invoke_async(self) -> TYPE_RESPONSE:
        self.request_id = self.service.submit(self.region, self.reference, None, self.raw_body)
        return _response(202, {"Status": 202})

    # Functions, versions, aliases. A change may change which environments must run: see `_changed`.

    def create_function(self) -> TYPE_RESPONSE:
        check_specification(self.json_body)
        self.service.check_role(self.json_body["Role"], self.region)
        configuration = self.backend.create_function(self.json_body).get_configuration(on_create=True)
        return self._changed(201, configuration)

    def get_function(self) -> TYPE_RESPONSE:  # type: ignore[override]
        name, qualifier = self.backend.split(self.reference, self.qualifier)
        response = self.backend.get_function(name, qualifier).get_code()
        response["Configuration"] = self._qualified(response["Configuration"], name, qualifier)
        latest = self.backend.latest(name)
        response.pop("Concurrency", None)
        if latest.reserved_concurrency is not None:
            response["Concurrency"] = {"ReservedConcurrentExecutions": latest.reserved_concurrency}
        return _response(200, response)

    def get_function_configuration(self) -> TYPE_RESPONSE:  # type: ignore[override]
        name, qualifier = self.backend.split(self.reference, self.qualifier)
        configuration = self.backend.get_function(name, qualifier).get_configuration()
        return _response(200, self._qualified(configuration, name, qualifier))

    def _qualified(self, configuration: dict[str, Any], name: str, qualifier: str | None) -> dict[str, Any]:
        """Put the requested ARN into a configuration: an alias stays an alias."""
        arn = self.backend.latest(name).unqualified_arn
        return configuration | {"FunctionArn": f"{arn}:{qualifier}" if qualifier else arn}

    def update_function_code(self) -> TYPE_RESPONSE:
        return self._changed(200, self.backend.update_function_code(self.reference, None, self.json_body))

    def update_function_configuration(self) -> TYPE_RESPONSE:
        body = self.json_body
        if "Role" in body:
            self.service.check_role(body["Role"], self.region)
        return self._changed(200, self.backend.update_function_configuration(self.reference, None, body))

    def delete_function(self) -> TYPE_RESPONSE:
        self.backend.delete_function(self.reference, self.qualifier)
        return self._changed(204)

    def publish_version(self) -> TYPE_RESPONSE:
        body = json.loads(self.raw_body or b"{}")
        version = self.backend.publish_version(
            self.reference,
            body.get("Description") or "",
            body.get("CodeSha256") or "",
            body.get("RevisionId") or "",
        )
        return self._changed(201, version.get_configuration())

    def create_alias(self) -> TYPE_RESPONSE:
        body = self.json_body
        alias = self.backend.create_alias(
            body["Name"],
            self.reference,
            body["FunctionVersion"],
            body.get("Description", ""),
            body.get("RoutingConfig"),
        )
        return self._changed(201, alias.to_json())

    def update_alias(self) -> TYPE_RESPONSE:
        body = self.json_body
        alias = self.backend.update_alias(
            self._last(),
            self.reference,
            body.get("FunctionVersion"),  # type: ignore[arg-type]
            body.get("Description"),  # type: ignore[arg-type]
            body.get("RoutingConfig"),
        )
        return self._changed(200, alias.to_json())

    def delete_alias(self) -> TYPE_RESPONSE:
        self.backend.delete_alias(self._last(), self.reference)
        return self._changed(204)

    # Resource policies

    def add_permission(self) -> TYPE_RESPONSE:  # type: ignore[override]
        statement = self.backend.add_permission(self.reference, self.qualifier, self.raw_body)
        return _response(201, {"Statement": json.dumps(statement)})

    def get_policy(self) -> str:
        return self.backend.get_policy(self.reference, self.qualifier)

    def remove_permission(self) -> TYPE_RESPONSE:
        revision = self._query("RevisionId") or ""
        self.backend.remove_permission(self.reference, self._last(), revision, self.qualifier)
        return _response(204)

    # Concurrency

    def put_function_concurrency(self) -> TYPE_RESPONSE:
        wanted = self.json_body["ReservedConcurrentExecutions"]
        reserved = self.backend.put_function_concurrency(self.reference, wanted)
        return _response(200, {"ReservedConcurrentExecutions": reserved})

    def get_function_concurrency(self) -> TYPE_RESPONSE:
        reserved = self.backend.latest(self.reference).reserved_concurrency
        return _response(200, {} if reserved is None else {"ReservedConcurrentExecutions": reserved})

    def delete_function_concurrency(self) -> TYPE_RESPONSE:
        self.backend.delete_function_concurrency(self.reference)
        return _response(204)

    def put_provisioned_concurrency_config(self) -> TYPE_RESPONSE:
        count = self.json_body["ProvisionedConcurrentExecutions"]
        record = self.backend.put_provisioned(self.reference, self.qualifier, count)
        return self._changed(
            202,
            {
                "RequestedProvisionedConcurrentExecutions": count,
                "AllocatedProvisionedConcurrentExecutions": 0,
                "AvailableProvisionedConcurrentExecutions": 0,
                "Status": "IN_PROGRESS",
                "LastModified": record["modified"],
            },
        )

    def get_provisioned_concurrency_config(self) -> TYPE_RESPONSE:
        key, _ = self.backend.get_provisioned(self.reference, self.qualifier)
        return _response(200, self.service.provisioned(self.backend, key))

    def list_provisioned_concurrency_configs(self) -> TYPE_RESPONSE:
        name, _ = self.backend.check_qualifier(self.reference, None)
        arn = self.backend.latest(name).unqualified_arn
        configs = [
            {"FunctionArn": f"{arn}:{key[1]}", **self.service.provisioned(self.backend, key)}
            for key in sorted(self.backend.provisioned)
            if key[0] == name
        ]
        return _response(200, {"ProvisionedConcurrencyConfigs": configs})

    def delete_provisioned_concurrency_config(self) -> TYPE_RESPONSE:
        key, _ = self.backend.get_provisioned(self.reference, self.qualifier)
        del self.backend.provisioned[key]
        return self._changed(204)

    def get_account_settings(self) -> TYPE_RESPONSE:
        latest = self.backend.latest_functions()
        reserved = sum(f.reserved_concurrency or 0 for f in latest)
        limit = {
            "TotalCodeSize": 80530636800,
            "CodeSizeUnzipped": 262144000,
            "CodeSizeZipped": 52428800,
            "ConcurrentExecutions": ACCOUNT_CONCURRENCY,
            "UnreservedConcurrentExecutions": ACCOUNT_CONCURRENCY - reserved,
        }
        usage = {"TotalCodeSize": sum(f.code_size for f in latest), "FunctionCount": len(latest)}
        return _response(200, {"AccountLimit": limit, "AccountUsage": usage})

    # Function URLs, one per function and per alias

    def create_function_url_config(self) -> TYPE_RESPONSE:
        name, qualifier = self.backend.check_qualifier(self.reference, self.qualifier)
        key = (name, qualifier or "")
        if key in self.backend.url_configs:
            arn = self.backend.latest(name).unqualified_arn
            raise ResourceConflictException(
                f"Failed to create function url config for [functionArn = {arn}]. Error message:  FunctionUrlConfig exists for this Lambda function"
            )
        self.backend.url_configs[key] = FunctionUrlConfig(self.backend.latest(name), self.json_body)
        return _response(201, self._url(key))

    def get_function_url_config(self) -> TYPE_RESPONSE:
        return _response(200, self._url(self._url_key()))

    def update_function_url_config(self) -> TYPE_RESPONSE:  # type: ignore[override]
        key = self._url_key()
        self.backend.url_configs[key].update(self.json_body)
        return _response(200, self._url(key))

    def delete_function_url_config(self) -> TYPE_RESPONSE:
        del self.backend.url_configs[self._url_key()]
        return _response(204)

    def list_function_url_configs(self) -> TYPE_RESPONSE:
        name, _ = self.backend.check_qualifier(self.reference, None)
        keys = sorted(key for key in self.backend.url_configs if key[0] == name)
        return _response(200, {"FunctionUrlConfigs": [self._url(key) for key in keys]})

    def _url_key(self) -> tuple[str, str]:
        self.backend.url_config(self.reference, self.qualifier)
        name, qualifier = self.backend.split(self.reference, self.qualifier)
        return name, qualifier or ""

    def _url(self, key: tuple[str, str]) -> dict[str, Any]:
        record = self.backend.url_configs[key].to_dict()
        if key[1]:
            record["FunctionArn"] += f":{key[1]}"
        record["InvokeMode"] = record["InvokeMode"].upper()
        record["FunctionUrl"] = address(record["FunctionUrl"], self.backend.runtime.port)
        return {name: value for name, value in record.items() if value is not None}

    # Asynchronous invocation

    def put_function_event_invoke_config(self) -> TYPE_RESPONSE:  # type: ignore[override]
        return self._put_invoke_config(merge=False)

    def update_function_event_invoke_config(self) -> TYPE_RESPONSE:  # type: ignore[override]
        return self._put_invoke_config(merge=True)

    def _put_invoke_config(self, merge: bool) -> TYPE_RESPONSE:
        config = self.backend.put_invoke_config(self.reference, self.qualifier, self.json_body, merge)
        return _response(200, config.response())

    def get_function_event_invoke_config(self) -> TYPE_RESPONSE:  # type: ignore[override]
        return _response(200, self.backend.invoke_config(self.reference, self.qualifier).response())

    def delete_function_event_invoke_config(self) -> TYPE_RESPONSE:
        self.backend.invoke_config(self.reference, self.qualifier)
        name, qualifier = self.backend.split(self.reference, self.qualifier)
        del self.backend.invoke_configs[name, qualifier or LATEST]
        return _response(204)

    def list_function_event_invoke_configs(self) -> TYPE_RESPONSE:  # type: ignore[override]
        name, _ = self.backend.check_qualifier(self.reference, None)
        configs = [c.response() for key, c in sorted(self.backend.invoke_configs.items()) if key[0] == name]
        return _response(200, {"FunctionEventInvokeConfigs": configs})

    def _last(self) -> str:
        return unquote(self.path.rstrip("/").rsplit("/", 1)[1])

    def _changed(self, status: int, body: dict[str, Any] | None = None) -> TYPE_RESPONSE:
        self.service.pool.changed()
        return _response(status, body)


def _client_context(encoded: str) -> str:
    """Return the JSON text in the header. Raises InvalidRequestContentException."""
    try:
        text = base64.b64decode(encoded, validate=True).decode()
        if text and not isinstance(json.loads(text), dict):
            raise ValueError("not a JSON object")
    except ValueError as error:
        raise InvalidRequestContentException(
            f"Client context must be a valid Base64-encoded JSON object: {error}"
        ) from error
    return text


def _response(
    status: int, body: dict[str, Any] | bytes | None = None, headers: dict[str, str] | None = None
) -> TYPE_RESPONSE:
    """Return a response. moto takes the status from the headers."""
    content = json.dumps(body) if isinstance(body, dict) else body or b""
    return status, {**(headers or {}), "status": str(status)}, content
