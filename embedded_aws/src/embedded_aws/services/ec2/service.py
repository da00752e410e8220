"""Runs instances: requests change their states, and their states follow their processes."""

from __future__ import annotations

import logging
import shutil
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from moto.ec2.models import ec2_backends
from moto.ec2.models.instances import InstanceState

from embedded_aws.runtime import Runtime
from embedded_aws.services.ec2 import init, user_data
from embedded_aws.services.ec2.console import Console
from embedded_aws.services.ec2.exceptions import IncorrectInstanceState, StopOfSpotInstance
from embedded_aws.services.ec2.instances import EmbeddedInstance, InstanceController
from embedded_aws.services.ec2.machine import Machine

log = logging.getLogger(__name__)

SERVICE = "ec2.amazonaws.com"
NOTICE_SECONDS = 120.0
REQUESTED_BY_INSTANCE = ("Client.InstanceInitiatedShutdown", "Instance initiated shutdown")
CRASHED = ("Client.InternalError", "The first process of the instance ended")
RECLAIMED = ("Server.SpotInstanceTermination", "Spot instance termination")
NOT_STARTED = ("Server.InternalError", "Internal error on launch")
EMBEDDED_AWS_STOPPED = (
    "Server.InternalError",
    "The embedded AWS stopped while the instance was running",
)


class InstanceService(InstanceController):
    """Runs instances. Call `resume` after the state is loaded, `halt` before the processes are ended."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self._machines: dict[str, Machine] = {}
        self._states = threading.RLock()  # held while a state is read and changed
        self._locks: defaultdict[str, threading.RLock] = defaultdict(
            threading.RLock
        )  # by instance ID: held while its processes start or end

    def launch(self, instance: EmbeddedInstance) -> None:
        """Boot a new instance in the background."""
        instance.hosted = True
        instance.move("pending")
        self._run_later(self._boot, instance)

    def start(self, instance: EmbeddedInstance) -> InstanceState:
        with self._states:
            if instance.state in ("pending", "running"):
                return InstanceState(instance.state, instance.state_code)
            if instance.state != "stopped":
                raise IncorrectInstanceState(instance.id, "started")
            previous = instance.move("pending")
            instance.record_start()
        self._run_later(self._boot, instance)
        return previous

    def stop(self, instance: EmbeddedInstance, reason: tuple[str, str]) -> InstanceState:
        with self._states:
            if instance.spot:
                raise StopOfSpotInstance(instance.id)
            if instance.state in ("stopping", "stopped"):
                return InstanceState(instance.state, instance.state_code)
            if instance.state not in ("pending", "running"):
                raise IncorrectInstanceState(instance.id, "stopped")
            previous = instance.move("stopping")
            instance.set_reason(reason)
        self._run_later(self._end, instance, "stopping", reason)
        return previous

    def terminate(self, instance: EmbeddedInstance, reason: tuple[str, str]) -> InstanceState:
        with self._states:
            if instance.state in ("shutting-down", "terminated"):
                return InstanceState(instance.state, instance.state_code)
            previous = instance.move("shutting-down")
            instance.set_reason(reason)
        self._run_later(self._end, instance, "shutting-down", reason)
        return previous

    def reboot(self, instance: EmbeddedInstance) -> None:
        with self._states:
            if instance.state not in ("pending", "running"):
                raise IncorrectInstanceState(instance.id, "rebooted")
        self._run_later(self._reboot, instance)

    def interrupt(self, instance: EmbeddedInstance) -> str:
        """Send a Spot Instance the two-minute interruption notice. Returns when it will end (ISO 8601)."""
        seconds = NOTICE_SECONDS / self.runtime.time_scale
        with self._states:
            if not instance.spot or instance.state != "running":
                raise IncorrectInstanceState(instance.id, "interrupted")
            moment = datetime.now(timezone.utc) + timedelta(seconds=seconds)
            instance.interruption = moment.strftime("%Y-%m-%dT%H:%M:%SZ")
        instance.emit_interruption_warning()
        timer = threading.Timer(seconds, self.terminate, (instance, RECLAIMED))
        timer.daemon = True
        timer.start()
        return instance.interruption

    def console(self, instance: EmbeddedInstance) -> bytes:
        """Return the last 64 KB that the instance has printed, in all of its boots."""
        return Console(self._folder(instance) / "console.log").tail()

    def running(self) -> list[tuple[EmbeddedInstance, int]]:
        """Return the running instances with the ID of their first process."""
        with self._states:
            machines = list(self._machines.values())
        return [
            (machine.instance, machine.pid) for machine in machines if machine.instance.state == "running"
        ]

    def resume(self) -> None:
        """Correct the records of the saved state: no process of the last run is left."""
        for instance in self._instances():
            if instance.state in ("pending", "running"):
                gone = instance.spot or instance.instance_initiated_shutdown_behavior == "terminate"
                instance.record_end(EMBEDDED_AWS_STOPPED, terminated=gone)
            elif instance.state in ("stopping", "shutting-down"):
                code = instance.state_reason.code
                reason = (code, instance.state_reason.message.removeprefix(f"{code}: "))
                instance.record_end(reason, terminated=instance.state == "shutting-down")
            if instance.state == "terminated":
                shutil.rmtree(self._folder(instance) / "disk", ignore_errors=True)

    def halt(self) -> None:
        """End the processes of all instances; `resume` corrects their records."""
        with self._states:
            machines = list(self._machines.values())
            self._machines.clear()
        if machines:
            with ThreadPoolExecutor(len(machines)) as pool:
                list(pool.map(lambda machine: machine.end(), machines))

    def _instances(self) -> Iterator[EmbeddedInstance]:
        for _, _, backend in list(ec2_backends.iter_backends()):  # none before EC2 is used
            for instance in backend.all_instances():
                if getattr(instance, "hosted", False):
                    yield instance  # type: ignore[misc]

    def _folder(self, instance: EmbeddedInstance) -> Path:
        return self.runtime.folder("instances", instance.id)

    def _run_later(self, action: Callable[..., None], *arguments: Any) -> None:
        threading.Thread(target=self._guarded, args=(action, *arguments), daemon=True).start()

    def _guarded(self, action: Callable[..., None], *arguments: Any) -> None:
        """Run an action on an instance, log what it raises, and save the state."""
        try:
            action(*arguments)
        except Exception:
            log.exception("instance %s", arguments[0].id)
        self.runtime.changed()

    def _boot(self, instance: EmbeddedInstance) -> None:
        with self._locks[instance.id]:
            if instance.state not in ("pending", "running") or self.runtime.stopping.is_set():
                return
            first, instance.booted = not instance.booted, True
            scripts = user_data.scripts(str(instance.user_data)) if instance.user_data else []
            machine = Machine(
                instance,
                self._folder(instance),
                self.runtime.supervisor,
                self.runtime.endpoint_url,
                self.runtime.home,
            )
            try:
                machine.start(
                    [s for s in scripts if first or s.every_boot],
                    lambda role: self.runtime.assume(role, SERVICE, instance.region_name, instance.id),
                    self._ended,
                )
            except OSError:
                log.exception("instance %s cannot be started", instance.id)
                machine.close()
                self.terminate(instance, NOT_STARTED)
                return
            with self._states:
                self._machines[instance.id] = machine
                if instance.state == "pending":
                    instance.move("running")

    def _end(self, instance: EmbeddedInstance, state: str, reason: tuple[str, str]) -> None:
        """End the processes of an instance. state: "stopping" or "shutting-down", which it has entered."""
        with self._locks[instance.id]:
            self._end_processes(instance)
            with self._states:
                if instance.state == state:  # else it was terminated while it was stopping
                    instance.record_end(reason, terminated=state == "shutting-down")
            if instance.state == "terminated":
                shutil.rmtree(self._folder(instance) / "disk", ignore_errors=True)

    def _end_processes(self, instance: EmbeddedInstance) -> None:
        with self._states:
            machine = self._machines.pop(instance.id, None)
        if machine is not None:
            machine.end()

    def _reboot(self, instance: EmbeddedInstance) -> None:
        with self._locks[instance.id]:
            self._end_processes(instance)
            self._boot(instance)

    def _ended(self, machine: Machine, status: int) -> None:
        """Handle the end of an instance's first process."""
        instance = machine.instance
        with self._locks[instance.id]:
            with self._states:
                if self._machines.get(instance.id) is not machine:
                    return  # a request or `halt` has ended it
                del self._machines[instance.id]
            machine.end()
            if status == init.REBOOT:
                self._guarded(self._boot, instance)
                return
            reason = REQUESTED_BY_INSTANCE if status == 0 else CRASHED
            if instance.spot or instance.instance_initiated_shutdown_behavior == "terminate":
                self.terminate(instance, reason)
            else:
                self.stop(instance, reason)
