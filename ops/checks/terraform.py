"""Gates format, validate and tests: terraform fmt, validate and test (with mocked AWS)."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import threading
from pathlib import Path
from typing import Any

from ops import child_environment
from ops.checks.findings import Finding, Findings, Result
from ops.errors import OperatorError
from ops.terraform import binary, events, providers
from ops.terraform.shared_provider import SharedProvider, installed

NO_ACCOUNT = {
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}
"""No gate needs AWS."""
HUNK = re.compile(r"^\+\+\+ new/(.+)\n@@ -(\d+)", re.MULTILINE)


class Configuration:
    """A working copy of terraform/ and policies/, as Terraform writes files next to the sources.

    root: the repository.
    work: folder for the copy and for the providers of `terraform init`, which are kept.
    """

    def __init__(self, root: Path, work: Path):
        self.root, self.work, self.folder = root, work, work / "configuration"
        shutil.rmtree(self.folder, ignore_errors=True)
        ignored = shutil.ignore_patterns(".terraform", "*.tfstate*", "*.tfplan")
        shutil.copytree(root / "terraform", self.folder / "terraform", ignore=ignored)
        shutil.copytree(root / "policies", self.folder / "policies", ignore=ignored)
        binary.find()  # fails early if Terraform is missing
        self._cli_config = providers.cli_config()
        self._provider: SharedProvider | None = None
        self._starting = threading.Lock()

    def close(self) -> None:
        """Stop the shared provider process."""
        if self._provider:
            self._provider.stop()
            self._provider = None

    @property
    def roots(self) -> list[str]:
        """Folders of the roots: those with a lock file."""
        return sorted(str(p.parent.relative_to(self.folder)) for p in self._glob(".terraform.lock.hcl"))

    @property
    def tested(self) -> list[str]:
        """Folders with tests, longest first, so that parallel workers finish at about the same time."""
        runs: dict[str, int] = {}
        for path in self._glob("tests/*.tftest.hcl"):
            name = str(path.parents[1].relative_to(self.folder))
            runs[name] = runs.get(name, 0) + path.read_text(encoding="utf-8").count("\nrun ")
        return sorted(runs, key=lambda name: -runs[name])

    def formatting(self) -> Result:
        """Run `terraform fmt -check`."""
        files = [*self._glob("*.tf"), *self._glob("*.tftest.hcl")]
        done = self._terraform("terraform", "fmt", "-check", "-recursive", "-diff")
        lines = dict(HUNK.findall(done.stdout))
        found = tuple(
            Finding(
                rule="fmt",
                what="is not formatted",
                advice="run: terraform fmt -recursive terraform",
                file=f"terraform/{name}",
                line=int(lines.get(name, 1)),
            )
            for name in done.stdout.splitlines()
            if (self.folder / "terraform" / name).is_file()
        )
        if bool(done.returncode) != bool(found):
            raise OperatorError(f"terraform fmt failed: {_one_line(done.stdout + done.stderr)}")
        return Result("format", len(files), found)

    def validity(self, folder: str) -> Result:
        """Run `terraform validate` in a root, such as terraform/foundation."""
        if failed := self._init(folder):
            return Result("validate", 1, (failed,))
        done = self._terraform(folder, "validate", "-json", **self._attached(folder))
        try:
            answer = json.loads(done.stdout)
        except ValueError:
            raise OperatorError(
                f"terraform validate of {folder} failed: {_one_line(done.stdout + done.stderr)}"
            ) from None
        return Result("validate", 1, tuple(self._finding(folder, d) for d in answer["diagnostics"]))

    def tests(self, folder: str) -> Result:
        """Run `terraform test` in a module or root."""
        if failed := self._init(folder):
            return Result("tests", 1, (failed,))
        done = self._terraform(folder, "test", "-json", **self._attached(folder))
        lines = [events.parse(line) for line in done.stdout.splitlines()]
        runs = [e for e in lines if e["type"] == "test_run" and e["test_run"]["progress"] == "complete"]
        findings = Findings()
        for event in lines:
            if event["type"] == "diagnostic" and event["diagnostic"]["severity"] == "error":
                findings.add(self._finding(folder, event["diagnostic"], event.get("@testrun", "")))
        if bool(done.returncode) != bool(findings.found) or not runs:
            raise OperatorError(
                f"terraform test of {folder} exited with {done.returncode} after {len(runs)} runs: "
                f"{_one_line(done.stdout[-400:] + done.stderr)}"
            )
        return Result("tests", len(runs), findings.all())

    def _attached(self, folder: str) -> dict[str, str]:
        """Return the environment variables that attach Terraform to the shared provider process, started on first use."""
        with self._starting:
            if self._provider is None and (executable := installed(self._data(folder))):
                self._provider = SharedProvider(executable, child_environment.build("terraform"))
        return self._provider.variables if self._provider else {}

    def _data(self, folder: str) -> Path:
        return self.work / "data" / folder

    def _init(self, folder: str) -> Finding | None:
        """Run `terraform init` in a folder. Return a finding if its configuration is invalid."""
        lock = self.folder / folder / ".terraform.lock.hcl"
        if not lock.exists():  # a module: use the provider version of the roots
            shutil.copy(self.folder / "terraform" / "foundation" / lock.name, lock)
        # An attached init does not hash the provider, which takes longest: one init has done so.
        attached = self._provider.variables if self._provider else {}
        done = self._terraform(
            folder, "init", "-backend=false", "-input=false", "-lockfile=readonly", "-json", **attached
        )
        if done.returncode == 0:
            return None
        lines = [events.parse(line) for line in done.stdout.splitlines()]
        errors = [
            e["diagnostic"]
            for e in lines
            if e["type"] == "diagnostic" and e["diagnostic"]["severity"] == "error"
        ]
        text = _one_line(done.stdout + done.stderr)
        if providers.is_unreachable(text):
            raise OperatorError(f"{providers.HOW_TO} Terraform reported: {text}")
        if not errors:
            raise OperatorError(f"terraform init of {folder} failed: {text}")
        return self._finding(folder, errors[0])

    def _finding(self, folder: str, diagnostic: dict[str, Any], run: str = "") -> Finding:
        place = diagnostic.get("range") or {}
        file = os.path.normpath(os.path.join(folder, place.get("filename", "")))
        detail = " ".join(diagnostic.get("detail", "").split())
        return Finding(
            rule=f"terraform {diagnostic['severity']}",
            what=f"{diagnostic['summary'].rstrip('.')}{f' ({run})' if run else ''}",
            advice=detail or "see that line",
            file=file,
            line=place.get("start", {}).get("line", 1),
        )

    def _glob(self, pattern: str) -> list[Path]:
        return sorted((self.folder / "terraform").rglob(pattern))

    def _terraform(self, folder: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        variables |= {"TF_DATA_DIR": str(self._data(folder)), "TF_CLI_CONFIG_FILE": str(self._cli_config)}
        return subprocess.run(
            [binary.find(), *arguments],
            cwd=self.folder / folder,
            env=child_environment.build("terraform", NO_ACCOUNT | variables),
            capture_output=True,
            encoding="utf-8",
            errors="replace",
        )


def _one_line(text: str) -> str:
    return " ".join(text.split())[-600:]
