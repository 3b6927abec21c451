"""ListObjectsV2 over a sorted index of keys.

The emulator's own listing walks every key for every page and fails when another thread adds one
meanwhile; Sweep and the console list tens of thousands of keys while a receiver writes.
"""

from __future__ import annotations

import base64
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import escape

from moto.s3.models import FakeDeleteMarker

MAX_KEYS = 1000
_AFTER_ALL = "\U0010ffff"
_NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"


class KeyIndex:
    """The sorted keys of each bucket, sorted anew only after keys came or went."""

    def __init__(self) -> None:
        self._sorted: dict[str, tuple[int, int, list[str]]] = {}
        self._removals = 0

    def removed(self) -> None:
        """Note that keys may have gone (their number alone does not show it)."""
        self._removals += 1

    def names(self, bucket: Any) -> list[str]:
        """Return the sorted names of `bucket`, delete markers included; do not change the list."""
        size, removals = len(bucket.keys), self._removals
        known = self._sorted.get(bucket.name)
        if known is not None and known[:2] == (size, removals):
            return known[2]
        names = list(bucket.keys)  # one step of the interpreter: no other thread runs meanwhile
        names.sort()
        self._sorted[bucket.name] = (len(names), removals, names)
        return names

    def under(self, bucket: Any, prefix: str) -> list[str]:
        """Return the sorted names that start with `prefix`."""
        names = self.names(bucket)
        return names[bisect_left(names, prefix) : bisect_left(names, prefix + _AFTER_ALL)]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListRequest:
    """What a ListObjectsV2 request asks for."""

    prefix: str = ""
    delimiter: str = ""
    max_keys: int = MAX_KEYS
    token: str = ""
    start_after: str = ""
    url_encoded: bool = False

    @classmethod
    def parse(cls, query: dict[str, str]) -> ListRequest:
        """Read the query string.

        Raises:
            ValueError: max-keys is no number or the token is none of ours.
        """
        return cls(
            prefix=query.get("prefix", ""),
            delimiter=query.get("delimiter", ""),
            max_keys=min(int(query.get("max-keys") or MAX_KEYS), MAX_KEYS),
            token=base64.urlsafe_b64decode(query.get("continuation-token", "")).decode(),
            start_after=query.get("start-after", ""),
            url_encoded=query.get("encoding-type") == "url",
        )


def list_objects(index: KeyIndex, bucket: Any, request: ListRequest) -> bytes:
    """Return the response document."""
    keys: list[Any] = []
    folders: list[str] = []
    last = ""
    truncated = False
    for name, folder in _entries(index, bucket, request):
        if len(keys) + len(folders) >= request.max_keys:
            truncated = True
            break
        if folder:
            folders.append(folder)
            last = folder + _AFTER_ALL
        else:
            keys.append(bucket.keys[name])
            last = name
    return _document(bucket.name, request, keys, folders, last if truncated else "")


def _entries(index: KeyIndex, bucket: Any, request: ListRequest) -> Iterator[tuple[str, str]]:
    """Yield (key, "") and ("", common prefix) in order, from after the request's position."""
    names = index.under(bucket, request.prefix)
    after = request.token or request.start_after
    at = bisect_right(names, after) if after else 0
    while at < len(names):
        name = names[at]
        cut = name.find(request.delimiter, len(request.prefix)) if request.delimiter else -1
        if cut >= 0:
            folder = name[: cut + len(request.delimiter)]
            at = bisect_left(names, folder + _AFTER_ALL, at)
            yield "", folder
            continue
        at += 1
        if not isinstance(bucket.keys.get(name), FakeDeleteMarker | None):
            yield name, ""


def _document(
    bucket: str, request: ListRequest, keys: list[Any], folders: list[str], last: str
) -> bytes:
    def text(value: str) -> str:
        return quote(value, safe="/") if request.url_encoded else escape(value)

    lines = [
        f'<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="{_NAMESPACE}">',
        f"<Name>{bucket}</Name><Prefix>{text(request.prefix)}</Prefix>",
        f"<KeyCount>{len(keys) + len(folders)}</KeyCount><MaxKeys>{request.max_keys}</MaxKeys>",
        f"<IsTruncated>{'true' if last else 'false'}</IsTruncated>",
    ]
    if request.url_encoded:
        lines.append("<EncodingType>url</EncodingType>")
    if request.delimiter:
        lines.append(f"<Delimiter>{text(request.delimiter)}</Delimiter>")
    if last:
        token = base64.urlsafe_b64encode(last.encode()).decode()
        lines.append(f"<NextContinuationToken>{token}</NextContinuationToken>")
    lines.extend(
        f"<Contents><Key>{text(key.name)}</Key><LastModified>{key.last_modified_ISO8601}"
        f"</LastModified><ETag>{escape(key.etag)}</ETag><Size>{key.size}</Size>"
        f"<StorageClass>{key.storage_class}</StorageClass></Contents>"
        for key in keys
    )
    lines.extend(
        f"<CommonPrefixes><Prefix>{text(folder)}</Prefix></CommonPrefixes>" for folder in folders
    )
    lines.append("</ListBucketResult>")
    return "\n".join(lines).encode()
