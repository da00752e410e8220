"""ImageFolder splits, batches and augmentation."""

import shutil

import pytest
import torch
from PIL import Image

from dataset import SplitImages, check_classes, check_count, detect_channels, read_split, stream
from errors import InputError
from preprocess import Preprocess
from process_group import ProcessGroup
from tests.ml.container.shard_kit import write_shards

GROUP = ProcessGroup(0, 1, torch.device("cpu"))
GRAY = Preprocess(image_size=8, resize_size=8, channels=1, mean=(0.5,), std=(0.5,))


def test_read_split_sorts_the_classes(shades):
    split = read_split("train", shades / "train")
    assert split.classes == ("dark", "light")
    assert split.labels.tolist() == [0] * 20 + [1] * 20
    assert all(
        path.parent.name == split.classes[label]
        for path, label in zip(split.paths, split.labels, strict=True)
    )
    assert detect_channels(split) == 1


def test_read_split_refuses_a_folder_without_classes(tmp_path):
    with pytest.raises(InputError, match="'valid' has no class folders"):
        read_split("valid", tmp_path)


def test_read_split_refuses_a_class_without_images(tmp_path, shades):
    shutil.copytree(shades / "valid", tmp_path, dirs_exist_ok=True)
    (tmp_path / "medium").mkdir()
    with pytest.raises(InputError, match="class 'medium' of channel 'valid' has no images"):
        read_split("valid", tmp_path)


@pytest.mark.parametrize("place", ["notes.txt", "dark/session1/0.png"])
def test_read_split_refuses_what_is_no_image_of_a_class(tmp_path, shades, place):
    shutil.copytree(shades / "valid", tmp_path, dirs_exist_ok=True)
    (tmp_path / place).parent.mkdir(exist_ok=True)
    shutil.copy(shades / "valid" / "dark" / "0.png", tmp_path / place)
    with pytest.raises(InputError, match=r"(notes.txt|session1).*expected <class>/<image>"):
        read_split("valid", tmp_path)


def test_read_split_leaves_out_no_file_whatever_its_name(tmp_path, shades):
    shutil.copytree(shades / "valid", tmp_path, dirs_exist_ok=True)
    for name in ("a.bmp", "b", ".hidden", "c.txt"):
        shutil.copy(shades / "valid" / "dark" / "0.png", tmp_path / "dark" / name)
    assert len(read_split("valid", tmp_path).paths) == 20


def test_check_count_refuses_another_number_than_the_manifest_has(shades):
    split = read_split("valid", shades / "valid")
    check_count(split, 16)
    check_count(split, None)
    with pytest.raises(
        InputError, match=r"channel 'valid' has 16 images and .* has 24; run \./inv data again"
    ):
        check_count(split, 24)


@pytest.mark.parametrize(("mode", "channels"), [("L", 1), ("RGB", 3)])
def test_all_images_decide_the_number_of_channels(tmp_path, shades, mode, channels):
    shutil.copytree(shades / "valid", tmp_path, dirs_exist_ok=True)
    Image.new(mode, (12, 12)).save(tmp_path / "light" / "9.png")  # not the first one of its class
    assert detect_channels(read_split("valid", tmp_path)) == channels


def test_check_classes_refuses_splits_with_different_classes(tmp_path, shades):
    shutil.copytree(shades / "valid", tmp_path, dirs_exist_ok=True)
    (tmp_path / "dark").rename(tmp_path / "darker")
    train, valid = read_split("train", shades / "train"), read_split("valid", tmp_path)
    with pytest.raises(InputError, match=r"missing \['dark'\], unknown \['darker'\]"):
        check_classes(train, valid)


@pytest.mark.parametrize("memory_limit", [2**20, 0])
def test_an_image_that_cannot_be_decoded_is_named(tmp_path, shades, memory_limit):
    shutil.copytree(shades / "valid", tmp_path / "valid")
    (tmp_path / "valid" / "light" / "3.png").write_bytes(b"broken")
    with pytest.raises(InputError, match=r"light/3\.png"):
        SplitImages(read_split("valid", tmp_path / "valid"), GRAY, GROUP, tmp_path, memory_limit)


def test_batches_are_the_same_from_memory_and_from_a_file(shades, tmp_path):
    split = read_split("valid", shades / "valid")
    indices = [torch.tensor([3, 0, 9]), torch.tensor([15]), torch.tensor([], dtype=torch.int64)]
    in_memory = list(SplitImages(split, GRAY, GROUP, tmp_path).batches(indices))
    assert not list(tmp_path.iterdir())
    from_file = list(SplitImages(split, GRAY, GROUP, tmp_path, memory_limit=0).batches(indices))
    assert (tmp_path / "valid").is_dir()
    assert [labels.tolist() for _, labels in in_memory] == [[0, 0, 1], [1], []]
    for (images, labels), (other_images, other_labels) in zip(in_memory, from_file, strict=True):
        assert torch.equal(images, other_images)
        assert torch.equal(labels, other_labels)
    streamed = list(stream(split, GRAY, indices))
    assert all(torch.equal(images, other) for (images, _), other in zip(in_memory, streamed, strict=True))


def test_batches_are_the_same_from_files_and_from_shards(shades, tmp_path):
    sharded = read_split("train", write_shards(shades, tmp_path / "shards", 20_000) / "train")
    split = read_split("train", shades / "train")
    assert sharded.shards is not None and len(sharded.shards.shards) > 2
    assert (sharded.classes, sharded.labels.tolist()) == (split.classes, split.labels.tolist())
    assert [str(path) for path in sharded.paths] == [f"{p.parent.name}/{p.name}" for p in split.paths]
    assert detect_channels(sharded) == 1
    indices = [torch.arange(40)]
    [(images, labels)] = SplitImages(sharded, GRAY, GROUP, tmp_path).batches(indices)
    [(expected, expected_labels)] = SplitImages(split, GRAY, GROUP, tmp_path).batches(indices)
    assert torch.equal(images, expected) and torch.equal(labels, expected_labels)
    order = sharded.order()
    assert sorted(order.tolist()) == list(range(40)) and order.tolist() != list(range(40))
    share = order[1::2].split(7)  # as one of two ranks reads it
    assert torch.equal(torch.cat(list(stream(sharded, GRAY, share))), expected[order[1::2]])
    with pytest.raises(ValueError, match="not in the order"):
        list(stream(sharded, GRAY, [torch.arange(40)]))


def test_a_broken_image_in_a_shard_is_named(shades, tmp_path):
    shutil.copytree(shades, tmp_path / "broken")
    (tmp_path / "broken/valid/light/3.png").write_bytes((shades / "valid/light/3.png").read_bytes()[:60])
    split = read_split("valid", write_shards(tmp_path / "broken", tmp_path / "shards", 20_000) / "valid")
    with pytest.raises(InputError, match=r"light/3\.png: the PNG image"):
        SplitImages(split, GRAY, GROUP, tmp_path)
