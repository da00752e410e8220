"""Which instance types keep their data on disks of their own, encrypted by hardware: no key can be asked for them."""

# Families whose names do not say it by a d.
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
    """Of a SageMaker type, such as ml.m5d.large."""
    family = instance_type.split(".")[1]
    return family in FAMILIES or family.rstrip("n").endswith("d")
