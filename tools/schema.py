"""Write docs/penstock.schema.json, the JSON Schema of a definition for editors."""

import json
from pathlib import Path

from penstock.config import schema

if __name__ == "__main__":
    target = Path(__file__).parents[1] / "docs" / "penstock.schema.json"
    target.write_text(json.dumps(schema(), indent=2, sort_keys=True) + "\n", encoding="utf-8")
