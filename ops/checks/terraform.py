"""Terraform's own checks: format, validity of the roots, tests of modules and roots with mocked AWS."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

from ops.checks import environment
from ops.checks.findings import Finding, Findings, Result
from ops.errors import OperatorError
from ops.terraform import events as terraform_events
from ops.terraform import providers as terraform_providers
from ops.terraform import stack as terraform

HUNK = re.compile(r"^\+\+\+ new/(.+)\n@@ -(\d+)", re.MULTILINE)


class Configuration:
    """A copy of terraform/ and policies/ to work on: Terraform leaves files beside what it checks.

    root: of the repository. work: folder for the copy and for what `terraform init` installs, which is kept.
    """

    def __init__(self, root: Path, work: Path):
        self.root, self.work, self.folder = root, work, work / "configuration"
        shutil.rmtree(self.folder, ignore_errors=True)
        ignored = shutil.ignore_patterns(".terraform", "*.tfstate*", "*.tfplan")
        shutil.copytree(root / "terraform", self.folder / "terraform", ignore=ignored)
        shutil.copytree(root / "policies", self.folder / "policies", ignore=ignored)
        terraform.binary()  # raises here, once, if there is none
        self._cli_config = terraform_providers.cli_config()

    @property
    def roots(self) -> list[str]:
        """Folders with a lock file: what is planned by itself."""
        return sorted(str(p.parent.relative_to(self.folder)) for p in self._glob(".terraform.lock.hcl"))

    @property
    def tested(self) -> list[str]:
        """Folders with tests, those with most runs first: two processors then end at about the same time."""
        runs: dict[str, int] = {}
        for path in self._glob("tests/*.tftest.hcl"):
            name = str(path.parents[1].relative_to(self.folder))
            runs[name] = runs.get(name, 0) + path.read_text().count("\nrun ")
        return sorted(runs, key=lambda name: -runs[name])

    def formatting(self) -> Result:
        """`terraform fmt` would change nothing."""
        files = [*self._glob("*.tf"), *self._glob("*.tftest.hcl")]
        told = self._terraform("terraform", "fmt", "-check", "-recursive", "-diff")
        lines = dict(HUNK.findall(told.stdout))
        found = tuple(
            Finding(
                rule="fmt",
                what="not formatted as terraform fmt would",
                advice="run: terraform fmt -recursive terraform",
                file=f"terraform/{name}",
                line=int(lines.get(name, 1)),
            )
            for name in told.stdout.splitlines()
            if (self.folder / "terraform" / name).is_file()
        )
        if bool(told.returncode) != bool(found):
            raise OperatorError(f"terraform fmt failed: {_one_line(told.stdout + told.stderr)}")
        return Result("format", len(files), found)

    def validity(self, folder: str) -> Result:
        """`terraform validate` of a root. folder: such as terraform/foundation."""
        if failed := self._init(folder):
            return Result("validate", 1, (failed,))
        told = self._terraform(folder, "validate", "-json")
        try:
            answer = json.loads(told.stdout)
        except ValueError:
            raise OperatorError(
                f"terraform validate of {folder} failed: {_one_line(told.stdout + told.stderr)}"
            ) from None
        return Result("validate", 1, tuple(self._finding(folder, d) for d in answer["diagnostics"]))

    def tests(self, folder: str) -> Result:
        """`terraform test` of a module or root."""
        if failed := self._init(folder):
            return Result("tests", 1, (failed,))
        told = self._terraform(folder, "test", "-json")
        events = [terraform_events.parse(line) for line in told.stdout.splitlines()]
        runs = [e for e in events if e["type"] == "test_run" and e["test_run"]["progress"] == "complete"]
        findings = Findings()
        for event in events:
            if event["type"] == "diagnostic" and event["diagnostic"]["severity"] == "error":
                findings.add(self._finding(folder, event["diagnostic"], event.get("@testrun", "")))
        if bool(told.returncode) != bool(findings.found) or not runs:
            raise OperatorError(
                f"terraform test of {folder} ended with {told.returncode} after {len(runs)} runs: "
                f"{_one_line(told.stdout[-400:] + told.stderr)}"
            )
        return Result("tests", len(runs), findings.all())

    def _init(self, folder: str) -> Finding | None:
        """Install providers and modules of a folder; what is wrong if that fails."""
        lock = self.folder / folder / ".terraform.lock.hcl"
        if not lock.exists():  # a module: held to the roots' provider
            shutil.copy(self.folder / "terraform" / "foundation" / lock.name, lock)
        told = self._terraform(
            folder, "init", "-backend=false", "-input=false", "-lockfile=readonly", "-json"
        )
        if told.returncode == 0:
            return None
        events = [terraform_events.parse(line) for line in told.stdout.splitlines()]
        errors = [
            e["diagnostic"]
            for e in events
            if e["type"] == "diagnostic" and e["diagnostic"]["severity"] == "error"
        ]
        text = _one_line(told.stdout + told.stderr)
        if terraform_providers.is_unreachable(text):
            raise OperatorError(f"{terraform_providers.HOW_TO} Terraform said: {text}")
        if not errors:
            raise OperatorError(f"terraform init of {folder} failed: {text}")
        return self._finding(folder, errors[0])

    def _finding(self, folder: str, diagnostic: dict, run: str = "") -> Finding:
        place = diagnostic.get("range") or {}
        file = os.path.normpath(os.path.join(folder, place.get("filename", "")))
        detail = " ".join(diagnostic.get("detail", "").split())
        return Finding(
            rule=f"terraform {diagnostic['severity']}",
            what=f"{diagnostic['summary'].rstrip('.')}{f' ({run})' if run else ''}",
            advice=detail or "see the line",
            file=file,
            line=place.get("start", {}).get("line", 1),
        )

    def _glob(self, pattern: str) -> list[Path]:
        return sorted((self.folder / "terraform").rglob(pattern))

    def _terraform(self, folder: str, *arguments: str) -> subprocess.CompletedProcess:
        more = {"TF_DATA_DIR": str(self.work / "data" / folder)}
        if self._cli_config:
            more["TF_CLI_CONFIG_FILE"] = str(self._cli_config)
        return subprocess.run(
            [terraform.binary(), *arguments],
            cwd=self.folder / folder,
            env=environment.variables(**more),
            capture_output=True,
            text=True,
        )


def _one_line(text: str) -> str:
    return " ".join(text.split())[-600:]
