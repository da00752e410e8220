"""Starts AWS's runtime interface client in an execution environment. Standard library only until then.

Run as `python -S bootstrap.py HANDLER`: without the operator's site-packages, so that a function finds what
AWS's runtime holds and no more.
"""

import os
import site
import sys


def main() -> None:
    sys.path[0] = os.environ["LAMBDA_TASK_ROOT"]
    if os.environ["LAMBDA_RUNTIME_DIR"] not in sys.path:  # the function's PYTHONPATH replaced ours
        sys.path.append(os.environ["LAMBDA_RUNTIME_DIR"])
    site.setquit()

    from awslambdaric.__main__ import main as run

    run(sys.argv)


if __name__ == "__main__":
    main()
