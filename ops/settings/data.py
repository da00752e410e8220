"""How a data set is stored."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ops.settings.section import InstanceType, Section


class ProcessingSettings(Section):
    """Processing job of `./inv data --on sagemaker`."""

    instance_type: InstanceType = Field("ml.m5.xlarge", description="SageMaker instance type.")
    volume_size_gb: int = Field(
        100,
        ge=1,
        le=16384,
        description="Size of the volume in GiB. It holds the source; an archive and its content.",
    )
    max_runtime_seconds: int = Field(
        6 * 3600, ge=60, le=5 * 86400, description="Time limit: SageMaker stops the job after it."
    )


class DataSettings(Section):
    """Storage of the data set, and the job that makes one."""

    shards: Literal["auto", "always", "never"] = Field(
        "auto",
        description="Store images in shards (tar files of the WebDataset format) instead of one object for each image: "
        "always, never, or for more than shards_above_images.",
    )
    shards_above_images: int = Field(
        100_000, ge=1, description="Number of images above which `auto` uses shards."
    )
    shard_megabytes: int = Field(
        256,
        ge=1,
        le=1024,
        description="Largest size of a shard in MiB. Most shards have between half of it and all of it.",
    )
    processing: ProcessingSettings = ProcessingSettings()
