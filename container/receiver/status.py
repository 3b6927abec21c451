"""The statuses that this receiver answers with, each with its clause."""

from __future__ import annotations

from enum import IntEnum


class Status(IntEnum):
    """Status (0000,0900) of a response."""

    SUCCESS = 0x0000
    """PS3.7 C.1.1; PS3.4 B.2.3. For C-STORE: stored, as durably as the landing promises."""
    PROCESSING_FAILURE = 0x0110
    """PS3.7 C.5, "Processing failure": a bug of ours; the log has it."""
    NO_SUCH_OBJECT_INSTANCE = 0x0112
    """PS3.7 C.5, "No such object instance": not the well-known instance of storage commitment."""
    INVALID_ARGUMENT_VALUE = 0x0115
    """PS3.7 C.5, "Invalid argument value": the Action Information cannot be used."""
    INVALID_SOP_INSTANCE = 0x0117
    """PS3.7 C.5, "Invalid SOP Instance": the UID given violates the construction rules."""
    NO_SUCH_SOP_CLASS = 0x0118
    """PS3.7 C.5, "No such SOP Class": an N-ACTION for another class than its context's."""
    SOP_CLASS_NOT_SUPPORTED = 0x0122
    """PS3.7 C.5, "SOP Class not supported": not the one of its presentation context."""
    NO_SUCH_ACTION = 0x0123
    """PS3.7 C.5, "No such action": storage commitment has the Action Type ID 1 only."""
    DUPLICATE_INVOCATION = 0x0210
    """PS3.7 C.5, "Duplicate invocation": the Message ID is allocated to an operation in progress."""
    UNRECOGNIZED_OPERATION = 0x0211
    """PS3.7 C.5, "Unrecognized operation": this receiver has no such service."""
    MISTYPED_ARGUMENT = 0x0212
    """PS3.7 C.5, "Mistyped argument": a data set where none may be, or none where one must be."""
    RESOURCE_LIMITATION = 0x0213
    """PS3.7 C.5, "Resource limitation": more than is taken of one request."""
    OUT_OF_RESOURCES = 0xA700
    """PS3.4 B.2.3, "Refused: Out of Resources": storage failed; the sender shall try again."""
    DATASET_MISMATCH = 0xA900
    """PS3.4 B.2.3, "Error: Data Set does not match SOP Class"."""
    CANNOT_UNDERSTAND = 0xC000
    """PS3.4 B.2.3, "Error: Cannot understand"."""
