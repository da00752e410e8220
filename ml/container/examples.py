"""What the trained part of the network sees: batches of images, or of their features."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch

from augmentation import crop_and_flip, random_crops
from dataset import Split, SplitImages
from preprocess import Preprocess
from process_group import ProcessGroup

Batch = tuple[torch.Tensor, torch.Tensor]


class Examples(Protocol):
    """The examples of a split. Inputs are float32 and, as the labels, on the device of the process group."""

    @property
    def split(self) -> Split:
        """Names, labels and classes."""

    def training_batches(
        self, batches: Sequence[torch.Tensor], seed: int, group: ProcessGroup
    ) -> Iterator[Batch]:
        """Yield this rank's share of each batch of indices: inputs, int64 labels.

        Augmentation is drawn for the whole batch, so that the number of ranks does not change what the model sees.

        seed: of the augmentation.
        """

    def evaluation_batches(self, batches: Sequence[torch.Tensor], group: ProcessGroup) -> Iterator[Batch]:
        """Yield each batch of indices as evaluation sees it: inputs, int64 labels."""


@dataclass(frozen=True, slots=True)
class ImageExamples:
    """Images, normalized: inputs [N, channels, image_size, image_size].

    flip: whether training flips half of the images.
    """

    images: SplitImages
    preprocess: Preprocess
    flip: bool

    @property
    def split(self) -> Split:
        """Names, labels and classes."""
        return self.images.split

    def training_batches(
        self, batches: Sequence[torch.Tensor], seed: int, group: ProcessGroup
    ) -> Iterator[Batch]:
        """Yield this rank's share of each batch, cropped and flipped at random."""
        generator = torch.Generator().manual_seed(seed)
        share = slice(group.rank, None, group.world_size)
        loaded = self.images.batches([batch[share] for batch in batches])
        for batch, (pixels, labels) in zip(batches, loaded, strict=True):
            crops = random_crops(len(batch), self.preprocess, self.flip, generator)[share]
            pixels = crop_and_flip(pixels.to(group.device, non_blocking=True), crops, self.preprocess)
            yield self.preprocess.normalize(pixels), labels.to(group.device, non_blocking=True)

    def evaluation_batches(self, batches: Sequence[torch.Tensor], group: ProcessGroup) -> Iterator[Batch]:
        """Yield each batch, cropped to the center."""
        for pixels, labels in self.images.batches(batches):
            pixels = self.preprocess.crop(pixels.to(group.device, non_blocking=True))
            yield self.preprocess.normalize(pixels), labels.to(group.device, non_blocking=True)


@dataclass(frozen=True, slots=True)
class FeatureExamples:
    """Features of a frozen backbone: inputs [N, D].

    features: [len(split.paths), views, D]; view 0 is what evaluation sees.
    """

    split: Split
    features: torch.Tensor

    def training_batches(
        self, batches: Sequence[torch.Tensor], seed: int, group: ProcessGroup
    ) -> Iterator[Batch]:
        """Yield this rank's share of each batch, with one view of each image, drawn at random."""
        generator = torch.Generator().manual_seed(seed)
        share = slice(group.rank, None, group.world_size)
        for batch in batches:
            views = torch.randint(self.features.shape[1], (len(batch),), generator=generator)
            yield self._batch(batch[share], views[share], group)

    def evaluation_batches(self, batches: Sequence[torch.Tensor], group: ProcessGroup) -> Iterator[Batch]:
        """Yield the features of each batch's images."""
        yield from (self._batch(batch, torch.zeros_like(batch), group) for batch in batches)

    def _batch(self, indices: torch.Tensor, views: torch.Tensor, group: ProcessGroup) -> Batch:
        inputs, labels = self.features[indices, views].float(), self.split.labels[indices]
        return inputs.to(group.device, non_blocking=True), labels.to(group.device, non_blocking=True)
