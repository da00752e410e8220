"""A laboratory: an account, a checkout and a proxy between them, whose states are saved and restored."""

from __future__ import annotations

import hashlib
import itertools
import os
import re
import shutil
import stat
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import boto3

from ops import child_environment
from ops.environment import Environment
from ops.errors import OperatorError
from ops.paths import ROOT
from ops.settings import Settings
from pipeline.faults import processes
from pipeline.faults.account import Account
from pipeline.faults.command import Command
from pipeline.faults.proxy import Proxy


@dataclass
class Lab:
    """A context manager that leaves nothing running.

    folder: for the account's state, the checkout and its work folder.
    states: folder of the saved states, which several laboratories share.
    account: the AWS account.
    settings: of the environment that is broken.
    settings_file: their file.
    linked: folders of the repository that a checkout links to: `./inv` would build or install them again.
    role: the role of stack access that runs the commands; empty for the root user.
    """

    folder: Path
    states: Path
    account: Account
    settings: Settings
    settings_file: str
    linked: tuple[str, ...]
    role: str = "operator"
    _proxy: Proxy | None = None
    _env: Environment | None = None
    _numbers: Any = field(default_factory=itertools.count)
    _closed: bool = False

    def __enter__(self) -> Lab:
        processes.check()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.end_commands()  # of a campaign that was killed
        self.account.destroy()
        for kept in ("work", "checkout", "second", "second-work", "output"):
            self._remove(self.folder / kept)
        self.checkout = self.copy_checkout("checkout")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End every process of the laboratory. Nothing can be started in it afterwards."""
        self._closed = True
        self.end_commands()
        self.account.destroy()
        if self._proxy is not None:
            self._proxy.refuse()

    @property
    def work(self) -> Path:
        """The checkout's work folder."""
        return self.folder / "work"

    @property
    def proxy(self) -> Proxy:
        """The proxy that every command uses."""
        if self._proxy is None:
            raise RuntimeError("start the account first")
        return self._proxy

    @property
    def env(self) -> Environment:
        """The environment as the root user sees it."""
        if self._env is None:
            raise RuntimeError("start the account first")
        return self._env

    # ---- commands ----

    def start(
        self, *words: str, checkout: Path | None = None, as_root: bool = False, **options: Any
    ) -> Command:
        """Start a command in a checkout, by default the first, as the role or as root. options: as of Command."""
        self._check_open()
        folder = checkout or self.checkout
        work = self.work if checkout is None else checkout.with_name(f"{checkout.name}-work")
        output = self.folder / "output" / f"{next(self._numbers):04}-{words[0]}.log"
        output.parent.mkdir(exist_ok=True)
        output.unlink(missing_ok=True)
        words = (*words, "--env", self.settings.environment, "--json")
        return Command(
            words, folder, self._variables(work, {} if as_root else self._keys(words[0])), output, **options
        )

    def run(self, *words: str, **options: Any) -> Command:
        """Run a command to its end."""
        command = self.start(*words, **options)
        command.wait()
        return command

    def succeed(self, *words: str, **options: Any) -> Command:
        """Run a command that must succeed. Raises OperatorError."""
        command = self.run(*words, **options)
        if command.wait():
            raise OperatorError(
                f"./inv {' '.join(words)} failed in the laboratory: {command.message} ({command.output})"
            )
        return command

    def end_commands(self) -> None:
        """Kill every process of the checkouts."""
        for work in (self.work, self.folder / "second-work"):
            processes.end_all(work)

    def heal(self) -> None:
        """Make the account reachable again, without disturbances."""
        self._check_open()
        url = self.account.start()
        if self._proxy is None:
            self._proxy = Proxy(url)
        else:
            self._proxy.forward(url)
        root = self.account.variables()
        if self._env is None or self._env.session.key != root["AWS_ACCESS_KEY_ID"]:
            self._env = Environment(self.settings, _SessionAt(self._proxy.url, root, self.settings.region))

    # ---- states ----

    def saved(self, name: str) -> Path:
        """Return the folder of a saved state."""
        return self.states / name

    def save(self, name: str) -> None:
        """Save the state of the account and of the work folder. The account restarts."""
        self.account.stop()
        target = self.states / name
        self._remove(target)
        for part in ("aws", "work"):
            if (self.folder / part).exists():
                _copy(self.folder / part, target / part)
        self.heal()

    def restore(self, name: str) -> None:
        """Return to a saved state, or with an empty name to an empty account."""
        self.end_commands()
        self.account.kill()
        self._remove(self.folder / "second-work")
        for part in ("aws", "work"):
            self._remove(self.folder / part)
            if name and (self.states / name / part).exists():
                _copy(self.states / name / part, self.folder / part)
        self.heal()

    # ---- inside ----

    def copy_checkout(self, name: str) -> Path:
        """Copy the files of this repository that are in git or new. Return the folder."""
        target = self.folder / name
        self._remove(target)
        for source in _sources():
            if source.parts[0] not in self.linked:
                (target / source).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / source, target / source)
        for linked in self.linked:
            (target / linked).symlink_to(ROOT / linked)
        (target / "environments" / f"{self.settings.environment}.toml").write_text(
            self.settings_file, encoding="utf-8"
        )
        return target

    def _check_open(self) -> None:
        if self._closed:
            raise OperatorError(f"The laboratory {self.folder} is closed.")

    def _variables(self, work: Path, keys: dict[str, str]) -> dict[str, str]:
        """Return the environment variables of a command. keys: credentials instead of the root user's."""
        account = {**self.account.variables(), **keys, "AWS_ENDPOINT_URL": self.proxy.url}
        return child_environment.build("inv", {**account, "INV_WORK": str(work)})

    def _keys(self, session: str) -> dict[str, str]:
        """Return the credentials of a session of the role; none for the root user."""
        if not self.role:
            return {}
        arn = f"arn:{self.env.partition}:iam::{self.env.account_id}:role/access/{self.settings.prefix}-{self.role}"
        name = re.sub(r"[^\w-]", "-", session)
        keys = self.env.client("sts").assume_role(RoleArn=arn, RoleSessionName=name)["Credentials"]
        return {
            "AWS_ACCESS_KEY_ID": keys["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": keys["SecretAccessKey"],
            "AWS_SESSION_TOKEN": keys["SessionToken"],
        }

    def _remove(self, folder: Path) -> None:
        shutil.rmtree(folder, ignore_errors=True)


class _SessionAt(boto3.Session):  # type: ignore[misc]  # boto3 has no types
    """A session whose clients call one URL, whatever the variables of this process say."""

    def __init__(self, url: str, variables: dict[str, str], region: str) -> None:
        self.key = variables["AWS_ACCESS_KEY_ID"]
        super().__init__(self.key, variables["AWS_SECRET_ACCESS_KEY"], region_name=region)
        self._url = url

    def client(self, service_name: str, **options: Any) -> Any:
        return super().client(service_name, endpoint_url=self._url, **options)


def states_folder(parent: Path, settings_file: str) -> Path:
    """Return the folder for the states that these sources and settings lead to. Those of others are removed."""
    digest = hashlib.sha256(settings_file.encode())
    for source in _sources():
        outside = source.parts[0] in ("docs", "tests") or source.suffix == ".md" or "faults" in str(source)
        if not outside:
            digest.update(str(source).encode() + (ROOT / source).read_bytes())
    folder = parent / digest.hexdigest()[:16]
    if not folder.exists():
        shutil.rmtree(parent, ignore_errors=True)
        folder.mkdir(parents=True)
    return folder


def _sources() -> list[Path]:
    listed = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        env=child_environment.build("program"),
        capture_output=True,
        encoding="utf-8",
        errors="surrogateescape",
    )
    if listed.returncode:
        raise OperatorError(
            f"./inv faults copies the files that git lists in {ROOT}: {listed.stderr.strip()}"
        )
    names = sorted({Path(name) for name in listed.stdout.split("\0") if name})
    return [name for name in names if (ROOT / name).is_file()]


def _copy(source: Path, target: Path) -> None:
    """Copy a folder with its symbolic links, without sockets and pipes."""

    def special(folder: str, names: list[str]) -> list[str]:
        modes = ((name, os.lstat(Path(folder, name)).st_mode) for name in names)
        return [n for n, mode in modes if stat.S_ISSOCK(mode) or stat.S_ISFIFO(mode)]

    shutil.copytree(source, target, symlinks=True, ignore=special)
