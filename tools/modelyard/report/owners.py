"""CODEOWNERS, from the owners that the manifests name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

HEAD = "# Written by: modelyard owners --write. Edit model.yaml and modelyard.yaml instead."
_SHARED = ("/modelyard.yaml", "/policies/", "/waivers/", "/.github/", "/.gitlab-ci.yml", "/.gitlab/", "/Jenkinsfile")


def render_owners(shared: Sequence[str], models: Mapping[str, Sequence[str]]) -> str:
    """The file: what belongs to no model first, because the last line that matches counts."""
    lines = [HEAD]
    if shared:
        lines += [_line(path, shared) for path in _SHARED]
    for name, owners in sorted(models.items()):
        lines += [_line(f"/models/{name}/", owners), _line(f"/deployments/*/{name}.yaml", owners)]
        lines += [_line(f"/waivers/{name}-*", [*shared, *(o for o in owners if o not in shared)])]
    return "\n".join(lines) + "\n"


def _line(path: str, owners: Sequence[str]) -> str:
    # A handle, a team or an address has no space and no #; anything else could end the line or add an owner.
    sound = [owner for owner in owners if not any(c.isspace() or c == "#" for c in owner)]
    return f"{path} {' '.join(sound)}".rstrip()
