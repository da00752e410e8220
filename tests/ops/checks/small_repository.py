"""A small repository that passes every gate, for tests that break one thing in it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

ROOT = Path(__file__).parents[3]
ROLE = {
    "Version": "2012-10-17",
    "Statement": [
        {"Sid": "Read", "Effect": "Allow", "Action": "s3:GetObject", "Resource": "${bucket_arn}/datasets/*"}
    ],
}
MAIN = """resource "aws_iam_role" "this" {
  name               = "reader"
  assume_role_policy = "{}"
}
"""


class Repository:
    """A folder with the layout of this repository."""

    def __init__(self, root: Path):
        self.root = root
        shutil.copytree(
            ROOT / "policies" / "checks",
            root / "policies" / "checks",
            ignore=shutil.ignore_patterns("__pycache__"),
        )
        self.write("terraform/foundation/main.tf", MAIN)
        self.policy("reader.json", **ROLE)

    def write(self, name: str, text: str) -> Path:
        """Write a file and return its path."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def policy(self, name: str, **document) -> Path:
        """Write a policy document."""
        return self.write(f"policies/{name}", json.dumps(document, indent=2) + "\n")

    def statement(self, name: str, sid: str = "Bad", **statement) -> Path:
        """Write a policy with one Allow statement."""
        whole = {"Sid": sid, "Effect": "Allow", **statement}
        return self.policy(name, Version="2012-10-17", Statement=[whole])
