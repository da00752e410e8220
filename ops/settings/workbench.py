"""The SageMaker workbench for notebooks."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ops.settings.section import InstanceType, Section

Kind = Literal["studio", "notebook"]


class WorkbenchSettings(Section):
    """Workbench that `./inv workbench.up` creates."""

    kind: Kind = Field(
        "studio",
        description="studio: a SageMaker Studio domain with one user and a private space. notebook: a notebook instance.",
    )
    instance_type: InstanceType = Field("ml.t3.medium", description="SageMaker instance type.")
    volume_size_gb: int = Field(20, ge=5, le=100, description="Size of the home volume in GiB.")
    idle_minutes: int = Field(
        60, ge=60, le=1440, description="Idle minutes before it stops. Studio accepts 60 or more."
    )
    internet: bool = Field(
        False,
        description="Access the internet through a network of SageMaker's. Otherwise it uses the environment's VPC.",
    )
