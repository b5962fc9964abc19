"""Identifiers, times and texts of documents: valid in every format, and the same each time."""

from __future__ import annotations

import os
import re
import uuid
from datetime import UTC, datetime
from urllib.parse import quote

TERMS = "urn:x-penstock:terms#"  # what penstock calls things that PROV has no word for

_BROKEN = re.compile("[\ud800-\udfff]")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


def identifier(*parts: str) -> str:
    """Return the local name of something, percent-encoded where PROV-N or a URL would need it.

    >>> identifier("file", "spectra/a b.nc")
    'file/spectra/a%20b.nc'
    """
    name = "/".join(quote(os.fsencode(part), safe="/") for part in parts)
    return f"{name[:-1]}%2E" if name.endswith(".") else name  # which PROV-N does not allow


def versioned(name: str, digest: str | None) -> str:
    """Return the name of something as it is with one content: a file that was made again is another entity.

    >>> versioned("file/a.nc", "88f9fc592d4fdd0402718f8d")
    'file/a.nc@88f9fc592d4fdd04'
    """
    return f"{name}@{digest[:16]}" if digest else name


def namespace(campaign: str) -> str:
    """Return the URI that the local names of a campaign stand under."""
    return f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, f'{TERMS}{campaign}')}#"


def timestamp(seconds: float) -> str:
    """Write a time of the record.

    >>> timestamp(0.5)
    '1970-01-01T00:00:00.500Z'
    """
    return f"{datetime.fromtimestamp(round(seconds, 3), UTC).isoformat(timespec='milliseconds')[:-6]}Z"


def plain(text: str) -> str:
    r"""Return text that every format can hold: bytes that are no UTF-8 and control characters are shown as `\x1b`."""
    text = _BROKEN.sub(lambda found: f"\\x{ord(found.group()) & 0xFF:02x}", text)
    return _CONTROL.sub(lambda found: f"\\x{ord(found.group()):02x}", text)
