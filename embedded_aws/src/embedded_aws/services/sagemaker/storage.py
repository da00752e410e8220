"""Instance types with local storage. Hardware encrypts it, so no KMS key can be set for it."""

# Families with local storage, besides those whose name ends in d.
FAMILIES = (
    "dl1",
    "dl2q",
    "g5",
    "g6",
    "g6e",
    "g7",
    "g7e",
    "gr6",
    "p4de",
    "p5",
    "p5e",
    "p5en",
    "p6-b200",
    "p6-b300",
    "p6e-gb200",
    "trn1",
    "trn1n",
    "trn2",
)


def has_local_storage(instance_type: str) -> bool:
    """Return whether a SageMaker instance type, for example ml.m5d.large, has local storage."""
    family = instance_type.split(".")[1]
    return family in FAMILIES or family.rstrip("n").endswith("d")
