"""A job that runs in a thread of its own: what training and processing jobs have in common."""

from __future__ import annotations

import logging
import shutil
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Protocol

from embedded_aws.iam.trust import RoleNotAssumable
from embedded_aws.processes.isolation.container import Network, NotSupported, refusal
from embedded_aws.runtime import Runtime
from embedded_aws.services.sagemaker import roles
from embedded_aws.services.sagemaker.training.channels import Cancelled, JobFailure
from embedded_aws.services.sagemaker.training.cluster import Cluster
from embedded_aws.services.sagemaker.training.objects import RoleObjects

log = logging.getLogger(__name__)

STOP_GRACE = 120.0  # seconds between SIGTERM and SIGKILL, also at a spot interruption; as on AWS
VOLUME_INTERVAL = 2.0  # seconds between checks of the volumes
RENEW = 2400.0  # seconds after which a client gets new credentials, which expire after an hour
INTERNAL_ERROR = "InternalServerError: We encountered an internal error. Please try again."

# Terminal status; secondary status of a training job, if it differs; failure reason.
Ending = tuple[str, "str | None", "str | None"]


class Job(Protocol):
    """The record of a job."""

    request: dict[str, Any]
    region: str

    @property
    def name(self) -> str: ...


class Notes(Protocol):
    """Where the embedded AWS writes what a job's program should know."""

    def note(self, text: str) -> None: ...


class JobRun(ABC):
    """A running job. It keeps the job's record up to date."""

    kind: str
    """Folder of such jobs below the home of the embedded AWS."""

    def __init__(self, job: Job, runtime: Runtime, finish: Callable[[Ending], None]) -> None:
        """Start nothing yet.

        finish: called once, to set the record's terminal status.
        """
        self._record, self._runtime, self._finish = job, runtime, finish
        self._stop, self._halt = threading.Event(), threading.Event()
        self._full: int | None = None  # number of the instance whose volume is full
        self._cluster: Cluster | None = None
        self._clients: dict[str, tuple[float, Any]] = {}
        self._thread = threading.Thread(target=self._run, name=f"{self.kind} {job.name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Send SIGTERM, and SIGKILL after the grace period."""
        self._stop.set()
        if self._cluster:
            self._cluster.wake()

    def halt(self) -> None:
        """End the processes because the embedded AWS stops. The record stays InProgress."""
        self._halt.set()
        self.stop()

    def join(self, timeout: float) -> None:
        self._thread.join(timeout)

    @abstractmethod
    def _perform(self, folder: Path) -> Ending:
        """Run the job in a folder. Return the final status. Raises JobFailure or Cancelled."""

    def _run(self) -> None:
        ending = self._ending()
        shutil.rmtree(self._folder(), ignore_errors=True)
        if not self._halt.is_set():
            self._finish(ending)

    def _folder(self) -> Path:
        return self._runtime.folder(self.kind, self._record.region, self._record.name)

    def _ending(self) -> Ending:
        """Run the job. Return the final status."""
        ending: Ending
        try:
            ending = self._perform(self._folder())
        except Cancelled:
            ending = "Stopped", None, None
        except JobFailure as failure:
            ending = "Failed", None, str(failure)
        except RoleNotAssumable as error:  # the role changed after the job was created
            ending = "Failed", None, f"ClientError: {error}"
        except Exception:
            if not self._halt.is_set():
                log.exception("%s job %s", self.kind, self._record.name)
            ending = "Failed", None, INTERNAL_ERROR
        return ending

    def _isolate(self, network: ExitStack, notes: Notes, isolation: bool, outside: str) -> int | None:
        """If the job requests network isolation, create a network that exists until `network` closes.

        Returns the process that holds it, or None.

        isolation: whether the job requests it.
        outside: where a program without namespaces finds /opt/ml.
        """
        if reason := refusal(self._runtime.supervisor):
            notes.note(
                f"The program sees this machine's files, since this system does not allow namespaces ({reason}). "
                f"/opt/ml exists only {outside}."
            )
        if not isolation:
            return None
        try:
            holder = network.enter_context(Network(self._runtime.supervisor)).holder
        except NotSupported as error:
            notes.note(
                "Network isolation: the program has no credentials, but its connections are not blocked: this system "
                f"does not support network namespaces ({error})."
            )
            return None
        notes.note("Network isolation: the program has no credentials, and only the job's own network.")
        return holder

    def _grace(self) -> float:
        at_once = self._halt.is_set() or self._full is not None
        return 0.0 if at_once else STOP_GRACE / self._runtime.time_scale

    def _volume_full(self, size_gb: int | None) -> JobFailure:
        return JobFailure(
            f"AlgorithmError: [Errno 28] No space left on device: the program filled the volume of algo-{self._full} "
            f"(VolumeSizeInGB {size_gb}), exit code: 1"
        )

    def _objects(self) -> RoleObjects:
        role_arn, region = self._record.request["RoleArn"], self._record.region
        return RoleObjects(self._runtime, roles.assume(self._runtime, role_arn, region), region)

    def _client(self, name: str) -> Any:
        """Return a client that acts as the job's role."""
        created, client = self._clients.get(name, (0.0, None))
        if client is None or time.monotonic() - created > RENEW:
            client = roles.client(self._runtime, name, self._record.request["RoleArn"], self._record.region)
            self._clients[name] = time.monotonic(), client
        return client


def no_room(size_gb: int | None) -> JobFailure:
    """Return the failure of a job whose input fills the volume."""
    return JobFailure(
        "ClientError: Data download failed: Please ensure that there is enough disk space on the instance: "
        f"its volume has {size_gb} GB."
    )
