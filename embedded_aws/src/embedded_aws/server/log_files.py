"""Log files of the server: everything in service.log, one line per request in requests.log."""

from __future__ import annotations

import logging
import os
from logging.handlers import RotatingFileHandler
from pathlib import Path

_MAX_BYTES = 10_000_000
_LINES = 100  # between two looks at the size


class LogFile(RotatingFileHandler):
    """A log file that is rotated. logging formats each line twice and looks the file up, to find out whether it is full."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, maxBytes=_MAX_BYTES, backupCount=2)
        self.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
        self._lines = 0

    def shouldRollover(self, record: logging.LogRecord) -> bool:  # type: ignore[override]
        self._lines += 1
        return self._lines % _LINES == 0 and os.fstat(self.stream.fileno()).st_size >= self.maxBytes


def begin(folder: Path) -> None:
    """Log to the files of a folder. The lines have neither source lines nor threads, so that none are looked up."""
    logging._srcfile = None  # type: ignore[attr-defined]  # as in Python's Logging HOWTO, Optimization
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging.captureWarnings(True)
    for name, file in (("", "service.log"), ("embedded_aws.requests", "requests.log")):
        logger = logging.getLogger(name)
        logger.addHandler(LogFile(folder / file))
        logger.setLevel(logging.INFO)
    logging.getLogger("embedded_aws.requests").propagate = False
    for noisy in ("botocore", "boto3", "urllib3", "s3transfer", "werkzeug", "matplotlib"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
