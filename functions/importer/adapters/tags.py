"""The one tag that lets an original expire: a request for each object, S3 has no bulk call for it."""

from __future__ import annotations

from base64 import b64encode
from hashlib import md5
from typing import Any
from urllib.parse import quote, urlsplit

from botocore.exceptions import ClientError

from importer.adapters.clients import error_code
from importer.adapters.signed import NotSentError, connections_of

IMPORTED_TAG = {"Key": "imported", "Value": "true"}
"""The lifecycle rule expires what carries it, nothing else."""

MISSING = frozenset({"NoSuchKey", "404", "NotFound"})
_BODY = (
    '<Tagging xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><TagSet><Tag>'
    f"<Key>{IMPORTED_TAG['Key']}</Key><Value>{IMPORTED_TAG['Value']}</Value>"
    "</Tag></TagSet></Tagging>"
).encode()
_HEADERS = {
    "content-type": "application/xml",
    # PutObjectTagging demands it (Amazon S3 API reference); it guards nothing secret.
    "content-md5": b64encode(md5(_BODY, usedforsecurity=False).digest()).decode(),
}
_DONE = frozenset({200, 204})


class Tags:
    """Tags objects of one bucket."""

    def __init__(self, client: Any, bucket: str) -> None:
        """Take boto3's client: it says where and as whom, and serves what cannot be served here."""
        self._client = client
        self._bucket = bucket
        url, self._folder = _address(client, bucket)
        self._connections = connections_of(client, url) if url else None

    def mark_imported(self, key: str) -> None:
        """Tag an object; one that has expired meanwhile is left out: nothing is left to mark."""
        if self._connections is not None:
            path = f"{self._folder}{quote(key, safe='/-_.~')}?tagging="
            try:
                status, _ = self._connections.request("PUT", path, _HEADERS, _BODY)
            except NotSentError:
                status = 0
            if status in _DONE:
                return
        try:
            self._client.put_object_tagging(
                Bucket=self._bucket, Key=key, Tagging={"TagSet": [IMPORTED_TAG]}
            )
        except ClientError as error:
            if error_code(error) not in MISSING:
                raise


def _address(client: Any, bucket: str) -> tuple[str, str]:
    """Return where boto3 would send a request for the bucket: URL of the host, folder of its objects.

    Virtual-hosted or path style, dual stack, FIPS, an emulator's endpoint: boto3 decides, we read it off.
    """
    try:
        text = client.generate_presigned_url(
            "get_object", Params={"Bucket": bucket, "Key": "k"}, ExpiresIn=60
        )
    except AttributeError:
        return "", ""
    url = urlsplit(text)
    return f"{url.scheme}://{url.netloc}", url.path[: -len("k")]
