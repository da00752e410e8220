"""Runs one processing job, from its inputs in S3 to its outputs in S3."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from botocore.exceptions import ClientError

from embedded_aws import child_environment
from embedded_aws.processes.isolation.container import refusal
from embedded_aws.runtime import Runtime
from embedded_aws.services.sagemaker import roles
from embedded_aws.services.sagemaker.job_run import VOLUME_INTERVAL, Ending, JobRun, no_room
from embedded_aws.services.sagemaker.processing import disk as disks
from embedded_aws.services.sagemaker.processing.records import ProcessingJob
from embedded_aws.services.sagemaker.training import addresses, channels, containers
from embedded_aws.services.sagemaker.training.artifacts import put_file
from embedded_aws.services.sagemaker.training.channels import Cancelled, JobFailure
from embedded_aws.services.sagemaker.training.cluster import Cluster, Instance, threads_per_instance
from embedded_aws.services.sagemaker.training.reporting import Streams
from embedded_aws.services.sagemaker.training.run import failure_reason
from embedded_aws.services.sagemaker.training.volume import Volumes

LOG_GROUP = "/aws/sagemaker/ProcessingJobs"


class ProcessingRun(JobRun):
    """A running processing job."""

    kind = "processing"

    def __init__(self, job: ProcessingJob, runtime: Runtime, finish: Callable[[Ending], None]) -> None:
        """Start nothing yet. finish: as of JobRun."""
        super().__init__(job, runtime, finish)
        self.job = job

    def _perform(self, folder: Path) -> Ending:
        count = self.job.cluster["InstanceCount"]
        home, isolated = self._runtime.home, not refusal(self._runtime.supervisor)
        try:
            block = addresses.reserve(count)
        except addresses.NoLoopbackNetwork as error:
            raise JobFailure(f"ClientError: {error}") from error
        try:
            shutil.rmtree(folder)  # of a run that a crash ended
            instances = [
                Instance(disks.create(folder / f"algo-{n}", home, isolated), host)
                for n, host in enumerate(block.hosts, 1)
            ]
            return self._process(instances, block.master_port)
        finally:
            block.release()

    def _process(self, instances: list[Instance], master_port: int) -> Ending:
        """Download the inputs, run the program and upload the outputs."""
        job, request = self.job, self.job.request
        self._download(instances)
        volumes = Volumes([i.base for i in instances], job.cluster["VolumeSizeInGB"])
        if volumes.full():
            raise no_room(volumes.size_gb)
        for instance in instances:
            disks.configure(instance, request, job.arn, sorted(i.host for i in instances))
        if self._stop.is_set():
            raise Cancelled
        streams = Streams(job, len(instances), self._client("logs"), LOG_GROUP)
        with ExitStack() as network:
            isolation = request.get("NetworkConfig", {}).get("EnableNetworkIsolation", False)
            holder = self._isolate(network, streams, isolation, "in paths of the request")
            outcome = self._run_program(instances, master_port, streams, volumes, holder)
        if self._halt.is_set():
            raise Cancelled
        job.exit_message = disks.exit_message(instances)
        if outcome is None:
            return "Stopped", None, None
        if outcome[1]:
            number, status = outcome
            return "Failed", None, failure_reason(instances[number].base, status)
        self._upload(instances)
        return "Completed", None, None

    def _download(self, instances: list[Instance]) -> None:
        """Download every input into the folder of its LocalPath."""
        request = self.job.request
        for one in request.get("ProcessingInputs", []):
            source = one["S3Input"]
            channel = {"ChannelName": one["InputName"], "DataSource": {"S3DataSource": source}}
            folders = [instance.disk.path(source["LocalPath"]) for instance in instances]
            channels.download(
                self._objects(), channel, folders, request["RoleArn"], self.job.region, self._stop.is_set
            )

    def _run_program(
        self,
        instances: list[Instance],
        master_port: int,
        streams: Streams,
        volumes: Volumes,
        network: int | None,
    ) -> tuple[int, int] | None:
        """Run the program until it ends. Return the result of Cluster.wait; the log is complete then.

        network: process whose network the program shares.
        """
        last_check = time.monotonic()

        def tick() -> None:
            nonlocal last_check
            if self._halt.is_set():
                streams.drop()  # requests are no longer answered
                return
            streams.flush()
            if self._full is None and time.monotonic() - last_check > VOLUME_INTERVAL:
                self._full = volumes.full()
                last_check = time.monotonic()

        environments = [self._environment(instance, len(instances), master_port) for instance in instances]
        commands = [instance.disk.command(self._command(instance), network) for instance in instances]
        self.job.begin()
        self._cluster = Cluster(self._runtime.supervisor, instances)
        try:
            self._cluster.start(commands, environments, streams.line)
        except OSError as error:
            raise JobFailure(f"AlgorithmError: The entrypoint could not be started: {error}") from error
        deadline = time.monotonic() + self.job.max_runtime
        outcome = self._cluster.wait(
            deadline, lambda: self._stop.is_set() or self._full is not None, self._grace, tick
        )
        if self._halt.is_set():
            return outcome
        streams.close()
        if self._full:
            raise self._volume_full(volumes.size_gb)
        return outcome

    def _command(self, instance: Instance) -> list[str]:
        application = self.job.request["AppSpecification"]
        parts = application["ContainerEntrypoint"] + application.get("ContainerArguments", [])
        return [instance.disk.relocate(part) for part in parts]

    def _environment(self, instance: Instance, count: int, master_port: int) -> dict[str, str]:
        request = self.job.request
        variables = roles.environment(self._runtime, request["RoleArn"], self.job.region)
        if request.get("NetworkConfig", {}).get("EnableNetworkIsolation"):
            variables = child_environment.without_network(variables)
        threads = threads_per_instance(count, 1)
        requested = request.get("Environment", {})
        return {
            **variables,
            **containers.environment(instance.disk, threads, master_port),
            **{name: instance.disk.relocate(value) for name, value in requested.items()},
        }

    def _upload(self, instances: list[Instance]) -> None:
        """Upload the files of every output. Raises JobFailure."""
        config = self.job.request.get("ProcessingOutputConfig", {})
        key = config.get("KmsKeyId")
        encryption = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key} if key else {}
        for output in config.get("Outputs", []):
            target = output["S3Output"]
            for instance in instances:
                folder = instance.disk.path(target["LocalPath"])
                for path in sorted(path for path in folder.rglob("*") if path.is_file()):
                    uri = f"{target['S3Uri'].rstrip('/')}/{path.relative_to(folder).as_posix()}"
                    try:
                        put_file(self._client("s3"), path, uri, encryption)
                    except (ClientError, OSError) as error:
                        raise JobFailure(
                            f"ClientError: Failed to upload output {output['OutputName']} to {uri}: {error}"
                        ) from error
