"""Data-parallel training over the job's hosts: one process group, exact sums, one voice."""

from __future__ import annotations

import os
import socket
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import nn

from environment import TrainingEnvironment
from errors import InputError

TIMEOUT = timedelta(minutes=10)  # for a host that starts late or decodes slowly
DEFAULT_PORT = "7777"  # the toolkit's


@dataclass(frozen=True)
class Ranks:
    """This process among the ranks of the job. Collective methods must be called by every rank."""

    rank: int
    world_size: int
    device: torch.device

    @property
    def is_main(self) -> bool:
        """True for the one rank that prints and saves."""
        return self.rank == 0

    def wrap(self, model: nn.Module) -> nn.Module:
        """Move the model to the device; with several ranks, average its gradients over them (DDP)."""
        model = model.to(self.device)
        if self.world_size == 1:
            return model
        # Of convolutions with one input channel: their memory layout has two equal descriptions.
        warnings.filterwarnings("ignore", "Grad strides do not match bucket view strides")
        return nn.parallel.DistributedDataParallel(model)

    def sum(self, values: torch.Tensor) -> torch.Tensor:
        """Sum a tensor over the ranks, on this rank's device."""
        values = values.to(self.device)
        if self.world_size > 1:
            dist.all_reduce(values)
        return values

    def any(self, flag: bool) -> bool:
        """Whether the flag is set on any rank."""
        if self.world_size == 1:
            return flag
        return bool(self.sum(torch.tensor(int(flag))).item())

    def from_main(self, data: bytes | None) -> bytes | None:
        """Give every rank what rank 0 holds, which may be nothing."""
        if self.world_size == 1:
            return data
        size = self.sum(torch.tensor(len(data or b"") if self.is_main else 0))
        content = torch.zeros(int(size.item()), dtype=torch.uint8, device=self.device)
        if self.is_main and data:
            content.copy_(torch.frombuffer(bytearray(data), dtype=torch.uint8))
        if len(content):
            dist.broadcast(content, src=0)
        return content.cpu().numpy().tobytes() or None

    def check_same(self, fingerprint: bytes) -> None:
        """Raises InputError, on every rank, when the ranks do not have the same data."""
        differs = self.from_main(fingerprint) != fingerprint
        if self.any(differs):
            raise InputError("the hosts see different data; set S3DataDistributionType to FullyReplicated")


@contextmanager
def join(environment: TrainingEnvironment) -> Iterator[Ranks]:
    """Join the process group of the job's hosts: one rank per host, or per GPU under torchrun.

    NCCL with GPUs, gloo without. The master listens on its own address only, so that jobs which share
    a machine, each on a loopback address of its own, do not meet.
    """
    rank, world_size, local_rank = _place(environment)
    gpu = torch.cuda.is_available()
    device = torch.device("cuda", local_rank) if gpu else torch.device("cpu")
    if gpu:
        torch.cuda.set_device(device)
    if world_size == 1:
        yield Ranks(0, 1, device)
        return
    _choose_interface()
    backend = "nccl" if gpu else "gloo"
    # torchrun has a store listening already, at the address its variables give.
    store = None if _under_torchrun() else _store(environment.hosts[0], rank, world_size)
    dist.init_process_group(backend, store=store, rank=rank, world_size=world_size, timeout=TIMEOUT)
    try:
        yield Ranks(rank, world_size, device)
    finally:
        dist.destroy_process_group()


def _place(environment: TrainingEnvironment) -> tuple[int, int, int]:
    """Rank, number of ranks and rank on this host."""
    if _under_torchrun():
        return int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"]), int(os.environ["LOCAL_RANK"])
    if environment.current_host not in environment.hosts:
        raise InputError(
            f"SM_CURRENT_HOST {environment.current_host!r} is not one of SM_HOSTS {environment.hosts}"
        )
    return environment.hosts.index(environment.current_host), len(environment.hosts), 0


def _under_torchrun() -> bool:
    """Whether the toolkit's torch_distributed launcher started one process per GPU."""
    return "TORCHELASTIC_RUN_ID" in os.environ


def _store(master: str, rank: int, world_size: int) -> dist.TCPStore:
    address = os.environ.get("MASTER_ADDR", master)
    port = int(os.environ.get("MASTER_PORT", DEFAULT_PORT))
    if rank > 0:
        return dist.TCPStore(address, port, world_size, is_master=False, timeout=TIMEOUT)
    listener = socket.create_server((address, port))
    # The store closes the descriptor it is given.
    return dist.TCPStore(
        address, port, world_size, is_master=True, timeout=TIMEOUT, master_listen_fd=listener.detach()
    )


def _choose_interface() -> None:
    """The toolkit names the interface for NCCL only; gloo would guess from the host name."""
    name = os.environ.get("SM_NETWORK_INTERFACE_NAME")
    if name in {interface for _, interface in socket.if_nameindex()}:
        os.environ.setdefault("GLOO_SOCKET_IFNAME", str(name))
