"""What model.yaml and params.yaml say, read once for all stages."""

from pathlib import Path

import yaml

FOLDER = Path(__file__).parent.parent
DATA = FOLDER.parent.parent / "data"

MODEL = yaml.safe_load((FOLDER / "model.yaml").read_text(encoding="utf-8"))
PARAMS = yaml.safe_load((FOLDER / "params.yaml").read_text(encoding="utf-8"))

CONTRACT = MODEL["contract"]
FILES = {name: FOLDER / path for name, path in MODEL["files"].items()}
INPUTS = [column["name"] for column in CONTRACT["inputs"]]
TEXTS = [column["name"] for column in CONTRACT["inputs"] if column["type"] == "string"]
EXTRA = dict.fromkeys([*MODEL["evaluation"]["slices"], *MODEL["evaluation"]["groups"], MODEL["evaluation"]["block"]])
"""Columns besides the inputs by which held-out rows are cut."""
