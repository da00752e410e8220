"""Starts AWS's runtime interface client in an execution environment. Imports the standard library only until then.

Run as `python -S bootstrap.py HANDLER`: without this machine's site-packages, so that a function can import only
what AWS's runtime has.
"""

import os
import site
import sys


def main() -> None:
    sys.path[0] = os.environ["LAMBDA_TASK_ROOT"]
    if os.environ["LAMBDA_RUNTIME_DIR"] not in sys.path:  # the function has set its own PYTHONPATH
        sys.path.append(os.environ["LAMBDA_RUNTIME_DIR"])
    site.setquit()

    from awslambdaric.__main__ import main as run

    run(sys.argv)


if __name__ == "__main__":
    main()
