"""A place to work in notebooks."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ops.settings.section import InstanceType, Section

Kind = Literal["studio", "notebook"]


class WorkbenchSettings(Section):
    """What ./inv workbench.up makes: kind studio, a SageMaker Studio domain with one user and a private space, or
    notebook, one notebook instance. volume_size_gb: of its home. idle_minutes: without use before it is stopped; 60 is
    Studio's least. internet: whether it reaches the internet through a network of SageMaker's own; else it is in the
    environment's private network, and reaches what that leads to."""

    kind: Kind = "studio"
    instance_type: InstanceType = "ml.t3.medium"
    volume_size_gb: int = Field(20, ge=5, le=100)
    idle_minutes: int = Field(60, ge=60, le=1440)
    internet: bool = False
