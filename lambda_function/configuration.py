"""The function's environment variables, read and validated once, when the function starts."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
MAX_BODY_BYTES = 6_291_456  # InvokeEndpoint's limit
DEFAULT_MAX_IMAGE_BYTES = 4_500_000  # base64 makes 6,000,000 of them, and Lambda's payload limit is 6 MB


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """The function's settings. Each field is the environment variable of the same name in upper case.

    endpoint_name: SageMaker endpoint to invoke. Required.
    max_image_bytes: largest image in bytes.
    allowed_url_hosts: host names, or *.name for all hosts below it, comma-separated. Empty allows all public hosts.
    image_bucket: the S3 bucket that images may be read from. Empty allows none.
    image_prefix: prefix of the keys that may be read.
    log_level: lowest level that is logged.
    """

    endpoint_name: str
    max_image_bytes: int = DEFAULT_MAX_IMAGE_BYTES
    allowed_url_hosts: tuple[str, ...] = ()
    image_bucket: str = ""
    image_prefix: str = ""
    log_level: str = "INFO"

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}", self.endpoint_name):
            raise ValueError(f"ENDPOINT_NAME is {self.endpoint_name!r}; it must be the name of an endpoint")
        if not 1 <= self.max_image_bytes <= MAX_BODY_BYTES:
            raise _invalid_size(self.max_image_bytes)
        for host in self.allowed_url_hosts:
            if not re.fullmatch(r"(\*\.)?[a-z0-9-]+(\.[a-z0-9-]+)+", host):
                raise ValueError(
                    f"ALLOWED_URL_HOSTS has {host!r}; use host names, or *.name for all hosts below it"
                )
        if self.log_level not in LEVELS:
            raise ValueError(f"LOG_LEVEL is {self.log_level!r}; it must be one of {', '.join(LEVELS)}")

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> "Settings":
        """Read the variables. Raises ValueError, with the variable and its value, which stops the start."""
        size = environment.get("MAX_IMAGE_BYTES") or str(DEFAULT_MAX_IMAGE_BYTES)
        if not size.isdecimal():
            raise _invalid_size(size)
        hosts = (host.strip().lower() for host in environment.get("ALLOWED_URL_HOSTS", "").split(","))
        return cls(
            endpoint_name=environment.get("ENDPOINT_NAME", ""),
            max_image_bytes=int(size),
            allowed_url_hosts=tuple(host for host in hosts if host),
            image_bucket=environment.get("IMAGE_BUCKET", ""),
            image_prefix=environment.get("IMAGE_PREFIX", ""),
            log_level=environment.get("LOG_LEVEL") or "INFO",
        )


def _invalid_size(size: object) -> ValueError:
    return ValueError(f"MAX_IMAGE_BYTES is {size!r}; it must be 1 to {MAX_BODY_BYTES}")
