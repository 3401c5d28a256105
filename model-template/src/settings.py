"""What model.yaml and params.yaml say, read once for all stages."""

from pathlib import Path

import yaml

FOLDER = Path(__file__).parent.parent

MODEL = yaml.safe_load((FOLDER / "model.yaml").read_text(encoding="utf-8"))
PARAMS = yaml.safe_load((FOLDER / "params.yaml").read_text(encoding="utf-8"))

TASK = MODEL["task"]
CONTRACT = MODEL["contract"]
LABEL, CLASSES = CONTRACT["label"], CONTRACT.get("classes", [])
FILES = {name: FOLDER / path for name, path in MODEL["files"].items()}
INPUTS = [column["name"] for column in CONTRACT["inputs"]]
TEXTS = [column["name"] for column in CONTRACT["inputs"] if column["type"] == "string"]
BOOLEANS = [column["name"] for column in CONTRACT["inputs"] if column["type"] == "boolean"]
NUMBERS = [name for name in INPUTS if name not in TEXTS]
EVALUATION = MODEL.get("evaluation", {})
EXTRA = list(dict.fromkeys([*EVALUATION.get("slices", []), *EVALUATION.get("groups", [])]))
"""Columns besides the inputs by which held-out rows are cut."""
