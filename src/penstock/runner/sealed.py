"""JSON objects that end with their own digest, so that a changed byte on the disk is noticed."""

import hashlib
import json
from typing import Any, Dict, Optional, cast

SEAL = b',"seal":"'


def seal(text: bytes) -> bytes:
    """Return the text of a JSON object that has members, with its digest as the last one.

    >>> seal(b'{"a":1}')[:22]
    b'{"a":1,"seal":"e00efa3'
    """
    body = text.rstrip()[:-1]
    return body + SEAL + digest_of(body) + b'"}'


def unseal(data: bytes) -> Optional[Dict[str, Any]]:
    """Return the object that a text holds; None: it was changed since it was written.

    An object without a seal is that of an older penstock.
    """
    body, sealed, digest = data.rpartition(SEAL)
    if sealed and digest.rstrip() != digest_of(body) + b'"}':
        return None
    try:
        found: Any = json.loads(data.decode("utf-8"))
    except ValueError:
        return None
    return cast(Dict[str, Any], found) if isinstance(found, dict) else None


def digest_of(data: bytes) -> bytes:
    return hashlib.sha256(data).hexdigest().encode("ascii")
