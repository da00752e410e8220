"""Network addresses of a job's instances: each job gets a block of the loopback network."""

from __future__ import annotations

import errno
import socket
from dataclasses import dataclass

MASTER_PORT = 7777  # of AWS's toolkit; here, of the first job
RESERVATION_PORT = 7776
LARGEST_CLUSTER = 250
FIRST_BLOCK, LAST_BLOCK = 0x0100, 0xFFFF  # 127.1.0 and 127.255.255


class NoLoopbackNetwork(Exception):
    """This system has no loopback address except 127.0.0.1."""


@dataclass
class Block:
    """The addresses of one job's instances."""

    hosts: list[str]

    master_port: int
    """Port for torch.distributed. torch listens on every address of the machine, so no two jobs may share it."""

    reservation: socket.socket | None

    def release(self) -> None:
        """Free the addresses."""
        if self.reservation:
            self.reservation.close()


def reserve(count: int) -> Block:
    """Reserve addresses 127.a.b.1 to 127.a.b.`count` that no job on this machine uses, even of another server.

    A socket bound to 127.a.b.254 is the reservation, which ends with the process at the latest.
    Raises NoLoopbackNetwork if there are no such addresses and `count` is above 1.
    """
    for block in range(FIRST_BLOCK, LAST_BLOCK + 1):
        prefix, port = f"127.{block // 256}.{block % 256}", MASTER_PORT + (block - FIRST_BLOCK) % 20_000
        reservation = socket.socket()
        try:
            reservation.bind((f"{prefix}.254", RESERVATION_PORT))
            return Block([f"{prefix}.{number}" for number in range(1, count + 1)], port, reservation)
        except OSError as error:
            reservation.close()
            if error.errno == errno.EADDRINUSE:
                continue
            if count == 1:
                return Block(["127.0.0.1"], MASTER_PORT, None)
            raise NoLoopbackNetwork(
                f"{count} instances need {count} loopback addresses, and this system has only 127.0.0.1. "
                f"Use one instance, or add addresses {prefix}.1 and up to the loopback interface."
            ) from error
    raise NoLoopbackNetwork("Every block of the loopback network is in use by a training job.")
