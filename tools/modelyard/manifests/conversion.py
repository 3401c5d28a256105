"""Documents as manifests: msgspec accepts or rejects one; the JSON Schema explains every fault, field by field.

``make schemas`` writes ``model-repo-template/.modelyard/schemas/`` from the manifest classes, for editors. A test
compares both.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from modelyard.documents import newer, too_new
from modelyard.errors import near_match
from modelyard.manifests.approvals import Approvals, Waiver
from modelyard.manifests.configuration import Repository
from modelyard.manifests.deployment import Deployment
from modelyard.manifests.document import (
    Document,
    FieldPath,
    ManifestErrors,
    Problem,
    field_name,
    parse_document,
    read_document,
)
from modelyard.manifests.model import Model
from modelyard.manifests.names import Manifest
from modelyard.manifests.policy import Policy

MANIFEST_KINDS: dict[str, type[Manifest]] = {
    "modelyard": Repository,
    "model": Model,
    "deployment": Deployment,
    "policy": Policy,
    "approvals": Approvals,
    "waiver": Waiver,
}

M = TypeVar("M", bound=Manifest)

_BOUNDS = {
    "minimum": "be at least {}",
    "exclusiveMinimum": "be more than {}",
    "maximum": "be at most {}",
    "exclusiveMaximum": "be less than {}",
    "minLength": "have a length of at least {}",
    "maxLength": "have a length of at most {}",
    "minItems": "have a length of at least {}",
    "maxItems": "have a length of at most {}",
}


def load(kind: type[M], root: Path, file: str) -> tuple[M, Document]:
    """The manifest in ``root/file``, and its document; ManifestErrors with every fault of the file."""
    document = read_document(root, file)
    return convert(kind, document), document


def parse(kind: type[M], content: bytes, file: str) -> M:
    """The manifest in bytes that are not in the working tree, such as a blob of another revision."""
    return convert(kind, parse_document(content, file))


def convert(kind: type[M], document: Document) -> M:
    """A parsed document as ``kind``; ManifestErrors with every fault, or the one that it needs a newer toolkit."""
    said = document.value if isinstance(document.value, dict) else {}
    if wanted := newer(said.get("toolkit" if kind is Repository else "schema")):
        problem, remedy = too_new(wanted, "")
        raise ManifestErrors([Problem(document.file, 1, "", problem.strip(), remedy)])
    try:
        return msgspec.convert(document.value, kind)
    except msgspec.ValidationError as error:
        problems = explain(kind, document)
        if not problems:  # where the two validators disagree, msgspec decides
            problems = [Problem(document.file, 1, "", f"is not valid: {error}.", "Correct the named field.")]
        raise ManifestErrors(problems) from error


def json_schema(kind: type[Manifest]) -> dict[str, Any]:
    """The JSON Schema 2020-12 of a manifest."""
    name = next(name for name, known in MANIFEST_KINDS.items() if known is kind)
    schema = msgspec.json.schema(kind)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:modelyard:schema:{name}:1",
        "title": f"modelyard {name}",
        **schema,
    }


def write_schemas(folder: Path) -> None:
    """Writes one ``<kind>.schema.json`` for each kind of manifest into ``folder``."""
    import json

    for name, kind in MANIFEST_KINDS.items():
        text = json.dumps(json_schema(kind), indent=2, ensure_ascii=False) + "\n"
        (folder / f"{name}.schema.json").write_text(text, encoding="utf-8")


def explain(kind: type[Manifest], document: Document) -> list[Problem]:
    """Every fault of a document against its schema, in the order of its lines."""
    from jsonschema import Draft202012Validator

    schema = json_schema(kind)
    return sorted(
        {
            problem
            for error in Draft202012Validator(schema).iter_errors(document.value)
            for problem in _problems(error, document, schema)
        }
    )


def _problems(error: Any, document: Document, schema: dict[str, Any], prefix: FieldPath = ()) -> list[Problem]:
    path: FieldPath = prefix if prefix else (*prefix, *error.absolute_path)
    if error.validator == "anyOf":
        return _alternatives(error, document, schema, path)
    line = document.line(path)
    name = field_name(path)
    if error.validator == "additionalProperties":
        known = error.schema.get("properties", {})
        return [
            Problem(
                document.file,
                document.line((*path, key)),
                field_name((*path, key)),
                "is not a known key.",
                near_match(str(key), set(known) - set(error.instance), "Remove it: every known key is given already."),
            )
            for key in error.instance
            if key not in known
        ]
    if error.validator == "required":
        return [
            Problem(document.file, line, field_name((*path, key)), "is missing.", _expected(error.schema, key))
            for key in error.validator_value
            if key not in error.instance
        ]
    return [Problem(document.file, line, name, *_sentence(error))]


def _sentence(error: Any) -> tuple[str, str]:
    found = _shown(error.instance)
    description = error.schema.get("description", "")
    if error.validator == "type":
        remedy = (
            "Write lines of the form 'key: value'."
            if error.validator_value == "object"
            else description or "Change the value."
        )
        return f"must be {_kind_name(error.validator_value)}, not {found}.", remedy
    if error.validator in ("enum", "const"):
        choices = error.validator_value if error.validator == "enum" else [error.validator_value]
        return f"cannot be {found}.", near_match(str(error.instance), [str(choice) for choice in choices])
    if error.validator == "pattern":
        return f"cannot be {found}.", f"Expected: {description or error.validator_value}"
    if error.validator in _BOUNDS:
        bound = _BOUNDS[error.validator].format(error.validator_value)
        return f"must {bound}, not {found}.", description or "Change the value."
    return f"is not valid: {error.message}.", "Correct the value."


def _alternatives(error: Any, document: Document, schema: dict[str, Any], path: FieldPath) -> list[Problem]:
    """The faults of an anyOf: a value that may be null, or checks that differ by their ``kind``."""
    from jsonschema import Draft202012Validator

    branches = [_resolve(branch, schema) for branch in error.validator_value]
    kinds = {b["properties"]["kind"]["enum"][0]: b for b in branches if "kind" in b.get("properties", {})}
    if kinds and isinstance(error.instance, dict):
        kind = error.instance.get("kind")
        if kind not in kinds:
            what = "is missing." if kind is None else f"cannot be {_shown(kind)}."
            where = (*path, "kind")
            return [Problem(document.file, document.line(where), field_name(where), what, near_match(str(kind), kinds))]
        branch = {**kinds[kind], "$defs": schema.get("$defs", {})}
    else:
        plain = [b for b in branches if b.get("type") != "null"]
        branch = {**(plain[0] if plain else branches[0]), "$defs": schema.get("$defs", {})}
    found: list[Problem] = []
    for inner in Draft202012Validator(branch).iter_errors(error.instance):
        found += _problems(inner, document, schema, (*path, *inner.absolute_path))
    return found


def _resolve(branch: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    reference = branch.get("$ref")
    if not reference:
        return branch
    resolved: dict[str, Any] = schema["$defs"][reference.removeprefix("#/$defs/")]
    return resolved


def _expected(schema: dict[str, Any], key: str) -> str:
    of_key = schema.get("properties", {}).get(key, {})
    if of_key.get("description"):
        return f"Add it: {of_key['description']}"
    return f"Add it: {_kind_name(of_key['type'])}." if "type" in of_key else "Add it."


def _kind_name(kind: str | list[str]) -> str:
    words = {
        "object": "a mapping",
        "array": "a list",
        "string": "text",
        "integer": "a whole number",
        "number": "a number",
        "boolean": "true or false",
        "null": "empty",
    }
    return " or ".join(words[k] for k in ([kind] if isinstance(kind, str) else kind))


def _shown(value: Any) -> str:
    if isinstance(value, dict | list):
        return "a mapping" if isinstance(value, dict) else "a list"
    if value is None:
        return "empty"
    import json

    text = json.dumps(value, ensure_ascii=False)
    return re.sub(r"[\x00-\x1f]", "?", text if len(text) <= 60 else text[:57] + '…"')
