"""The texts of the model card, which the model registry keeps with each version."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ops.settings.section import Section


class ModelCardSettings(Section):
    """Texts of the model card. Data, recipe and metrics are filled in from each training."""

    owner: str = Field("", max_length=1024, description="Person or team that answers for the model.")
    purpose: str = Field(
        "Assign an image to one of the classes that it was trained on.",
        max_length=2048,
        description="Why the model was made.",
    )
    intended_uses: str = Field(
        "Images like those of the data set: the same subjects, cameras and framing.",
        max_length=2048,
        description="What the model is for.",
    )
    limits: str = Field(
        "The model knows no other classes: it assigns every image to one of its own. The metrics hold for images like "
        "those of the test split; measure again before a use with other images.",
        max_length=2048,
        description="What the model is not for, and what to watch.",
    )
    ethical_considerations: str = Field(
        "", max_length=2048, description="Whom decisions of the model affect, and how. Unset: not stated."
    )
    risk_rating: Literal["High", "Medium", "Low", "Unknown"] = Field(
        "Unknown", description="Your organization's risk rating of the model."
    )
