"""The docs' own modules, and the blocks' reader, are on the path here."""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "docs"), str(Path(__file__).parent)]
