"""The double as WSGI applications: the API, and the switches."""

from __future__ import annotations

import json
from collections.abc import Iterable

from local.healthimaging.faults import Faults, InvalidFaultsError
from local.healthimaging.operations import HealthImaging
from local.healthimaging.protocol import ApiError, Protocol
from local.web import Application, Environ, StartResponse, respond

_JSON = [("Content-Type", "application/json")]


def api(service: HealthImaging) -> Application:
    """Return the application that serves the API."""
    protocol = Protocol()

    def application(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        try:
            operation, parameters = protocol.read(
                environ["REQUEST_METHOD"],
                environ["RAW_URI"].partition("?")[0],
                environ["QUERY_STRING"],
                environ["wsgi.input"].read(),
            )
            answer = protocol.write(operation, service.call(operation, parameters))
        except ApiError as error:
            answer = protocol.write_error(error)
        return respond(start_response, answer.status, answer.content, answer.headers.items())

    return application


def control(service: HealthImaging, faults: Faults) -> Application:
    """Return the application of the switches.

    GET /_double/figures, GET /_double/faults, PUT /_double/faults with a JSON object of positions.
    """

    def application(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        request = (environ["REQUEST_METHOD"], environ["PATH_INFO"])
        if request == ("GET", "/_double/figures"):
            return respond(start_response, 200, json.dumps(service.figures()).encode(), _JSON)
        if request == ("PUT", "/_double/faults"):
            try:
                faults.change(json.loads(environ["wsgi.input"].read()))
            except (InvalidFaultsError, ValueError, TypeError, AttributeError) as error:
                content = json.dumps({"message": str(error)}).encode()
                return respond(start_response, 400, content, _JSON)
        elif request != ("GET", "/_double/faults"):
            return respond(start_response, 404, b'{"message": "no such switch"}', _JSON)
        return respond(start_response, 200, json.dumps(faults.document()).encode(), _JSON)

    return application
