"""Log files are rotated when they are full."""

import logging

from embedded_aws.server import log_files
from embedded_aws.server.log_files import LogFile


def test_a_full_file_is_rotated_and_two_are_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(log_files, "_MAX_BYTES", 200)
    monkeypatch.setattr(log_files, "_LINES", 2)
    handler = LogFile(tmp_path / "service.log")
    for number in range(12):
        handler.emit(
            logging.makeLogRecord({"name": "n", "levelname": "INFO", "msg": f"{number:02d}" + "-" * 60})
        )
    handler.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "service.log",
        "service.log.1",
        "service.log.2",
    ]
    lines = [
        line for path in sorted(tmp_path.iterdir(), reverse=True) for line in path.read_text().splitlines()
    ]
    assert [int(line.split("INFO n ")[1][:2]) for line in lines] == list(range(12 - len(lines), 12))
    assert all(path.stat().st_size < 400 for path in tmp_path.iterdir())
