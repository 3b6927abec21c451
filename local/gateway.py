"""Every emulated AWS API behind one port: chooses by the service in the request's signature."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from local.web import Application, Environ, StartResponse

CONTROL_PREFIX = "/_double/"
"""Paths that belong to the HealthImaging double's switches and not to any AWS API."""

_SCOPE = re.compile(r"Credential=[^/]+/\d{8}/[^/]+/([^/]+)/aws4_request")


class Gateway:
    """WSGI application that hands each request to the application of its service."""

    def __init__(
        self, services: Mapping[str, Application], *, control: Application, default: Application
    ) -> None:
        """Keep the applications.

        Args:
            services: By signing name ("s3", "medical-imaging").
            control: Serves CONTROL_PREFIX.
            default: Serves every other service.
        """
        self._services = services
        self._control = control
        self._default = default

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        if environ["PATH_INFO"].startswith(CONTROL_PREFIX):
            return self._control(environ, start_response)
        application = self._services.get(signing_name(environ), self._default)
        return application(environ, start_response)


def signing_name(environ: Environ) -> str:
    """Return the service that the request is signed for, empty when it is not signed."""
    match = _SCOPE.search(environ.get("HTTP_AUTHORIZATION", ""))
    return match[1].lower() if match else ""
