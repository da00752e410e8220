"""Run programs and measure them: wall-clock time, processor time, memory."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ops import child_environment
from ops.errors import OperatorError
from ops.paths import ROOT

CONTAINER = ROOT / "ml" / "container"


@dataclass(frozen=True)
class Measurement:
    """One run of a program, or of several that run at the same time.

    seconds: wall-clock time.
    processor_seconds: user and system time, of all processes.
    peak_bytes: largest resident memory of a process.
    metrics: what the program reports, such as test:accuracy.
    """

    seconds: float
    processor_seconds: float
    peak_bytes: int
    metrics: dict[str, float]


def run(
    commands: Sequence[Sequence[str]], environments: Sequence[Mapping[str, str]], processors: int
) -> tuple[float, float, int, str]:
    """Run commands at the same time: one on the first processors, several on one processor each.

    Returns seconds, processor seconds, peak bytes, and the output of the first command. Raises OperatorError if one fails.
    """
    places = _places(len(commands), processors)
    started = time.perf_counter()
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8") as output,
        tempfile.TemporaryFile("w+", encoding="utf-8") as others,
    ):
        processes = []
        for number, (command, variables) in enumerate(zip(commands, environments, strict=True)):
            stream = others if number else output
            processes.append(
                subprocess.Popen(
                    [*places[number], *command],
                    env=child_environment.build("training", {"OMP_WAIT_POLICY": "PASSIVE", **variables}),
                    stdout=stream,
                    stderr=subprocess.STDOUT,
                )
            )
        used, peak = 0.0, 0
        try:
            for process in processes:
                _, status, usage = os.wait4(process.pid, 0)
                process.returncode = os.waitstatus_to_exitcode(status)
                used += usage.ru_utime + usage.ru_stime
                peak = max(peak, usage.ru_maxrss * 1024)
        finally:
            for process in processes:
                if process.returncode is None:
                    process.kill()
                    process.wait()
        seconds = time.perf_counter() - started
        output.seek(0)
        text = output.read()
    if failed := [p.returncode for p in processes if p.returncode]:
        raise OperatorError(
            f"A program of the benchmark ended with status {failed[0]}: {text.strip()[-300:]}"
        )
    return seconds, used, peak, text


def _places(commands: int, processors: int) -> list[list[str]]:
    """Return the start of each command line: the processors that it may use, where the system can limit them."""
    if not hasattr(os, "sched_getaffinity") or shutil.which("taskset") is None:
        return [[]] * commands
    chosen = [str(processor) for processor in sorted(os.sched_getaffinity(0))[:processors]]
    shares = [",".join(chosen)] if commands == 1 else [chosen[n % len(chosen)] for n in range(commands)]
    return [["taskset", "--cpu-list", share] for share in shares]


def train(
    flags: Mapping[str, object],
    channels: Mapping[str, Path],
    base: Path,
    *,
    threads: int = 1,
    ranks: int = 1,
) -> Measurement:
    """Run the training program.

    flags: hyperparameters. base: folder of the job; with `checkpoints` in it, for the checkpoint location.
    ranks: number of hosts, each with `threads` threads.
    """
    hosts = [f"127.77.0.{number + 1}" for number in range(ranks)]
    command = [sys.executable, str(CONTAINER / "train.py")]
    command += [word for name, value in flags.items() for word in (f"--{name}", str(value))]
    environments = [
        {
            "SAGEMAKER_BASE_DIR": str(base / str(number) if number else base),
            "SM_HOSTS": json.dumps(hosts),
            "SM_CURRENT_HOST": host,
            "SM_NETWORK_INTERFACE_NAME": "lo",
            "OMP_NUM_THREADS": str(threads),
            **{f"SM_CHANNEL_{name.upper()}": str(folder) for name, folder in channels.items()},
        }
        for number, host in enumerate(hosts)
    ]
    for variables in environments:
        Path(variables["SAGEMAKER_BASE_DIR"]).mkdir(parents=True, exist_ok=True)
    seconds, used, peak, _ = run([command] * ranks, environments, max(ranks, threads))
    file = base / "model" / "metrics.json"
    metrics = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    return Measurement(seconds, used, peak, {n: v for n, v in metrics.items() if isinstance(v, float)})


def original(data: Path, weights: Path, architecture: str, epochs: int, batch_size: int) -> Measurement:
    """Run the reference with one thread."""
    script = str(Path(__file__).with_name("original.py"))
    command = [sys.executable, script, str(data), str(weights), architecture, str(epochs), str(batch_size)]
    variables = {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(CONTAINER)}
    seconds, used, peak, text = run([command], [variables], 1)
    return Measurement(seconds, used, peak, json.loads(text.strip().splitlines()[-1]))
