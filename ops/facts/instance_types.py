"""Facts about SageMaker instance types by name, as of November 2026."""

from __future__ import annotations

import re

# Families with a d (m5d, g4dn, p4de), and families that always have local disks. modules/endpoint has the same pattern.
_LOCAL_NVME = re.compile(
    r"^ml\.([a-z]+[0-9]+[a-z]*d[a-z]*|dl[12]q?|g5|g[67]e?|gr6|p5[a-z]*|p6e?-[a-z0-9]+|trn[12][a-z]*)\."
)


def has_local_nvme(instance_type: str) -> bool:
    """Return whether the instances have local NVMe disks. Their hardware encrypts them, and SageMaker refuses a KMS key."""
    return _LOCAL_NVME.match(instance_type) is not None
