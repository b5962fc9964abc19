"""What must not leave the record: passwords and tokens in URLs, in commands, in parameters.

Only what is named here goes into a document, and of that what looks like a secret is struck out. Outputs, messages of
programs, channels and set-up lines are never read.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, cast

from penstock.provenance.names import plain

STRUCK = "***"

#: parts of names whose values are struck out
SECRET = re.compile(
    r"pass(?:w(?:or)?d|phrase|code)?(?![a-z])|pwd|secret|token|api[-_.]?key|access[-_.]?key|private[-_.]?key|credential"
    r"|(?<![a-z])auth(?![a-z])|authori[sz]ation|cookie|session[-_.]?(?:id|key)|webhook|bearer",
    re.IGNORECASE,
)
#: more that are secrets in the query of a URL
IN_QUERIES = ("key", "code", "sig", "signature", "session", "x-amz-signature", "x-amz-credential")
_NAME = r"[\w.-]*(?:" + SECRET.pattern + r")[\w.-]*"
_USER = re.compile(r"(?<=://)[^/\s?#@]*:?[^/\s?#]*@")
_QUERY = re.compile(r"(?<=[?&;])([^=&#\s;]+)=([^&#\s;\"']*)")
_HOOK = re.compile(
    r"(https?://[^/\s]*(?:hooks?|webhook)[^/\s]*/|https?://[^/\s]+/(?:[^\s?#]*/)?(?:web)?hooks?/)[^\s?#\"']+", re.IGNORECASE
)  # fmt: skip
_HEADER = re.compile(r"\b((?:Bearer|Basic)\s+)[\w.~+/=-]+", re.IGNORECASE)
_GIVEN = re.compile(
    rf"((?<![\w.-])-{{0,2}}{_NAME}\s*[=:]\s*)(\"[^\"]*\"|'[^']*'|[^\s,;&\"']+)", re.IGNORECASE
)
_OPTION = re.compile(rf"((?<![\w.-])--?{_NAME}\s+)(?!-)(\"[^\"]*\"|'[^']*'|\S+)", re.IGNORECASE)
_KNOWN = re.compile(
    r"\b(?:gh[pousr]_\w{20,}|github_pat_\w+|glpat-[\w-]{16,}|xox[abposr]-[\w-]+|AKIA[A-Z0-9]{16}|sk-[\w-]{20,}"
    r"|eyJ[\w-]{8,}\.[\w-]+\.[\w-]*)"
)
_KEY = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)", re.DOTALL)


def scrub(text: str) -> str:
    """Return text without what looks like a secret.

    >>> scrub("curl https://ann:pw@data.org/x?token=abc&run=7")
    'curl https://data.org/x?token=***&run=7'
    """
    text = _KEY.sub(STRUCK, text)
    text = _USER.sub("", text)
    text = _QUERY.sub(lambda found: _parameter(found.group(1), found.group(2)), text)
    text = _HOOK.sub(rf"\g<1>{STRUCK}", text)
    text = _HEADER.sub(rf"\g<1>{STRUCK}", text)
    text = _GIVEN.sub(rf"\g<1>{STRUCK}", text)
    text = _OPTION.sub(rf"\g<1>{STRUCK}", text)
    return plain(_KNOWN.sub(STRUCK, text))


def _parameter(name: str, value: str) -> str:
    return f"{name}={STRUCK if SECRET.search(name) or name.lower() in IN_QUERIES else value}"


def scrub_command(words: Sequence[str]) -> list[str]:
    """Return a command without secrets; one may stand in the word after its option."""
    kept = list[str]()
    for word, before in zip(words, ("", *words), strict=False):
        follows = before.startswith("-") and "=" not in before and SECRET.search(before)
        kept.append(STRUCK if follows and not word.startswith("-") else scrub(word))
    return kept


def scrub_data(data: Any, name: str = "") -> Any:
    """Return plain data without secrets; numbers that JSON has no word for become text."""
    if isinstance(data, Mapping):
        items = cast("Mapping[Any, Any]", data).items()
        return {plain(str(key)): scrub_data(value, str(key)) for key, value in items}
    if SECRET.search(name) and isinstance(data, str):
        return STRUCK
    if isinstance(data, (list, tuple)):
        return [scrub_data(value, name) for value in cast("Sequence[Any]", data)]
    if isinstance(data, float) and not math.isfinite(data):
        return str(data)
    return scrub(data) if isinstance(data, str) else data


def as_text(data: Any) -> str:
    """Write data without secrets as JSON, the same each time."""
    return json.dumps(scrub_data(data), ensure_ascii=False, sort_keys=True, allow_nan=False)
