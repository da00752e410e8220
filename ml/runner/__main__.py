"""The command: python -m runner s3://BUCKET/KEY/job.json [--work FOLDER] [--instance]."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from . import machine, run
from .log import Log
from .storage import Storage


def main(argv: list[str]) -> int:
    """Run a job. Exit status: 0 trained and registered, 1 failed, 75 interrupted (to be run again elsewhere)."""
    parser = argparse.ArgumentParser(prog="runner", description="Train one job and register its model.")
    parser.add_argument("job", help="s3:// address of the job's description")
    parser.add_argument("--work", type=Path, help="folder to work in (default: a temporary one)")
    parser.add_argument(
        "--instance", action="store_true", help="this is an EC2 instance: ask its metadata service"
    )
    given = parser.parse_args(argv)
    storage = Storage()
    job = storage.read_job(given.job)
    here = machine.Instance() if given.instance else machine.Computer()
    stream = f"{job.name}/{here.id}" if job.log_group else None
    with (
        tempfile.TemporaryDirectory(prefix="training-") as scratch,
        Log(job.log_group, stream, job.region) as log,
    ):
        return run.run(job, storage, here, given.work or Path(scratch), log.say)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
