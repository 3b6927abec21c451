"""The sink for a landing URL."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

from receiver.ports import DraftSink, PartsSink
from receiver.sinks.directory import DirectorySink


def make_sink(landing_url: str) -> PartsSink | DraftSink:
    """Make the sink that `landing_url` names; after fork.

    Raises:
        ValueError: The scheme is neither s3 nor file.
        OSError: The directory cannot be made.
    """
    url = urlsplit(landing_url)
    if url.scheme == "file":
        return DirectorySink(Path(unquote(url.path)))
    if url.scheme == "s3":
        # Only here: botocore costs a receiver that lands in files 20 MiB in each worker.
        from receiver.sinks.s3 import make_s3_sink  # noqa: PLC0415 - loads botocore, which file:// does not need

        return make_s3_sink(url.netloc, os.environ)
    raise ValueError(f"no sink for {landing_url!r}")
