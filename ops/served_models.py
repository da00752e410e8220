"""The model versions that an endpoint has served well, newest first: what a rollback returns to.

Stack serving creates the SSM parameter. Its value is written after the checks of a deployment: Terraform takes an update
that SageMaker has rolled back for a success.
"""

from __future__ import annotations

from datetime import datetime, timezone

from botocore.exceptions import ClientError
from pydantic import BaseModel

from ops import endpoint_history
from ops.aws import error_code
from ops.documents import UnreadableDocument, decode
from ops.environment import Environment
from ops.live_endpoint import LiveEndpoint
from ops.outputs import parameter

KEPT = 10  # versions; the parameter holds 4 KB
REASON_LENGTH = 500


class ServedModel(BaseModel):
    """A version that passed the checks of its deployment.

    at: when, in UTC.
    other_data: how the data it was trained on differed from the current data set, if that was allowed; else empty.
    """

    package: str
    at: datetime
    other_data: str = ""


class FailedDeployment(BaseModel):
    """The last deployment, if it failed. at: when, in UTC."""

    package: str
    at: datetime
    reason: str


class ServedModels(BaseModel):
    """The versions that served well, newest first, each once; and the last deployment if it failed."""

    served: list[ServedModel] = []
    failed: FailedDeployment | None = None

    @property
    def packages(self) -> list[str]:
        """ARNs of the model packages, newest first."""
        return [model.package for model in self.served]

    def with_success(self, package: str, *, rollback: bool = False, other_data: str = "") -> ServedModels:
        """Return the history after a deployment that passed its checks.

        rollback: forget the newer versions, so that the next rollback goes further back.
        other_data: as of `ServedModel`.
        """
        again = {"other_data": other_data, "at": _now()} if other_data else {}
        served = [
            model.model_copy(update=again) if model.package == package else model for model in self.served
        ]
        if package in self.packages[:1]:  # other settings, same model
            return ServedModels(served=served)
        if rollback and package in self.packages:
            return ServedModels(served=served[self.packages.index(package) :])
        others = [model for model in served if model.package != package]
        return ServedModels(
            served=[ServedModel(package=package, at=_now(), other_data=other_data), *others][:KEPT]
        )

    def with_failure(self, package: str, reason: str) -> ServedModels:
        """Return the history after a deployment that failed."""
        failed = FailedDeployment(package=package, at=_now(), reason=reason[:REASON_LENGTH])
        return self.model_copy(update={"failed": failed})

    def rollback_candidates(self, live: LiveEndpoint | None, attempted: str | None) -> list[str]:
        """Return the model packages that a rollback may deploy, the best first. All of them have served well.

        The version in service comes first if SageMaker itself has rolled the last deployment back to it: the rollback
        then only removes what that deployment left.

        attempted: the package of the last deployment, whether it succeeded or not; None if there was none.
        """
        packages = self.packages
        if live is None or live.status != "InService":  # nothing serves: the last version rather than none
            return sorted(packages, key=lambda package: package == attempted)
        if live.package not in packages:
            return packages
        position = packages.index(live.package)
        rolled_back = attempted not in (None, live.package)
        return packages[position if rolled_back else position + 1 :]


def history(env: Environment, endpoint: str, live: LiveEndpoint | None) -> ServedModels:
    """Return the history of an endpoint.

    If the parameter is missing or not valid, it is derived from the kept endpoint configurations: those newer than the
    live one failed.
    """
    content = _read(env, endpoint)
    if content is None:
        return _derived(env, endpoint, live)
    try:
        return decode(ServedModels, content, what=_parameter(env, endpoint), remedy="run ./inv deploy")
    except UnreadableDocument:
        return _derived(env, endpoint, live)


def write(env: Environment, endpoint: str, models: ServedModels) -> None:
    """Write the history, if stack serving has created the parameter: another one would be in Terraform's way."""
    if _read(env, endpoint) is not None:
        env.client("ssm").put_parameter(
            Name=_parameter(env, endpoint), Value=models.model_dump_json(), Type="String", Overwrite=True
        )


def _derived(env: Environment, endpoint: str, live: LiveEndpoint | None) -> ServedModels:
    kept = endpoint_history.kept(env, endpoint, live)
    names = [f"{endpoint}-{configuration['key']}" for configuration in kept]
    first = names.index(live.config) if live and live.config in names else 0
    packages = [configuration["variants"][0]["model_package_arn"] for configuration in kept[first:]]
    return ServedModels(served=[ServedModel(package=p, at=_now()) for p in dict.fromkeys(packages)])


def _read(env: Environment, endpoint: str) -> str | None:
    try:
        answer = env.client("ssm").get_parameter(Name=_parameter(env, endpoint))
    except ClientError as error:
        if error_code(error) == "ParameterNotFound":
            return None
        raise
    return str(answer["Parameter"]["Value"])


def _parameter(env: Environment, endpoint: str) -> str:
    return parameter(env.settings, f"served_models/{endpoint}")


def _now() -> datetime:
    return datetime.now(timezone.utc).replace(microsecond=0)
