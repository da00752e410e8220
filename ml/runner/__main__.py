"""The command: python -m runner s3://BUCKET/KEY/job.json [--work FOLDER] [--instance]."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from .attempt import run_attempt
from .job_log import JobLog
from .machine import EC2Instance, LocalMachine
from .storage import JobStorage


def main(argv: list[str]) -> int:
    """Run a job. Returns 0 (trained and registered), 1 (failed) or 75 (interrupted: run it again to resume)."""
    parser = argparse.ArgumentParser(prog="runner", description="Train one job and register its model.")
    parser.add_argument("job", help="s3:// URI of the job's description")
    parser.add_argument("--work", type=Path, help="folder to work in (default: a temporary one)")
    parser.add_argument(
        "--instance", action="store_true", help="this is an EC2 instance: read its metadata service"
    )
    arguments = parser.parse_args(argv)
    storage = JobStorage()
    job = storage.read_job(arguments.job)
    machine = EC2Instance() if arguments.instance else LocalMachine()
    stream = f"{job.name}/{machine.id}" if job.log_group else None
    with (
        tempfile.TemporaryDirectory(prefix="training-") as scratch,
        JobLog(job.log_group, stream, job.region) as log,
    ):
        return run_attempt(job, storage, machine, arguments.work or Path(scratch), log.write)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
