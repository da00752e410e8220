"""Network addresses of a job's instances: a block of the loopback network for each job."""

from __future__ import annotations

import errno
import socket
from dataclasses import dataclass

MASTER_PORT = 7777  # of AWS's toolkit, and here of the first job
RESERVATION_PORT = 7776
LARGEST_CLUSTER = 250
FIRST_BLOCK, LAST_BLOCK = 0x0100, 0xFFFF  # 127.1.0 and 127.255.255


class NoLoopbackNetwork(Exception):
    """This system answers on 127.0.0.1 only."""


@dataclass
class Block:
    """The addresses of one job's instances, in order; free again after `release`.

    master_port: of the job alone, as torch listens on it at every address of the machine, and two jobs that
    share it would join each other's process group.
    """

    hosts: list[str]
    master_port: int
    reservation: socket.socket | None

    def release(self) -> None:
        if self.reservation:
            self.reservation.close()


def reserve(count: int) -> Block:
    """Addresses 127.a.b.1 to 127.a.b.`count` that no job of this machine uses, of this server or another.

    A socket bound to the block's last address is the reservation; the system drops it with the process.
    Raises NoLoopbackNetwork if there is no such network and `count` is above 1.
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
