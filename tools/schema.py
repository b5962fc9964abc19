"""Write src/penstock/config/schema.json, the JSON Schema of a definition, which `penstock init` puts beside it."""

import json
from importlib.resources import files
from pathlib import Path

from penstock.config import schema

if __name__ == "__main__":
    target = Path(str(files("penstock.config"))) / "schema.json"
    target.write_text(json.dumps(schema(), indent=2, sort_keys=True) + "\n", encoding="utf-8")
