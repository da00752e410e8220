"""What the trained part of the network sees: batches of images, or of their features."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch

from augmentation import Augmentation
from dataset import Split, SplitImages
from preprocess import Preprocess
from process_group import ProcessGroup
from sampling import share

Batch = tuple[torch.Tensor, torch.Tensor]


class Examples(Protocol):
    """The examples of a split. Inputs are float32 and, as the labels, on the device of the process group."""

    @property
    def split(self) -> Split:
        """Names, labels and classes."""

    def training_batches(
        self, batches: Sequence[torch.Tensor], seed: int, group: ProcessGroup, pairs: bool = False
    ) -> Iterator[Batch]:
        """Yield this rank's share of each batch of indices: inputs, int64 labels.

        Augmentation is drawn for the whole batch, so that the number of ranks does not change what the model sees.

        seed: of the augmentation.
        pairs: of sampling.share.
        """

    def evaluation_batches(self, batches: Sequence[torch.Tensor], group: ProcessGroup) -> Iterator[Batch]:
        """Yield each batch of indices as evaluation sees it: inputs, int64 labels."""


@dataclass(frozen=True, slots=True)
class ImageExamples:
    """Images, normalized: inputs [N, channels, image_size, image_size].

    augmentation: of training images.
    """

    images: SplitImages
    preprocess: Preprocess
    augmentation: Augmentation

    @property
    def split(self) -> Split:
        """Names, labels and classes."""
        return self.images.split

    def training_batches(
        self, batches: Sequence[torch.Tensor], seed: int, group: ProcessGroup, pairs: bool = False
    ) -> Iterator[Batch]:
        """Yield this rank's share of each batch, augmented."""
        generator = torch.Generator().manual_seed(seed)
        places = [share(len(batch), group.rank, group.world_size, pairs) for batch in batches]
        loaded = self.images.batches([batch[mine] for batch, mine in zip(batches, places, strict=True)])
        for batch, mine, (pixels, labels) in zip(batches, places, loaded, strict=True):
            changes = self.augmentation.draw(len(batch), generator)[mine]
            pixels = self.augmentation.apply(pixels.to(group.device, non_blocking=True), changes)
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
        self, batches: Sequence[torch.Tensor], seed: int, group: ProcessGroup, pairs: bool = False
    ) -> Iterator[Batch]:
        """Yield this rank's share of each batch, with one view of each image, drawn at random."""
        generator = torch.Generator().manual_seed(seed)
        for batch in batches:
            views = torch.randint(self.features.shape[1], (len(batch),), generator=generator)
            mine = share(len(batch), group.rank, group.world_size, pairs)
            yield self._batch(batch[mine], views[mine], group)

    def evaluation_batches(self, batches: Sequence[torch.Tensor], group: ProcessGroup) -> Iterator[Batch]:
        """Yield the features of each batch's images."""
        yield from (self._batch(batch, torch.zeros_like(batch), group) for batch in batches)

    def _batch(self, indices: torch.Tensor, views: torch.Tensor, group: ProcessGroup) -> Batch:
        inputs, labels = self.features[indices, views].float(), self.split.labels[indices]
        return inputs.to(group.device, non_blocking=True), labels.to(group.device, non_blocking=True)
