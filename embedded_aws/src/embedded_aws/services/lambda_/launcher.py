"""Starts execution environments: unpacks code and layers, assumes the role, builds the environment variables."""

from __future__ import annotations

from collections.abc import Callable

from embedded_aws.iam.trust import RoleNotAssumable
from embedded_aws.processes.isolation.container import refusal
from embedded_aws.processes.log_shipper import LogShipper, Stream
from embedded_aws.runtime import Runtime
from embedded_aws.services.lambda_ import code
from embedded_aws.services.lambda_.backend import backend_of
from embedded_aws.services.lambda_.environment import ExecutionEnvironment, Version
from embedded_aws.services.lambda_.exceptions import RoleCannotBeAssumed
from embedded_aws.services.lambda_.files import FunctionFiles
from embedded_aws.services.lambda_.function import EmbeddedFunction

PRINCIPAL = "lambda.amazonaws.com"


class Launcher:
    """Creates execution environments and ships their logs. `start` before the first `launch`."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._logs = LogShipper(runtime, "lambda-logs")

    def start(self) -> None:
        """Create the working folders."""
        self._code = self._runtime.folder("functions", "code")
        self._scratch = self._runtime.folder("functions", "environments")
        self._runtime_dir = code.runtime_folder(self._runtime.folder("functions", "runtime"))

    def launch(self, function: EmbeddedFunction, on_exit: Callable[[], None]) -> ExecutionEnvironment:
        """Create an environment for a version; its process is not started yet.

        on_exit: called when the process has ended.
        Raises RoleCannotBeAssumed.
        """
        files = self._files(function)
        logging = function.logging_config
        version = Version(
            function=function.unqualified_arn,
            version=str(function.version),
            handler=str(function.handler),
            runtime=str(function.run_time),
            memory=function.memory_size,
            timeout=function.timeout,
            files=files,
            variables=self._variables(function, files),
            json_logs=logging["LogFormat"] == "JSON",
        )

        def ship(stream: str, milliseconds: int, message: str) -> None:
            destination = Stream(
                function.region,
                function.role,
                logging["LogGroup"],
                stream,
                PRINCIPAL,
                function.function_name,
                function.unqualified_arn,
            )
            self._logs.add(destination, milliseconds, message)

        return ExecutionEnvironment(version, self._runtime.supervisor, self._scratch, ship, on_exit)

    def _files(self, function: EmbeddedFunction) -> FunctionFiles:
        """Unpack the code and the layers of a version, unless they are already."""
        backend = backend_of(function.region)
        layers = [backend.layers_versions_by_arn(layer["Arn"]) for layer in function.layers]
        unpacked = [code.unpack(x.code_bytes, x.code_digest, self._code) for x in layers if x]
        isolated = not refusal(self._runtime.supervisor)
        return FunctionFiles(
            task_root=code.unpack(function.code_bytes, function.code_digest, self._code),
            runtime_dir=self._runtime_dir,
            layers=unpacked,
            merged_layers=code.merge(unpacked, self._code) if isolated else None,
            storage=int(function.ephemeral_storage),
            home=self._runtime.home,
            isolated=isolated,
        )

    def _variables(self, function: EmbeddedFunction, files: FunctionFiles) -> dict[str, str]:
        """Return the environment variables of every process of a version. Raises RoleCannotBeAssumed."""
        try:
            keys = self._runtime.assume(
                function.role, PRINCIPAL, function.region, function.function_name, function.unqualified_arn
            )
        except RoleNotAssumable as error:
            raise RoleCannotBeAssumed() from error
        logging = function.logging_config
        own = files.variables(str(function.run_time))
        variables = {
            "PATH": "/usr/local/bin:/usr/bin:/bin:/opt/bin",
            "LANG": "en_US.UTF-8",
            "TZ": ":UTC",
            "PYTHONPATH": own["PYTHONPATH"],
            "AWS_ENDPOINT_URL": self._runtime.endpoint_url,
            "AWS_EC2_METADATA_DISABLED": "true",
            **function.environment_vars,
            **keys,
            "AWS_REGION": function.region,
            "AWS_DEFAULT_REGION": function.region,
            "AWS_EXECUTION_ENV": f"AWS_Lambda_{function.run_time}",
            "AWS_LAMBDA_FUNCTION_NAME": function.function_name,
            "AWS_LAMBDA_FUNCTION_VERSION": str(function.version),
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_size),
            "AWS_LAMBDA_LOG_GROUP_NAME": logging["LogGroup"],
            "LAMBDA_TASK_ROOT": own["LAMBDA_TASK_ROOT"],
            "LAMBDA_RUNTIME_DIR": own["LAMBDA_RUNTIME_DIR"],
            "_HANDLER": function.handler,
        }
        if logging["LogFormat"] == "JSON":
            variables["AWS_LAMBDA_LOG_FORMAT"] = "JSON"
            variables["AWS_LAMBDA_LOG_LEVEL"] = logging.get("ApplicationLogLevel", "INFO")
        return variables
