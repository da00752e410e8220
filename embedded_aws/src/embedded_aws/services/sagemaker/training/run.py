"""Runs one training job, from its input in S3 to its artifacts in S3."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from embedded_aws import child_environment
from embedded_aws.processes.isolation.container import refusal
from embedded_aws.runtime import Runtime
from embedded_aws.services.sagemaker import roles
from embedded_aws.services.sagemaker.job_run import INTERNAL_ERROR, VOLUME_INTERVAL, Ending, JobRun, no_room
from embedded_aws.services.sagemaker.training import addresses, channels, containers
from embedded_aws.services.sagemaker.training.artifacts import Artifacts, Checkpoints
from embedded_aws.services.sagemaker.training.channels import Cancelled, JobFailure
from embedded_aws.services.sagemaker.training.cluster import Cluster, Instance, threads_per_instance
from embedded_aws.services.sagemaker.training.disk import Disk
from embedded_aws.services.sagemaker.training.records import TrainingJob, now
from embedded_aws.services.sagemaker.training.reporting import OnMetric, Reporting
from embedded_aws.services.sagemaker.training.validation import DEFAULT_CHECKPOINTS
from embedded_aws.services.sagemaker.training.volume import Volumes

CHECKPOINT_INTERVAL = 3.0  # seconds

OnEnd = Callable[[TrainingJob], None]


class TrainingRun(JobRun):
    """A running training job."""

    kind = "training"

    def __init__(
        self,
        job: TrainingJob,
        runtime: Runtime,
        finish: Callable[[Ending], None],
        share: int = 1,
        on_metric: OnMetric | None = None,
    ) -> None:
        """Start nothing yet.

        finish: called once, to set the record's terminal status.
        share: number of such jobs that run at once, for the number of threads.
        on_metric: called with name and value of every metric in the log.
        """
        super().__init__(job, runtime, finish)
        self.job, self._share, self._on_metric = job, share, on_metric
        self._algorithm = job.request["AlgorithmSpecification"]
        self._interrupted = threading.Event()
        self._away = 0.0  # seconds without spot capacity

    def interrupt(self, away: float) -> None:
        """Interrupt the spot instances with AWS's notice. New ones start after `away` seconds."""
        self._away = away
        self._interrupted.set()
        if self._cluster:
            self._cluster.wake()

    def _ending(self) -> Ending:
        """Run the job, again after an internal error if its RetryStrategy says so."""
        retries = self.job.request.get("RetryStrategy", {}).get("MaximumRetryAttempts", 0)
        ending = super()._ending()
        while ending[2] == INTERNAL_ERROR and retries and not self._stop.is_set():
            retries -= 1
            self.job.restart()
            ending = super()._ending()
        return ending

    def _perform(self, folder: Path) -> Ending:
        """Run attempts until one is not interrupted. Return the final status."""
        count = self.job.request["ResourceConfig"]["InstanceCount"]
        home, isolated = self._runtime.home, not refusal(self._runtime.supervisor)
        try:
            block = addresses.reserve(count)
        except addresses.NoLoopbackNetwork as error:
            raise JobFailure(f"ClientError: {error}") from error
        try:
            while True:
                shutil.rmtree(folder)  # of the previous attempt, or of a run that a crash ended
                disks = [Disk(folder / f"algo-{n}", home, isolated) for n in range(1, count + 1)]
                instances = [Instance(disk, host) for disk, host in zip(disks, block.hosts, strict=True)]
                outcome = self._attempt(instances, block.master_port)
                if self._halt.is_set():
                    raise Cancelled
                if outcome is not None or self._stop.is_set() or not self._interrupted.is_set():
                    return self._upload(instances, outcome)
                if not self._await_capacity():
                    return "Stopped", "MaxWaitTimeExceeded", None
        finally:
            block.release()

    def _await_capacity(self) -> bool:
        """After an interruption, wait for new spot instances. Return False if MaxWaitTime ends first."""
        self.job.end_attempt()
        left = self._remaining()[0]
        if self._stop.wait(max(0.0, min(self._away, left))):
            raise Cancelled
        if self._away >= left:
            return False
        self._interrupted.clear()
        self.job.enter("Starting")
        return True

    def _remaining(self) -> tuple[float, str]:
        """Return the seconds until the job must stop, and its secondary status then."""
        limits = [(self.job.max_runtime - self.job.seconds, "MaxRuntimeExceeded")]
        if self.job.max_wait is not None:
            waited = (now() - self.job.creation_time).total_seconds()
            limits.append((self.job.max_wait - waited, "MaxWaitTimeExceeded"))
        return min(limits)

    def _attempt(self, instances: list[Instance], master_port: int) -> tuple[int, int] | None:
        """Download the input and run the program. Return the result of Cluster.wait."""
        job, request = self.job, self.job.request
        job.enter("Downloading")
        inputs = request.get("InputDataConfig", [])
        for channel in inputs:
            folders = [i.base / "input/data" / channel["ChannelName"] for i in instances]
            channels.download(
                self._objects(), channel, folders, request["RoleArn"], job.region, self._stop.is_set
            )
        volumes = Volumes([i.base for i in instances], request["ResourceConfig"].get("VolumeSizeInGB"))
        if volumes.full():
            raise no_room(volumes.size_gb)
        checkpoints = self._checkpoints(instances)
        if checkpoints:
            checkpoints.restore()
        mode = self._algorithm["TrainingInputMode"]
        for instance in instances:
            instance.configure(
                request.get("HyperParameters", {}),
                channels.input_data_config(inputs, mode),
                sorted(i.host for i in instances),
                request["ResourceConfig"]["InstanceType"],
            )
        if self._stop.is_set():
            raise Cancelled
        reporting = Reporting(
            job, len(instances), self._client("logs"), self._client("cloudwatch"), self._on_metric
        )
        with ExitStack() as network:
            isolation = request.get("EnableNetworkIsolation", False)
            outside = "in the variables SM_* and in paths of the request"
            holder = self._isolate(network, reporting, isolation, outside)
            return self._run_program(instances, master_port, reporting, checkpoints, volumes, holder)

    def _run_program(
        self,
        instances: list[Instance],
        master_port: int,
        reporting: Reporting,
        checkpoints: Checkpoints | None,
        volumes: Volumes,
        network: int | None,
    ) -> tuple[int, int] | None:
        """Run the program until it ends. Return the result of Cluster.wait.

        Log, metrics and checkpoints are complete when this returns.

        network: process whose network the program shares.
        """
        last_save = last_check = time.monotonic()

        def tick() -> None:
            nonlocal last_save, last_check
            if self._halt.is_set():
                reporting.drop()  # requests are no longer answered
                return
            reporting.flush()
            if checkpoints and time.monotonic() - last_save > CHECKPOINT_INTERVAL:
                checkpoints.save()
                last_save = time.monotonic()
            if self._full is None and time.monotonic() - last_check > VOLUME_INTERVAL:
                self._full = volumes.full()
                last_check = time.monotonic()

        environments = [self._environment(instance, len(instances), master_port) for instance in instances]
        commands = [i.disk.command(containers.command(self._algorithm, i.disk), network) for i in instances]
        self.job.begin_attempt()
        self._cluster = Cluster(self._runtime.supervisor, instances)
        try:
            self._cluster.start(commands, environments, reporting.line)
        except OSError as error:
            raise JobFailure(f"AlgorithmError: The entrypoint could not be started: {error}") from error
        deadline = time.monotonic() + self._remaining()[0]
        outcome = self._cluster.wait(deadline, self._ending_early, self._grace, tick)
        if self._halt.is_set():
            return outcome
        reporting.close()
        if self._full:
            raise self._volume_full(volumes.size_gb)
        if checkpoints:
            checkpoints.save()
        return outcome

    def _ending_early(self) -> bool:
        return self._stop.is_set() or self._interrupted.is_set() or self._full is not None

    def _upload(self, instances: list[Instance], outcome: tuple[int, int] | None) -> Ending:
        job = self.job
        exceeded = self._remaining()[1]
        job.enter("Uploading")
        artifacts = Artifacts(self._client("s3"), job.request["OutputDataConfig"], job.name)
        outputs = [instance.base / "output/data" for instance in instances]
        artifacts.upload("output", outputs)
        if outcome is not None and outcome[1]:
            number, status = outcome
            return "Failed", None, failure_reason(instances[number].base, status)
        job.artifacts_uri = artifacts.upload("model", [instance.base / "model" for instance in instances])
        if outcome is None:
            return "Stopped", None if self._stop.is_set() else exceeded, None
        return "Completed", None, None

    def _environment(self, instance: Instance, count: int, master_port: int) -> dict[str, str]:
        job = self.job
        variables = roles.environment(self._runtime, job.request["RoleArn"], job.region)
        if job.request.get("EnableNetworkIsolation"):
            variables = child_environment.without_network(variables)
        threads = threads_per_instance(count, self._share)
        requested = job.request.get("Environment", {})
        return {
            **variables,
            **containers.environment(instance.disk, threads, master_port),
            **{name: instance.disk.relocate(value) for name, value in requested.items()},
            "TRAINING_JOB_NAME": job.name,
            "TRAINING_JOB_ARN": job.arn,
        }

    def _checkpoints(self, instances: list[Instance]) -> Checkpoints | None:
        config = self.job.request.get("CheckpointConfig")
        if not config:
            return None
        path = config.get("LocalPath", DEFAULT_CHECKPOINTS)
        folders = [instance.disk.path(path) for instance in instances]
        return Checkpoints(self._client("s3"), self._objects(), config["S3Uri"], folders)


def failure_reason(base: Path, status: int) -> str:
    """Return AWS's FailureReason for a failed program: the content of output/failure, and the exit status."""
    code = 128 - status if status < 0 else status  # a signal, as a shell and a container report it
    file = base / "output/failure"
    message = file.read_text(errors="replace", encoding="utf-8") if file.exists() else ""
    if not message and code == 137:
        message = (
            "Please use an instance type with more memory, or reduce the size of job input on an instance"
        )
    ending = f", exit code: {code}"
    return f"AlgorithmError: {message.strip()}"[: 1024 - len(ending)] + ending
