"""Root access key of the account: random, created on first use, file mode 0600. Standard library only."""

from __future__ import annotations

import json
import os
import secrets
import string
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Credentials:
    """An access key."""

    aws_access_key_id: str
    aws_secret_access_key: str

    def variables(self) -> dict[str, str]:
        """Return the environment variables that SDKs read."""
        return {
            "AWS_ACCESS_KEY_ID": self.aws_access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.aws_secret_access_key,
        }


def _random(length: int, alphabet: str) -> str:
    return "".join(secrets.choice(alphabet) for _ in range(length))


def root(home: Path) -> Credentials:
    """Return the root access key of the embedded AWS in `home`; create it if missing."""
    path = home / "credentials.json"
    try:
        return Credentials(**json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        created = Credentials(
            "AKIA" + _random(16, string.ascii_uppercase + "234567"),
            _random(40, string.ascii_letters + string.digits),
        )
    home.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    with os.fdopen(
        os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8"
    ) as file:
        json.dump(asdict(created), file)
    try:
        os.link(draft, path)  # fails if another process was first: its key is used
    except FileExistsError:
        return Credentials(**json.loads(path.read_text(encoding="utf-8")))
    finally:
        draft.unlink()
    return created
