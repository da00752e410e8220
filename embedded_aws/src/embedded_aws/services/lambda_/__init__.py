"""Lambda of the embedded AWS: the real zip in a process of its own."""

from embedded_aws.runtime import Runtime


def install(current: Runtime) -> None:
    """Put our functions in moto's place, before its first request."""
    from moto.awslambda import models, urls

    from embedded_aws.services.lambda_ import service
    from embedded_aws.services.lambda_.backend import LocalLambdaBackend
    from embedded_aws.services.lambda_.responses import LocalLambdaResponse, paths

    models.lambda_backends.backend = LocalLambdaBackend  # type: ignore[attr-defined]
    for path in (*urls.url_paths, *paths()):
        urls.url_paths[path] = LocalLambdaResponse.dispatch
    running = service.LambdaService(current)
    service.install(running)
    current.on_start.append(running.start)
    current.on_stop.append(running.stop)
