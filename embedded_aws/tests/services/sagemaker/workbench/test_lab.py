"""A JupyterLab: its last use, its disk."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from types import SimpleNamespace

import pytest

from embedded_aws.services.sagemaker.workbench import lab


@pytest.mark.parametrize(
    ("kernels", "terminals", "ago"),
    [
        ([], [], 60),  # since its start
        ([("idle", 40)], [], 40),
        ([("idle", 40)], [30], 30),
        ([("idle", 90)], [], 60),  # before its start
        ([("idle", 40), ("busy", 40)], [], 0),
    ],
)
def test_last_use_is_the_latest_activity_of_kernels_and_terminals(kernels, terminals, ago):
    now = datetime.now(timezone.utc)

    def moment(minutes: int) -> str:
        return (now - timedelta(minutes=minutes)).isoformat().replace("+00:00", "Z")

    answers = {
        "/api/kernels": [{"execution_state": s, "last_activity": moment(m)} for s, m in kernels],
        "/api/terminals": [{"last_activity": moment(m)} for m in terminals],
    }
    running = SimpleNamespace(started=now - timedelta(minutes=60), _get=answers.__getitem__)
    used = lab.Lab.last_use(running)
    assert abs(now - timedelta(minutes=ago) - used) < timedelta(seconds=30)


def test_restart_keeps_only_one_folder_of_the_disk(tmp_path):
    disk = tmp_path / "disk"
    lab._keep_only(disk, "/home/ec2-user/SageMaker")
    (disk / "home/ec2-user/SageMaker/work").write_text("kept")
    (disk / "home/ec2-user/.bashrc").write_text("lost")
    (disk / "root").mkdir()
    lab._keep_only(disk, "/home/ec2-user/SageMaker")
    assert [str(p.relative_to(disk)) for p in sorted(disk.rglob("*")) if p.is_file()] == [
        "home/ec2-user/SageMaker/work"
    ]
    # A start that was killed halfway loses nothing.
    (disk / "home/ec2-user/SageMaker").rename(tmp_path / "kept")
    lab._keep_only(disk, "/home/ec2-user/SageMaker")
    assert (disk / "home/ec2-user/SageMaker/work").read_text() == "kept"
