"""Threads and precision: decided by the work and the hardware, not by the load."""

import pytest
import torch
from torch import nn

from model import build_model
from precision import autocast, choose_precision
from threads import count_flops, set_threads


@pytest.fixture(autouse=True)
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(("flops", "threads"), [(0, 1), (3.9e9, 1), (4e9, 2), (1e15, 2)])
def test_a_thread_needs_enough_work(flops, threads):
    assert set_threads(flops, 1) == threads == torch.get_num_threads()


def test_ranks_of_a_host_share_its_threads():
    assert set_threads(1e15, 2) == 1


def test_small_cnn_has_too_little_work_for_two_threads():
    model = build_model("small_cnn", 10, channels=1, image_size=32)
    flops = count_flops(model, 1, 32)
    assert 2e6 < flops < 20e6
    assert set_threads(flops * 64, 1) == 1
    assert model.training  # counting changes nothing


def test_flops_of_a_linear_layer():
    model = nn.Sequential(nn.Flatten(), nn.Linear(12, 5))
    assert count_flops(model, 3, 2) == 2 * 12 * 5


def test_the_precision_is_what_was_asked_for():
    for name in ("float32", "bfloat16", "float16"):
        assert choose_precision(name, torch.device("cpu"), 1e12) == getattr(torch, name)


@pytest.mark.parametrize(
    ("fast", "flops", "expected"), [(True, 1e9, "bfloat16"), (True, 1e6, "float32"), (False, 1e9, "float32")]
)
def test_auto_is_bfloat16_where_the_hardware_has_it_and_the_network_is_large(
    monkeypatch, fast, flops, expected
):
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: fast)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    assert choose_precision("auto", torch.device("cpu"), flops) == getattr(torch, expected)


def test_autocast_of_float32_changes_nothing():
    layer, inputs = nn.Linear(4, 4), torch.ones(2, 4)
    with autocast(torch.device("cpu"), torch.float32):
        assert layer(inputs).dtype == torch.float32
    with autocast(torch.device("cpu"), torch.bfloat16):
        assert layer(inputs).dtype == torch.bfloat16
