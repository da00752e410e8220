"""ImageFolder splits, the batches of an epoch and the augmentation."""

import shutil

import pytest
import torch

from dataset import (
    Pictures,
    augment,
    channels_of,
    check_classes,
    evaluation_batches,
    random_places,
    read_split,
    train_batches,
)
from errors import InputError
from preprocess import Preprocess

GRAY = Preprocess(image_size=8, resize_size=8, channels=1, mean=(0.5,), std=(0.5,))
WIDE = Preprocess(image_size=4, resize_size=6, channels=1, mean=(0.5,), std=(0.5,))


def test_reads_classes_in_sorted_order(shades):
    split = read_split("train", shades / "train")
    assert split.classes == ("dark", "light")
    assert split.labels.tolist() == [0] * 20 + [1] * 20
    assert all(
        path.parent.name == split.classes[label]
        for path, label in zip(split.paths, split.labels, strict=True)
    )
    assert channels_of(split) == 1


def test_refuses_a_folder_without_classes(tmp_path):
    with pytest.raises(InputError, match="'valid' has no class folders"):
        read_split("valid", tmp_path)


def test_refuses_an_empty_class(tmp_path, shades):
    shutil.copytree(shades / "valid", tmp_path, dirs_exist_ok=True)
    (tmp_path / "medium").mkdir()
    (tmp_path / "medium" / "notes.txt").write_text("no picture")
    with pytest.raises(InputError, match="class 'medium' of channel 'valid' has no pictures"):
        read_split("valid", tmp_path)


def test_refuses_splits_of_different_classes(tmp_path, shades):
    shutil.copytree(shades / "valid", tmp_path, dirs_exist_ok=True)
    (tmp_path / "dark").rename(tmp_path / "darker")
    train, valid = read_split("train", shades / "train"), read_split("valid", tmp_path)
    with pytest.raises(InputError, match=r"missing \['dark'\], unknown \['darker'\]"):
        check_classes(train, valid)


def test_names_the_picture_that_cannot_be_decoded(tmp_path, shades):
    shutil.copytree(shades / "valid", tmp_path, dirs_exist_ok=True)
    (tmp_path / "light" / "3.png").write_bytes(b"broken")
    with pytest.raises(InputError, match=r"light/3\.png"):
        Pictures(read_split("valid", tmp_path), GRAY)


def test_memory_and_workers_give_the_same_batches(shades):
    split = read_split("valid", shades / "valid")
    indices = [torch.tensor([3, 0, 9]), torch.tensor([15])]
    in_memory = list(Pictures(split, GRAY).batches(indices))
    by_workers = list(Pictures(split, GRAY, memory_limit=0).batches(indices))
    assert [labels.tolist() for _, labels in in_memory] == [[0, 0, 1], [1]]
    for (images, labels), (other_images, other_labels) in zip(in_memory, by_workers, strict=True):
        assert torch.equal(images, other_images)
        assert torch.equal(labels, other_labels)


def test_an_epoch_sees_every_picture_once_in_batches_of_one_size():
    batches = train_batches(103, batch_size=20, seed=5, epoch=1)
    assert torch.cat(batches).sort().values.tolist() == list(range(103))
    assert sorted(len(batch) for batch in batches) == [17, 17, 17, 17, 17, 18]


def test_batches_depend_on_seed_and_epoch_alone():
    def order(**choice):
        return torch.cat(train_batches(50, batch_size=7, **choice)).tolist()

    assert order(seed=1, epoch=1) == order(seed=1, epoch=1)
    assert order(seed=1, epoch=1) != order(seed=1, epoch=2)
    assert order(seed=1, epoch=1) != order(seed=2, epoch=1)


@pytest.mark.parametrize("count", [1, 10, 11])
def test_ranks_share_a_split_without_overlap(count):
    shares = [
        index for rank in range(3) for b in evaluation_batches(count, 2, rank, 3) for index in b.tolist()
    ]
    assert sorted(shares) == list(range(count))


def test_crops_where_it_is_told_and_mirrors():
    image = torch.arange(36, dtype=torch.uint8).view(1, 1, 6, 6)
    places = torch.tensor([[0, 1, 0], [2, 2, 1]])
    cropped = augment(image.expand(2, -1, -1, -1), places, WIDE)
    assert torch.equal(cropped[0], image[0, :, 0:4, 1:5])
    assert torch.equal(cropped[1], image[0, :, 2:6, 2:6].flip(2))


def test_a_picture_without_margin_moves_within_a_border():
    whole = Preprocess(image_size=32, resize_size=32, channels=1, mean=(0.5,), std=(0.5,))
    image = torch.randint(256, (1, 1, 32, 32), dtype=torch.uint8)
    assert torch.equal(augment(image, torch.tensor([[2, 2, 0]]), whole), image)
    assert torch.equal(augment(image, torch.tensor([[4, 2, 0]]), whole)[..., :30, :], image[..., 2:, :])


def test_random_places_stay_in_range_and_follow_the_generator():
    draw = [
        random_places(500, WIDE, mirror, torch.Generator().manual_seed(3)) for mirror in (True, True, False)
    ]
    assert torch.equal(draw[0], draw[1])
    assert draw[0].amin(0).tolist() == [0, 0, 0]
    assert draw[0].amax(0).tolist() == [2, 2, 1]
    assert draw[2][:, 2].sum() == 0
