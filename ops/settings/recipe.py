"""The training recipe: what a training program may vary but for the network, epochs, batch size and learning rate."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ops.settings.section import Section


class RecipeSettings(Section):
    """Training recipe. The search can tune each of these too."""

    warmup: float = Field(
        0.05,
        ge=0,
        le=0.9,
        description="Share of the steps with a rising learning rate; cosine decay follows.",
    )
    augmentation: Literal["none", "crop-flip", "rand", "trivial"] = Field(
        "crop-flip",
        description="Random changes of training images: none, crops and flips, RandAugment, TrivialAugment.",
    )
    feature_views: int = Field(
        1,
        ge=1,
        le=64,
        description="With mode linear-probe: views of each training image whose features are computed; "
        "all but the first are augmented.",
    )
    random_erasing: float = Field(
        0.0, ge=0, le=1, description="Probability that a rectangle of a training image is erased."
    )
    mixup: float = Field(0.0, ge=0, le=10, description="Alpha of mixup. 0: off.")
    cutmix: float = Field(0.0, ge=0, le=10, description="Alpha of cutmix. 0: off.")
    label_smoothing: float = Field(0.0, ge=0, le=0.9, description="Label smoothing of the loss.")
    class_balance: Literal["none", "weights", "sampling"] = Field(
        "none", description="For classes of different size: weigh the loss, or sample images, by class."
    )
    ema_decay: float = Field(
        0.0, ge=0, le=0.99999, description="Decay of the moving average of the weights. 0: off."
    )
    clip_norm: float = Field(0.0, ge=0, le=1e6, description="Largest norm of the gradient. 0: no limit.")
    accumulation_steps: int = Field(
        1, ge=1, le=1024, description="Parts of a batch whose gradients are added up, to save memory."
    )
    patience: int = Field(
        0,
        ge=0,
        le=10_000,
        description="Epochs without a better validation loss after which to stop. 0: never.",
    )
    backbone_rate: float = Field(
        0.1, ge=0, le=1, description="Learning rate of the backbone, as a share of the head's."
    )
    layer_decay: float = Field(
        1.0, ge=0.01, le=1, description="Factor of the learning rate from each stage to the one before it."
    )
    unfreeze_epochs: int = Field(
        1, ge=1, le=1000, description="With mode gradual-unfreezing: epochs between the stages."
    )
    precision: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        "auto", description="Precision of the forward pass. auto: what the hardware is fast with."
    )

    def hyperparameters(self) -> dict[str, str]:
        """Return the recipe as arguments of the training program."""
        return {name.replace("_", "-"): str(value) for name, value in self.model_dump().items()}
