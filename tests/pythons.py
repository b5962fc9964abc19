"""The Pythons of this machine that a far one may have: old ones, and the one that tests put there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

FAR = os.environ.get("PENSTOCK_FAR_PYTHON") or sys.executable
"""What runs at the far end where a test does not say it; `make old` lets it be a Python 3.6."""


def find_old(*versions: str) -> str | None:
    """Return the first of some versions of Python that works here, by default 3.6, else 3.7."""
    for version in versions or ("3.6", "3.7"):
        kept = sorted(Path.home().glob(f".pyenv/versions/{version}*/bin/python"))
        for place in (*map(str, kept), shutil.which(f"python{version}")):
            if (
                place
                and subprocess.run([place, "-c", "pass"], capture_output=True, check=False).returncode == 0
            ):
                return place
    return None
