"""The body of PutObjectTagging.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectTagging.html
"""

from __future__ import annotations

import base64
import hashlib
import re
from xml.sax.saxutils import unescape

MAX_TAGS = 10
MAX_KEY = 128
MAX_VALUE = 256

_WHOLE = re.compile(
    r"\s*(<\?xml[^>]*>\s*)?<Tagging[^>]*>\s*(?:<TagSet>(.*)</TagSet>|<TagSet ?/>)\s*</Tagging>\s*",
    re.DOTALL,
)
_KEY, _VALUE = r"<Key>(?P<key>[^<]*)</Key>", r"(?:<Value>(?P<value>[^<]*)</Value>|<Value ?/>)"
_TAGS = tuple(
    re.compile(rf"\s*<Tag>\s*{first}\s*{second}\s*</Tag>\s*")
    for first, second in ((_KEY, _VALUE), (_VALUE, _KEY))
)
_ENTITIES = {"&quot;": '"', "&apos;": "'"}


class TaggingError(ValueError):
    """The request is refused; `code` is S3's."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(message)


def read_tagging(body: bytes, content_md5: str) -> dict[str, str]:
    """Return the tags.

    Args:
        body: The document.
        content_md5: The header's value; empty if it was not sent.

    Raises:
        TaggingError: As S3 refuses it.
    """
    if content_md5:
        digest = hashlib.md5(body, usedforsecurity=False).digest()
        if base64.b64encode(digest).decode() != content_md5:
            raise TaggingError("BadDigest", "The Content-MD5 you specified did not match.")
    whole = _WHOLE.fullmatch(body.decode("utf-8", "replace"))
    if whole is None:
        raise TaggingError("MalformedXML", "The XML you provided was not well-formed.")
    tags: dict[str, str] = {}
    at, text = 0, whole[2] or ""
    while text[at:].strip():
        match = _TAGS[0].match(text, at) or _TAGS[1].match(text, at)
        if match is None:
            raise TaggingError("MalformedXML", "The XML you provided was not well-formed.")
        key = unescape(match["key"], _ENTITIES)
        value = unescape(match["value"] or "", _ENTITIES)
        if key in tags or not 0 < len(key) <= MAX_KEY or len(value) > MAX_VALUE:
            raise TaggingError("InvalidTag", "The tag provided was not a valid tag.")
        tags[key] = value
        at = match.end()
    if len(tags) > MAX_TAGS:
        raise TaggingError("BadRequest", "Object tags cannot be greater than 10")
    return tags
