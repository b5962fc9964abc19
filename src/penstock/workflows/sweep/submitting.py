"""Handing a sweep to its conductor."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path


def run_penstock(folder: Path, words: Sequence[str]) -> int:
    """Run a command of penstock in the campaign of a folder; return its exit code."""
    return subprocess.run([sys.executable, "-m", "penstock", *words], cwd=folder, check=False).returncode
