"""EC2 instances of the embedded AWS: their user data runs."""

import threading

from embedded_aws.runtime import Runtime


def install(current: Runtime) -> None:
    """Put our instances in moto's place, before its first request."""
    from moto.ec2 import models, urls
    from moto.ec2.models import instances

    from embedded_aws.services.ec2 import images, metrics, service
    from embedded_aws.services.ec2.backend import LocalEC2Backend, LocalInstance
    from embedded_aws.services.ec2.responses import LocalEC2Response

    models.ec2_backends.backend = LocalEC2Backend
    instances.Instance = LocalInstance  # type: ignore[misc]  # moto creates instances by name
    urls.url_paths["{0}/"] = LocalEC2Response.dispatch
    images.install()
    running = service.InstanceService(current)
    service.install(running)
    current.on_start.append(running.resume)

    def report() -> None:
        reporter = metrics.Reporter(current, running)
        threading.Thread(target=reporter.run, name="instance-metrics", daemon=True).start()

    current.on_start.append(report)
    current.on_stop.append(running.halt)
