"""Stops a notebook instance once nobody has used it for some minutes: stop_when_idle.py NAME MINUTES."""

import datetime
import http.client
import json
import os
import ssl
import subprocess
import sys
import time
import urllib.request

# Of the instance itself, with a certificate of its own; named otherwise as Jupyter names itself to its kernels.
JUPYTER = os.environ.get("JUPYTER_SERVER_URL", "https://localhost:8443/").rstrip("/")
HEADERS = {"Authorization": "token " + os.environ["JUPYTER_TOKEN"]} if "JUPYTER_TOKEN" in os.environ else {}
LOOK_SECONDS = 60


def last_use(kernels, terminals, started):
    """When something was last done: now, if a kernel is busy; else the latest activity, or the start."""
    if any(kernel["execution_state"] == "busy" for kernel in kernels):
        return datetime.datetime.now(datetime.timezone.utc)
    seen = [item["last_activity"] for item in [*kernels, *terminals] if item.get("last_activity")]
    return max(
        [started, *(datetime.datetime.fromisoformat(moment.replace("Z", "+00:00")) for moment in seen)]
    )


def ask(path):
    """Jupyter's own answer."""
    request = urllib.request.Request(JUPYTER + path, headers=HEADERS)
    with urllib.request.urlopen(request, context=ssl._create_unverified_context(), timeout=10) as answer:
        return json.load(answer)


def main(name, minutes):
    started = used = datetime.datetime.now(datetime.timezone.utc)
    while True:
        time.sleep(min(LOOK_SECONDS, minutes * 60))
        try:
            used = last_use(ask("/api/kernels"), ask("/api/terminals"), started)
        except (OSError, ValueError, http.client.HTTPException) as error:
            # While Jupyter restarts, the last use that is known counts on; if it never comes back, nobody uses it.
            print("Jupyter does not answer:", error, flush=True)
        idle = datetime.datetime.now(datetime.timezone.utc) - used
        print("idle for", idle, flush=True)
        if idle >= datetime.timedelta(minutes=minutes):
            subprocess.run(
                ["aws", "sagemaker", "stop-notebook-instance", "--notebook-instance-name", name], check=False
            )


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
