"""The processes of one job, one per instance. They start and end together."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from embedded_aws.processes.supervisor import Supervisor
from embedded_aws.services.sagemaker.training import containers
from embedded_aws.services.sagemaker.training.disk import Disk
from embedded_aws.services.sagemaker.training.logs import LINE_BYTES

GROUP_NAME = "homogeneousCluster"  # AWS's name for the only instance group
PEER_GRACE = 2.0  # seconds that other instances get after one has failed


class Instance:
    """One instance: its folders, its address and its process."""

    def __init__(self, disk: Disk, host: str) -> None:
        self.disk, self.host = disk, host
        self.child: subprocess.Popen[bytes] | None = None

    @property
    def base(self) -> Path:
        """Folder on this machine that the program sees as /opt/ml."""
        return self.disk.base

    def configure(
        self, hyperparameters: dict[str, str], inputs: dict[str, Any], hosts: list[str], instance_type: str
    ) -> None:
        """Write the configuration files of a training container."""
        group = {"instance_group_name": GROUP_NAME, "instance_type": instance_type, "hosts": hosts}
        resources = {
            "current_host": self.host,
            "current_instance_type": instance_type,
            "current_group_name": GROUP_NAME,
            "hosts": hosts,
            "instance_groups": [group],
            "network_interface_name": containers.LOOPBACK,
        }
        values = {name: self.disk.relocate(value) for name, value in hyperparameters.items()}
        files = {"hyperparameters": values, "resourceconfig": resources, "inputdataconfig": inputs}
        for name, content in files.items():
            (self.base / "input/config" / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")


class Cluster:
    """Runs one command per instance until all have ended or one has failed."""

    def __init__(self, supervisor: Supervisor, instances: list[Instance]) -> None:
        self._supervisor, self._instances = supervisor, instances
        self._exits: queue.SimpleQueue[tuple[int, int] | None] = queue.SimpleQueue()
        self._readers: list[threading.Thread] = []

    def start(
        self,
        commands: list[list[str]],
        environments: list[dict[str, str]],
        on_line: Callable[[int, str], None],
    ) -> None:
        """Start the processes. `on_line(instance number, line)` is called from a thread per instance.

        Raises OSError if the first cannot be started; the others are started by the same command.
        """
        for number, instance in enumerate(self._instances):
            child = self._supervisor.spawn(commands[number], env=environments[number], cwd=instance.base)
            instance.child = child
            reader = threading.Thread(target=_read, args=(child, number, on_line), daemon=True)
            reader.start()
            self._readers.append(reader)
            threading.Thread(target=self._await_exit, args=(child, number), daemon=True).start()

    def wake(self) -> None:
        """Make `wait` check its deadline and `stopped` now."""
        self._exits.put(None)

    def wait(
        self,
        deadline: float,
        stopped: Callable[[], bool],
        grace: Callable[[], float],
        tick: Callable[[], None],
    ) -> tuple[int, int] | None:
        """Wait until all processes have ended and all output has been read.

        Returns instance number and exit status of the first to fail, (0, 0) if all succeeded, or None if the deadline
        passed or `stopped()` became true.

        deadline: a time.monotonic() value.
        grace: returns the seconds between SIGTERM and SIGKILL at a deadline or stop.
        tick: called about twice a second.
        """
        running, result = len(self._instances), (0, 0)
        try:
            while running:
                remaining = deadline - time.monotonic()
                if stopped() or remaining <= 0:
                    self._end(grace(), tick)
                    return None
                try:
                    finished = self._exits.get(timeout=min(0.5, remaining))
                except queue.Empty:
                    finished = None
                if finished:
                    running -= 1
                    if finished[1]:
                        result = finished
                        break
                tick()
            return result
        finally:
            self._end(PEER_GRACE, tick)
            for reader in self._readers:
                while reader.is_alive():
                    tick()  # a reader blocks while its log is full
                    reader.join(0.1)

    def _end(self, grace: float, tick: Callable[[], None]) -> None:
        children = [instance.child for instance in self._instances if instance.child]
        if not children:
            return
        with ThreadPoolExecutor(len(children)) as pool:
            ended = [pool.submit(self._supervisor.end, child, grace) for child in children]
            while not all(future.done() for future in ended):
                tick()
                time.sleep(0.05)
            for future in ended:
                future.result()

    def _await_exit(self, child: subprocess.Popen[bytes], number: int) -> None:
        self._exits.put((number, child.wait()))


def _read(child: subprocess.Popen[bytes], number: int, on_line: Callable[[int, str], None]) -> None:
    assert child.stdout is not None
    with child.stdout as pipe:
        while line := pipe.readline(LINE_BYTES // 4):  # a character has at most four bytes
            on_line(number, line.decode("utf-8", "replace").rstrip("\r\n"))


def threads_per_instance(instances: int, share: int) -> int:
    """Return OMP_NUM_THREADS for an instance, if `share` such jobs run at once."""
    return max(1, (os.cpu_count() or 1) // (instances * share))
