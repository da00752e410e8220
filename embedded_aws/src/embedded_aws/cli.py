"""The command `embedded-aws`: start, stop and use an embedded AWS."""

from __future__ import annotations

import argparse
import gc
import json
import os
import shlex
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from embedded_aws import child_environment, client, listener
from embedded_aws.client import EmbeddedAwsError

DEFAULT_HOME = ".embedded_aws"
DEFAULT_REGION = "us-east-1"
EXAMPLE = """\
example:
  embedded-aws up                  start in ./.embedded_aws
  eval "$(embedded-aws env)"       point this shell's AWS tools at it
  aws s3 mb s3://my-bucket         use it
  embedded-aws down                stop it; its state stays for the next start
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command. Exits with status 1 and one sentence on an error."""
    parsed = _parser().parse_args(arguments)
    try:
        parsed.run(parsed)
    except EmbeddedAwsError as error:
        sys.exit(f"embedded-aws: {error}")


def up(arguments: argparse.Namespace) -> None:
    address = client.start(arguments.home, arguments.port, arguments.time_scale)
    if arguments.json:
        return _print_json({"endpoint_url": address.endpoint_url, **vars(address)})
    option = _home_option(arguments.home)
    print(f"The embedded AWS answers at {address.endpoint_url}; its state is in {arguments.home}.")
    print(f'Use it in this shell:  eval "$(embedded-aws env{option})"')
    print(f"Stop it:               embedded-aws down{option}")


def down(arguments: argparse.Namespace) -> None:
    was_running = client.status(arguments.home).running
    if arguments.destroy:
        client.destroy(arguments.home)
    else:
        client.stop(arguments.home)
    if arguments.json:
        return _print_json({"was_running": was_running, "destroyed": arguments.destroy})
    print(f"The embedded AWS {'is stopped' if was_running else 'was not running'}.")
    if arguments.destroy:
        print(f"{arguments.home} is deleted.")
    elif arguments.home.exists():
        print(f"Its state stays in {arguments.home}.")


def status(arguments: argparse.Namespace) -> None:
    found = client.status(arguments.home)
    if arguments.json:
        return _print_json(vars(found))
    if not found.running:
        return print(f"not running; state in {arguments.home}")
    since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(found.since))
    print(f"running at http://127.0.0.1:{found.port} since {since} (process {found.pid})")
    print(f"child processes: {found.processes}; time scale: {found.time_scale:g}; state in {arguments.home}")


def env(arguments: argparse.Namespace) -> None:
    _require_running(arguments.home)
    variables = client.variables(arguments.home, arguments.region)
    if arguments.json:
        return _print_json(variables)
    for name in client.conflicting(os.environ):
        if name not in variables:
            print(f"unset {name}")
    for name, value in variables.items():
        print(f"export {name}={shlex.quote(value)}")


def interrupt(arguments: argparse.Namespace) -> None:
    _require_running(arguments.home)
    client.interrupt(arguments.home, arguments.region, arguments.name, arguments.seconds)
    print(f"{arguments.name} has its interruption notice.")


def serve(arguments: argparse.Namespace) -> None:
    variables = child_environment.of_server()
    os.environ.clear()  # moto reads its variables when it is imported
    os.environ.update(variables)

    gc.disable()  # collections over modules that stay loaded are a fifth of the time of the imports
    from botocore.loaders import Loader

    from embedded_aws import service_models

    # moto validates with the SDK's own service models, not with those of ~/.aws
    Loader.CUSTOMER_DATA_PATH = os.devnull
    service_models.share()
    from embedded_aws.services.ec2 import tables

    tables.import_moto()
    from embedded_aws.server import app

    listening = None if arguments.socket is None else listener.inherited(arguments.socket)
    app.serve(arguments.home.resolve(), arguments.port, arguments.time_scale, listening, arguments.owner)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="embedded-aws",
        description="An AWS on this machine: moto's control plane, real processes for jobs, endpoints, functions and "
        "instances.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(run: Callable[[argparse.Namespace], None], summary: str) -> argparse.ArgumentParser:
        command = commands.add_parser(run.__name__, help=summary, description=f"{summary}.")
        command.set_defaults(run=run)
        command.add_argument(
            "--home",
            type=Path,
            default=Path(os.environ.get("EMBEDDED_AWS_HOME", DEFAULT_HOME)),
            help=f"folder of its state (default: EMBEDDED_AWS_HOME, or {DEFAULT_HOME} in the current folder)",
        )
        return command

    command = add(up, "Start the embedded AWS in the background")
    _port_option(command, required=False)
    _time_scale_option(command)
    _json_option(command)
    command = add(down, "Stop it and all its processes")
    command.add_argument("--destroy", action="store_true", help="delete its state, too")
    _json_option(command)
    _json_option(add(status, "Show whether it runs, where, and since when"))
    command = add(env, "Print the variables that point AWS tools at it")
    _region_option(command)
    _json_option(command)
    command = add(interrupt, "Interrupt a spot training job or a Spot Instance")
    command.add_argument("name", help="name of a running spot training job, or id of a Spot Instance")
    command.add_argument(
        "--seconds", type=int, default=0, help="for a job: minimum time until new instances are available"
    )
    _region_option(command)
    command = add(serve, "Run it in the foreground until SIGTERM")
    _port_option(command, required=True)
    _time_scale_option(command)
    command.add_argument("--owner", type=int, help="id of a process: stop when it has ended")
    command.add_argument(
        "--socket", type=int, help=argparse.SUPPRESS
    )  # a listening socket that `up` leaves open
    return parser


def _port_option(command: argparse.ArgumentParser, required: bool) -> None:
    command.add_argument(
        "--port",
        type=_port,
        required=required,
        help="port on 127.0.0.1"
        + ("" if required else " (default: the last one, or the first free from 5005 if it is used)"),
    )


def _time_scale_option(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--time-scale",
        type=_scale,
        default=1.0,
        metavar="X",
        help="run service clocks X times faster than real time",
    )


def _json_option(command: argparse.ArgumentParser) -> None:
    command.add_argument("--json", action="store_true", help="print the result as JSON")


def _region_option(command: argparse.ArgumentParser) -> None:
    default = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or DEFAULT_REGION
    command.add_argument(
        "--region",
        default=default,
        help=f"AWS region (default: AWS_REGION, AWS_DEFAULT_REGION or {DEFAULT_REGION})",
    )


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise argparse.ArgumentTypeError(f"{text} is not a port: use a number from 1 to 65535")
    return int(text)


def _scale(text: str) -> float:
    try:
        scale = float(text)
    except ValueError:
        scale = 0.0
    if not 0 < scale < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not a time scale: use a positive number")
    return scale


def _require_running(home: Path) -> None:
    if not client.status(home).running:
        raise EmbeddedAwsError(f"No embedded AWS runs in {home}: run embedded-aws up{_home_option(home)}.")


def _home_option(home: Path) -> str:
    """Return the option that names a home folder in a follow-up command; empty for the default."""
    default = os.environ.get("EMBEDDED_AWS_HOME", DEFAULT_HOME)
    return "" if str(home) == default else f" --home {shlex.quote(str(home))}"


def _print_json(content: dict[str, Any]) -> None:
    print(json.dumps(content, default=str))
