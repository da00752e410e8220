"""Starts AWS's runtime interface client in an execution environment. Imports the standard library only until then.

Run as `python -S bootstrap.py HANDLER [GUARD REFUSED ALLOWED]`: without this machine's site-packages, so that a function
can import only what AWS's runtime has. With the file of the module `guard`, Python refuses changes in the folders
REFUSED, except in the folders ALLOWED; each is a list like PATH.
"""

import os
import site
import sys


def main() -> None:
    if len(sys.argv) > 2:
        import runpy

        guard, refused, allowed = sys.argv[2:]
        del sys.argv[2:]
        runpy.run_path(guard)["refuse"](tuple(refused.split(os.pathsep)), tuple(allowed.split(os.pathsep)))
    sys.path[0] = os.environ["LAMBDA_TASK_ROOT"]
    if os.environ["LAMBDA_RUNTIME_DIR"] not in sys.path:  # the function has set its own PYTHONPATH
        sys.path.append(os.environ["LAMBDA_RUNTIME_DIR"])
    site.setquit()

    from awslambdaric.__main__ import main as run

    run(sys.argv)


if __name__ == "__main__":
    main()
