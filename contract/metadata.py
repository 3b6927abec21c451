"""Object metadata of a landed instance: what its key does not say, for the day its manifest is missing.

S3 keeps user metadata as `x-amz-meta-<name>`; clients give and take it by the names below. Values are
ASCII. The receiver writes what it knows when the upload starts (an instance stored by multipart has no
study yet when its header walk ended early); Sweep reads it to adopt a batch that nobody sealed.
"""

from __future__ import annotations

SOP_INSTANCE_UID = "sop-instance-uid"
SOP_CLASS_UID = "sop-class-uid"
TRANSFER_SYNTAX_UID = "transfer-syntax-uid"
STUDY_INSTANCE_UID = "study-instance-uid"
SERIES_INSTANCE_UID = "series-instance-uid"
CALLING_AE_TITLE = "calling-ae-title"
CALLED_AE_TITLE = "called-ae-title"
PEER = "peer"
RECEIVED_AT = "received-at"
"""Unix time (s) in decimal at which the upload started."""
