"""CloudWatch: metrics with percentiles and expressions, alarms that are evaluated and act."""

import threading

from embedded_aws.runtime import Runtime


def install(current: Runtime) -> None:
    """Put our backend and responses in moto's place, before its first request."""
    from moto.cloudwatch import models, urls

    from embedded_aws.services.cloudwatch import evaluator
    from embedded_aws.services.cloudwatch.backend import AlarmsBackend
    from embedded_aws.services.cloudwatch.responses import AlarmsResponse

    models.cloudwatch_backends.backend = AlarmsBackend
    urls.url_paths["{0}/$"] = AlarmsResponse.dispatch

    def start() -> None:
        threading.Thread(target=evaluator.run, args=(current,), name="alarms", daemon=True).start()

    current.on_start.append(start)
