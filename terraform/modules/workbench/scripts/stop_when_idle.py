"""Stop a notebook instance after some minutes without activity: stop_when_idle.py NAME MINUTES."""

import datetime
import http.client
import json
import os
import ssl
import subprocess
import sys
import time
import urllib.request

# The instance's Jupyter server, which has a self-signed certificate. Jupyter sets the variable for its kernels.
JUPYTER = os.environ.get("JUPYTER_SERVER_URL", "https://localhost:8443/").rstrip("/")
HEADERS = {"Authorization": "token " + os.environ["JUPYTER_TOKEN"]} if "JUPYTER_TOKEN" in os.environ else {}
POLL_SECONDS = 60


def last_activity(kernels, terminals, started):
    """Return the time of the last activity: now if a kernel is busy, else the latest one, or the start."""
    if any(kernel["execution_state"] == "busy" for kernel in kernels):
        return datetime.datetime.now(datetime.timezone.utc)
    seen = [item["last_activity"] for item in [*kernels, *terminals] if item.get("last_activity")]
    return max(
        [started, *(datetime.datetime.fromisoformat(moment.replace("Z", "+00:00")) for moment in seen)]
    )


def get(path):
    """Return the response of Jupyter's API."""
    request = urllib.request.Request(JUPYTER + path, headers=HEADERS)
    with urllib.request.urlopen(request, context=ssl._create_unverified_context(), timeout=10) as response:
        return json.load(response)


def main(name, minutes):
    started = active = datetime.datetime.now(datetime.timezone.utc)
    while True:
        time.sleep(min(POLL_SECONDS, minutes * 60))
        try:
            active = last_activity(get("/api/kernels"), get("/api/terminals"), started)
        except (OSError, ValueError, http.client.HTTPException) as error:
            # Jupyter may restart, so the last known activity still counts. If it never returns, nobody uses it.
            print("Jupyter does not respond:", error, flush=True)
        idle = datetime.datetime.now(datetime.timezone.utc) - active
        print("idle for", idle, flush=True)
        if idle >= datetime.timedelta(minutes=minutes):
            subprocess.run(
                ["aws", "sagemaker", "stop-notebook-instance", "--notebook-instance-name", name], check=False
            )


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
