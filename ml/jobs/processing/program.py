"""The program of a data job: runs the data stage in the container, and writes its answer to S3.

`python -m ml.jobs.processing.program /opt/ml/processing`, by start.py. It exits with 1 if the stage fails.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from ml.jobs.data import stage
from ml.jobs.processing import sources
from ml.jobs.processing.documents import REQUEST, RESULTS, Answer, Request
from ops import s3
from ops.aws import aws_errors
from ops.documents import decode
from ops.environment import Environment
from ops.errors import OperatorError
from ops.settings import Settings

_PRINT_SECONDS = 5.0  # between two lines of progress: each is an event of the log
MESSAGE_BYTES = 1024  # of a job's ExitMessage


class Printed:
    """Prints progress, a line every few seconds, and the last one of each kind."""

    def __init__(self) -> None:
        self._what, self._at = "", 0.0

    def __call__(self, what: str, done: int, total: int) -> None:
        """Print how far the stage is."""
        now = time.monotonic()
        if what != self._what or done == total or now - self._at >= _PRINT_SECONDS:
            self._what, self._at = what, now
            print(f"{what} {done:,} of {total:,}" if total else f"{what} {done:,}", flush=True)


def main(processing: Path) -> int:
    """Run the stage. Returns the exit status. processing: /opt/ml/processing."""
    content = (processing / "input/job" / REQUEST).read_bytes()
    request = decode(
        Request, content, what=f"The request {REQUEST}", remedy="run ./inv data --on sagemaker again"
    )
    env = Environment(Settings(**request.settings))
    try:
        with aws_errors("./inv data --on sagemaker"):
            answer = Answer(result=_run(env, request, processing))
            _store(env, request, answer)
    except OperatorError as error:
        print(f"failed: {error}", flush=True)
        message = str(error).encode()[:MESSAGE_BYTES].decode("utf-8", "ignore")
        (processing.parent / "output/message").write_text(message, encoding="utf-8")
        with aws_errors("the answer of the job"):
            _store(env, request, Answer(failure=str(error)))
        return 1
    return 0


def _run(env: Environment, request: Request, processing: Path) -> stage.Result:
    options = request.options
    source = options.source
    if sources.in_s3(source):
        source = str(processing / "input/source" / sources.path(source))
    return stage.run(
        env,
        source,
        processing / "work",
        skip_bad=options.skip_bad,
        split=options.split or None,
        progress=Printed(),
        on_note=lambda text: print(f"note: {text}", flush=True),
    )


def _store(env: Environment, request: Request, answer: Answer) -> None:
    s3.put(env, f"{RESULTS}/{request.job}.json", answer.model_dump_json().encode())


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
