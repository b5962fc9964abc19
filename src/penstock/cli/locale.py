"""Text in and out: files and their names are UTF-8 whatever the locale says, and no character ends a command."""

from __future__ import annotations

import locale
import os
import sys
from io import TextIOWrapper

SET = "PYTHONIOENCODING"


def read_names_as_utf8() -> None:
    """Start again in Python's UTF-8 mode where the locale gives names of files another encoding.

    Names are bytes that nearly everybody writes as UTF-8; a locale is what a terminal, or cron, happens to have.
    """
    if sys.getfilesystemencoding() != "utf-8":
        os.execv(sys.executable, [sys.executable, "-X", "utf8", "-m", "penstock", *sys.argv[1:]])


def write_what_can_be_shown() -> None:
    """Write in the encoding of the terminal, with escapes for what that has not."""
    encoding = None if SET in os.environ or not sys.flags.utf8_mode else locale.getencoding()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(encoding=encoding, errors="backslashreplace")
