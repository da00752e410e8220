"""`python -m embedded_aws serve`: the embedded AWS as a foreground process."""

import argparse
import sys
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(prog="embedded_aws", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    serve = commands.add_parser("serve", help="run until SIGTERM")
    serve.add_argument("--home", type=Path, required=True, help="folder for state and working files")
    serve.add_argument("--port", type=int, required=True, help="port on 127.0.0.1")
    serve.add_argument(
        "--time-scale", type=float, default=1.0, help="run service clocks this many times faster"
    )
    arguments = parser.parse_args()

    from embedded_aws.errors import EmbeddedAwsError
    from embedded_aws.server import app as server

    try:
        server.serve(arguments.home.resolve(), arguments.port, arguments.time_scale)
    except EmbeddedAwsError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
