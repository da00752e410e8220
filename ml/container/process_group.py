"""Data-parallel training: the process group of the job's hosts and GPUs."""

from __future__ import annotations

import os
import socket
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import nn

from environment import TrainingEnvironment
from errors import InputError

TIMEOUT = timedelta(minutes=10)  # for a host that starts late or decodes slowly
DEFAULT_PORT = "7777"  # the SageMaker toolkit's default


@dataclass(frozen=True, slots=True)
class ProcessGroup:
    """This process and its process group. Every rank must call the collective methods.

    rank: rank of this process, from 0.
    world_size: number of ranks.
    device: device of this process's model and batches.
    local_rank, local_size: rank of this process on its host, from 0, and number of ranks on the host.
    """

    rank: int
    world_size: int
    device: torch.device
    local_rank: int = 0
    local_size: int = 1

    @property
    def is_main(self) -> bool:
        """Whether this is rank 0, which prints and saves."""
        return self.rank == 0

    def wrap(self, model: nn.Module) -> nn.Module:
        """Move the model to the device. With several ranks, average its gradients over them (DDP)."""
        model = model.to(self.device)
        if self.world_size == 1:
            return model
        # Convolutions with one input channel cause this warning: two descriptions of their memory layout are equal.
        warnings.filterwarnings("ignore", "Grad strides do not match bucket view strides")
        # Buffers are synchronized once an epoch, by synchronize, instead of before every step.
        return nn.parallel.DistributedDataParallel(
            model, broadcast_buffers=False, gradient_as_bucket_view=True
        )

    def synchronize(self, model: nn.Module) -> None:
        """Set the buffers of all ranks to their mean: each rank has running statistics of its own batches. Collective."""
        buffers = [buffer for buffer in model.buffers() if buffer.is_floating_point()]
        if self.world_size == 1 or not buffers:
            return
        mean = self.sum(torch.cat([buffer.flatten() for buffer in buffers])) / self.world_size
        for buffer, values in zip(buffers, mean.split([b.numel() for b in buffers]), strict=True):
            buffer.copy_(values.view_as(buffer))

    def barrier(self) -> None:
        """Wait until every rank has come here. Collective."""
        if self.world_size > 1:
            self.sum(torch.zeros(1))

    def sum(self, values: torch.Tensor) -> torch.Tensor:
        """Return the sum of a tensor over the ranks, on this rank's device. Collective."""
        values = values.to(self.device)
        if self.world_size > 1:
            dist.all_reduce(values)
        return values

    def minimum(self, values: Sequence[float]) -> list[float]:
        """Return the smallest of each value over the ranks. Collective."""
        if self.world_size == 1:
            return list(values)
        reduced = torch.tensor(values, dtype=torch.float64, device=self.device)
        dist.all_reduce(reduced, dist.ReduceOp.MIN)
        return reduced.tolist()

    def gather(self, rows: torch.Tensor, count: int) -> torch.Tensor:
        """Return the rows of all ranks, [count, ...], on this rank's device: row i is of rank i % world_size. Collective.

        rows: this rank's, in order.
        """
        rows = rows.to(self.device)
        if self.world_size == 1:
            return rows
        share = -(-count // self.world_size)
        padded = torch.zeros(share, *rows.shape[1:], dtype=rows.dtype, device=self.device)
        padded[: len(rows)] = rows
        parts = [torch.empty_like(padded) for _ in range(self.world_size)]
        dist.all_gather(parts, padded)
        return torch.stack(parts, dim=1).flatten(0, 1)[:count]

    def any(self, flag: bool) -> bool:
        """Return whether the flag is set on any rank. Collective."""
        if self.world_size == 1:
            return flag
        return bool(self.sum(torch.tensor(int(flag))).item())

    def broadcast(self, data: bytes | None) -> bytes | None:
        """Return the bytes of rank 0, or None when it has none. Collective."""
        if self.world_size == 1:
            return data
        size = self.sum(torch.tensor(len(data or b"") if self.is_main else 0))
        content = torch.zeros(int(size.item()), dtype=torch.uint8, device=self.device)
        if self.is_main and data:
            content.copy_(torch.frombuffer(bytearray(data), dtype=torch.uint8))
        if len(content):
            dist.broadcast(content, src=0)
        return content.cpu().numpy().tobytes() or None

    def check_same_data(self, fingerprint: bytes) -> None:
        """Raise InputError on every rank when the ranks have different fingerprints. Collective."""
        differs = self.broadcast(fingerprint) != fingerprint
        if self.any(differs):
            raise InputError("the hosts have different data; set S3DataDistributionType to FullyReplicated")


@contextmanager
def join_process_group(environment: TrainingEnvironment) -> Iterator[ProcessGroup]:
    """Join the job's process group: one rank per host, or one per GPU under torchrun.

    Uses NCCL with GPUs and gloo without. The master listens on its own address only: jobs that share a machine, each on
    its own loopback address, do not interfere.
    Raises InputError when this host is not one of the job's hosts.
    """
    rank, world_size, local_rank, local_size = _ranks(environment)
    gpu = torch.cuda.is_available()
    device = torch.device("cuda", local_rank) if gpu else torch.device("cpu")
    if gpu:
        torch.cuda.set_device(device)
    if world_size == 1:
        yield ProcessGroup(0, 1, device)
        return
    _choose_interface()
    backend = "nccl" if gpu else "gloo"
    # torchrun has already started a store; its variables hold the address.
    store = None if _under_torchrun() else _store(environment.hosts[0], rank, world_size)
    dist.init_process_group(backend, store=store, rank=rank, world_size=world_size, timeout=TIMEOUT)
    try:
        yield ProcessGroup(rank, world_size, device, local_rank, local_size)
    finally:
        dist.destroy_process_group()


def _ranks(environment: TrainingEnvironment) -> tuple[int, int, int, int]:
    """Return rank, number of ranks, rank on this host, and number of ranks on this host."""
    if _under_torchrun():
        names = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
        rank, world_size, local_rank, local_size = (int(os.environ[name]) for name in names)
        return rank, world_size, local_rank, local_size
    if environment.current_host not in environment.hosts:
        raise InputError(
            f"SM_CURRENT_HOST {environment.current_host!r} is not one of SM_HOSTS {environment.hosts}"
        )
    return environment.hosts.index(environment.current_host), len(environment.hosts), 0, 1


def _under_torchrun() -> bool:
    """Return whether the toolkit's torch_distributed launcher started one process per GPU."""
    return "TORCHELASTIC_RUN_ID" in os.environ


def _store(master: str, rank: int, world_size: int) -> dist.TCPStore:
    address = os.environ.get("MASTER_ADDR", master)
    port = int(os.environ.get("MASTER_PORT", DEFAULT_PORT))
    if rank > 0:
        return dist.TCPStore(address, port, world_size, is_master=False, timeout=TIMEOUT)
    listener = socket.create_server((address, port))
    # The store closes the file descriptor.
    return dist.TCPStore(
        address, port, world_size, is_master=True, timeout=TIMEOUT, master_listen_fd=listener.detach()
    )


def _choose_interface() -> None:
    """Set gloo's network interface. The toolkit sets NCCL's only, and gloo would guess from the host name."""
    name = os.environ.get("SM_NETWORK_INTERFACE_NAME")
    if name in {interface for _, interface in socket.if_nameindex()}:
        os.environ.setdefault("GLOO_SOCKET_IFNAME", str(name))
