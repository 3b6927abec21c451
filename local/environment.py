"""The environments of the parts: the stack's own, and what differs on one machine."""

from __future__ import annotations

import os
from collections.abc import Mapping

from local.functions import Function
from local.template import REGION
from local.web import LOOPBACK

_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "PYTHONPATH", "PYTHONWARNINGS")
STOP_TIMEOUT = "10"
"""Ctrl-C should not take two minutes: associations may finish for a quarter of it."""

_FIXED = frozenset(
    {"SCP_PORT", "HEALTH_PORT", "LANDING_URL", "PROXY_PROTOCOL", "STACK_NAME", "TABLE_NAME"}
)


def base_environment(environ: Mapping[str, str], aws_port: int) -> dict[str, str]:
    """Return what every part needs: our interpreter's world and the emulated services, no real account."""
    kept = {name: environ[name] for name in _KEPT if name in environ}
    return kept | {
        "AWS_ENDPOINT_URL": f"http://{LOOPBACK}:{aws_port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        # HealthImaging's clients put `runtime-` before the host, which a loopback address cannot bear.
        "AWS_DISABLE_HOST_PREFIX_INJECTION": "true",
        "PYTHONUNBUFFERED": "1",
    }


def receiver_environment(
    stack_variables: Mapping[str, str],
    environ: Mapping[str, str],
    known: Mapping[str, object],
    *,
    scp_port: int,
    health_port: int,
) -> dict[str, str]:
    """Return the receiver's variables: the task definition's, changed by the person's, then by the place.

    Args:
        stack_variables: Of the task definition's container.
        environ: Of the person at the keyboard.
        known: The receiver's settings by variable name: nothing else is taken from `environ`.
        scp_port: For DICOM.
        health_port: For the health check and the counters.
    """
    own = {name: environ[name] for name in known if name in environ and name not in _FIXED}
    return {
        **stack_variables,
        "STOP_TIMEOUT": STOP_TIMEOUT,
        **own,
        "SCP_PORT": str(scp_port),
        "HEALTH_PORT": str(health_port),
        "PROXY_PROTOCOL": "false",
    }


def function_environment(function: Function, environ: Mapping[str, str]) -> dict[str, str]:
    """Return a function's variables: the template's (which the person may change), and Lambda's own."""
    own = {name: environ[name] for name in function.environment if environ.get(name)}
    return {
        **function.environment,
        **{name: value for name, value in own.items() if name not in _FIXED},
        "AWS_LAMBDA_FUNCTION_NAME": function.logical_id,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_mib),
        "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
    }
