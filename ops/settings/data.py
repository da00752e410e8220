"""How a data set is stored."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ops.settings.section import Section


class DataSettings(Section):
    """Storage of the data set."""

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
