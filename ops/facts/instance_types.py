"""What the name of a SageMaker instance type tells about its machines."""

from __future__ import annotations

import re

# As modules/endpoint has it: families with a d (m5d, g4dn, p4de), and those that always have local disks.
_LOCAL_NVME = re.compile(
    r"^ml\.([a-z]+[0-9]+[a-z]*d[a-z]*|dl[12]q?|g5|g[67]e?|gr6|p5[a-z]*|p6e?-[a-z0-9]+|trn[12][a-z]*)\."
)


def has_local_nvme(instance_type: str) -> bool:
    """Whether the instances keep data on local NVMe disks, which hardware encrypts: SageMaker refuses a key for them."""
    return _LOCAL_NVME.match(instance_type) is not None
