"""Attach several runs of Terraform to one provider process: each run otherwise starts the provider several times.

For runs that never configure the provider, such as `terraform test` with mocked AWS, or that all configure it alike: a
configuration applies to all runs that are attached.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from types import TracebackType

from ops.errors import OperatorError

_REATTACH = re.compile(r"TF_REATTACH_PROVIDERS='(.+)'")
# Becomes the provider, after it starts a process that terminates the provider when standard input closes. The operating
# system closes it when this process ends, even by SIGKILL.
_RUN = 'exec 3<&0 </dev/null; { read -r line <&3; kill "$$"; } >/dev/null & exec "$0" -debug 3<&-'


class SharedProvider:
    """A provider process, which ends with this one at the latest. A context manager that ends it.

    variables: environment variables that attach Terraform to the process.
    """

    def __init__(self, executable: Path, environment: dict[str, str]):
        self._executable = executable
        self._process = subprocess.Popen(
            ["/bin/sh", "-c", _RUN, executable],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # its log: a pipe that nobody reads would fill up and block it
            encoding="utf-8",
            errors="replace",
            start_new_session=True,  # Ctrl+C must not end it before Terraform has stopped
        )
        self.variables = {"TF_REATTACH_PROVIDERS": self._reattach_value()}

    def __enter__(self) -> SharedProvider:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End the process."""
        self._process.communicate()  # closes its standard input

    def _reattach_value(self) -> str:
        """Return the value that the provider prints once it accepts connections."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if found := _REATTACH.search(line):
                return found.group(1)
        code = self._process.wait()
        self.stop()
        raise OperatorError(f"The Terraform provider {self._executable} exited with {code} as it started.")


def installed(data: Path) -> Path | None:
    """Return the AWS provider that `terraform init` installed in a data folder, or None."""
    found = data.glob("providers/*/hashicorp/aws/*/*/terraform-provider-aws_v*")
    return next(iter(sorted(found)), None)
