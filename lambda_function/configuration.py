"""The function's environment variables, read and checked once, when it starts."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
_MAX_BODY = 6_291_456  # bytes; InvokeEndpoint takes no more


@dataclass(frozen=True)
class Settings:
    """endpoint_name: ENDPOINT_NAME. max_image_bytes: MAX_IMAGE_BYTES, default 4,500,000 (base64 in Lambda's 6 MB).
    allowed_url_hosts: ALLOWED_URL_HOSTS, comma-separated, empty allows all public ones. image_bucket, image_prefix:
    IMAGE_BUCKET and IMAGE_PREFIX, without a bucket no S3. log_level: LOG_LEVEL, default INFO.
    """

    endpoint_name: str
    max_image_bytes: int
    allowed_url_hosts: tuple[str, ...]
    image_bucket: str
    image_prefix: str
    log_level: str

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> "Settings":
        """Raises ValueError, which stops the function from starting, naming the variable and its value."""
        endpoint_name = environment.get("ENDPOINT_NAME", "")
        if not re.fullmatch(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}", endpoint_name):
            raise ValueError(f"ENDPOINT_NAME is {endpoint_name!r}; it must be the name of an endpoint")
        size = environment.get("MAX_IMAGE_BYTES") or "4500000"
        if not size.isdecimal() or not 1 <= int(size) <= _MAX_BODY:
            raise ValueError(f"MAX_IMAGE_BYTES is {size!r}; it must be 1 to {_MAX_BODY}")
        hosts = [host.strip().lower() for host in environment.get("ALLOWED_URL_HOSTS", "").split(",")]
        hosts = [host for host in hosts if host]
        for host in hosts:
            if not re.fullmatch(r"(\*\.)?[a-z0-9-]+(\.[a-z0-9-]+)+", host):
                raise ValueError(
                    f"ALLOWED_URL_HOSTS has {host!r}; give host names, or *.name for those below it"
                )
        level = environment.get("LOG_LEVEL") or "INFO"
        if level not in LEVELS:
            raise ValueError(f"LOG_LEVEL is {level!r}; it must be one of {', '.join(LEVELS)}")
        return cls(
            endpoint_name,
            int(size),
            tuple(hosts),
            environment.get("IMAGE_BUCKET", ""),
            environment.get("IMAGE_PREFIX", ""),
            level,
        )
