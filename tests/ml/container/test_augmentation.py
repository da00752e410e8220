"""What augmentation draws and does: shapes, ranges, reproducibility, and no waiting for a device."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode

import augmentation
from augmentation import Augmentation, crop_and_flip, random_crops
from preprocess import Preprocess

COLOR = Preprocess(image_size=16, resize_size=20, channels=3, mean=(0.4, 0.5, 0.6), std=(0.2, 0.2, 0.2))
GRAY = Preprocess(image_size=8, resize_size=8, channels=1, mean=(0.5,), std=(0.5,))
WIDE = Preprocess(image_size=4, resize_size=6, channels=1, mean=(0.5,), std=(0.5,))
POLICIES = ("none", "crop-flip", "rand", "trivial")


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pictures(count: int, preprocess: Preprocess) -> torch.Tensor:
    size = preprocess.resize_size
    return torch.randint(
        256, (count, preprocess.channels, size, size), dtype=torch.uint8, generator=seeded(3)
    )


@settings(max_examples=25, deadline=None)
@given(
    policy=st.sampled_from(POLICIES),
    preprocess=st.sampled_from([COLOR, GRAY]),
    erasing=st.sampled_from([0.0, 0.5]),
    count=st.integers(1, 12),
    ranks=st.integers(1, 3),
    seed=st.integers(0, 1000),
)
def test_the_shares_of_ranks_are_the_whole_batch(policy, preprocess, erasing, count, ranks, seed):
    chosen = Augmentation(preprocess, policy, flip=True, erasing=erasing)
    images = pictures(count, preprocess)
    whole = chosen.apply(images, chosen.draw(count, seeded(seed)))
    assert whole.dtype == torch.uint8
    assert whole.shape == (count, preprocess.channels, preprocess.image_size, preprocess.image_size)
    for rank in range(min(ranks, count)):
        share = slice(rank, None, ranks)
        changes = chosen.draw(count, seeded(seed))[share]
        assert torch.equal(chosen.apply(images[share], changes), whole[share])


def test_without_augmentation_training_images_are_those_of_evaluation():
    chosen = Augmentation(COLOR, "none", flip=True)
    images = pictures(5, COLOR)
    assert torch.equal(chosen.apply(images, chosen.draw(5, seeded(0))), COLOR.crop(images))


@pytest.mark.parametrize("policy", POLICIES[1:])
def test_images_change_and_differ_from_epoch_to_epoch(policy):
    chosen = Augmentation(COLOR, policy, flip=True)
    images = pictures(20, COLOR)
    first, second = (chosen.apply(images, chosen.draw(20, seeded(seed))) for seed in (1, 2))
    assert not torch.equal(first, second)
    assert not torch.equal(first, COLOR.crop(images))


def test_erasing_hits_its_share_of_the_images_with_rectangles_of_the_mean_color():
    chosen = Augmentation(COLOR, "none", flip=False, erasing=0.25)
    changes = chosen.draw(2000, seeded(1))
    erased = changes.erased[changes.erased[:, 2] > 0]
    assert 0.21 < len(erased) / 2000 < 0.29
    assert ((erased[:, 0] + erased[:, 2]) <= 16).all()
    assert ((erased[:, 1] + erased[:, 3]) <= 16).all()
    area = (erased[:, 2] * erased[:, 3]).float() / 256
    assert 0.1 < area.mean() < 0.25
    images = torch.full((2000, 3, 20, 20), 7, dtype=torch.uint8)
    found = chosen.apply(images, changes)
    gone = (found != 7).all(dim=1)
    assert torch.equal(gone.sum(dim=(1, 2)), changes.erased[:, 2] * changes.erased[:, 3])
    assert found[gone.unsqueeze(1).expand_as(found)].unique().tolist() == [102, 128, 153]


class Copies(TorchDispatchMode):
    """Record the copies for which the host would wait."""

    def __init__(self):
        super().__init__()
        self.waited = []

    def __torch_dispatch__(self, function, types, arguments=(), options=None):
        options = options or {}
        result = function(*arguments, **options)
        if function is torch.ops.aten._to_copy.default:
            crosses = arguments[0].device != result.device
            if crosses and not options.get("non_blocking"):
                self.waited.append(function)
        return result


@pytest.mark.parametrize("policy", POLICIES)
def test_the_host_does_not_wait_for_a_gpu(policy):
    """The meta device stands for the GPU: it has no values to read. `Copies` finds what is copied in between."""
    chosen = Augmentation(COLOR, policy, flip=True, erasing=0.5)
    changes = chosen.draw(64, seeded(1))  # every operation
    images = torch.empty(64, 3, 20, 20, dtype=torch.uint8, device="meta")
    with Copies() as copies:
        found = chosen.apply(images, changes)
        assert found.device.type == "meta"
        assert copies.waited == []


def test_the_check_for_waiting_can_fail():
    images = torch.empty(4, device="meta")
    with pytest.raises((RuntimeError, NotImplementedError)):
        images.max().item()
    with Copies() as copies:
        images + torch.ones(4).to(images.device)
    assert len(copies.waited) == 1


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
@pytest.mark.parametrize("policy", POLICIES)
def test_a_gpu_gives_the_processor_s_pixels_without_synchronizing(policy):
    chosen = Augmentation(COLOR, policy, flip=True, erasing=0.5)
    changes = chosen.draw(64, seeded(1))
    images = pictures(64, COLOR)
    expected = chosen.apply(images, changes)
    on_gpu = images.cuda()
    torch.cuda.set_sync_debug_mode("error")
    try:
        found = chosen.apply(on_gpu, changes)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert ((found.cpu().int() - expected.int()).abs() > 1).float().mean() < 0.01


def test_the_crops_of_large_images_on_a_processor_are_those_of_a_gpu():
    large = Preprocess(image_size=56, resize_size=64, channels=3, mean=(0.5,) * 3, std=(0.5,) * 3)
    images, crops = pictures(9, large), random_crops(9, large, True, seeded(1))
    assert torch.equal(augmentation._copy(images, crops, 56), augmentation._gather(images, crops, 56))


def test_crop_and_flip_takes_the_given_crop():
    image = torch.arange(36, dtype=torch.uint8).view(1, 1, 6, 6)
    crops = torch.tensor([[0, 1, 0], [2, 2, 1]])
    cropped = crop_and_flip(image.expand(2, -1, -1, -1), crops, WIDE)
    assert torch.equal(cropped[0], image[0, :, 0:4, 1:5])
    assert torch.equal(cropped[1], image[0, :, 2:6, 2:6].flip(2))


def test_an_image_without_margin_is_cropped_within_a_border():
    whole = Preprocess(image_size=32, resize_size=32, channels=1, mean=(0.5,), std=(0.5,))
    image = torch.randint(256, (1, 1, 32, 32), dtype=torch.uint8)
    assert torch.equal(crop_and_flip(image, torch.tensor([[2, 2, 0]]), whole), image)
    assert torch.equal(crop_and_flip(image, torch.tensor([[4, 2, 0]]), whole)[..., :30, :], image[..., 2:, :])


def test_random_crops_stay_in_range_and_depend_on_the_generator():
    drawn = [random_crops(500, WIDE, flip, torch.Generator().manual_seed(3)) for flip in (True, True, False)]
    assert torch.equal(drawn[0], drawn[1])
    assert drawn[0].amin(0).tolist() == [0, 0, 0]
    assert drawn[0].amax(0).tolist() == [2, 2, 1]
    assert drawn[2][:, 2].sum() == 0
