"""Every kind of manifest by its name."""

from __future__ import annotations

from modelyard.manifests.base import Manifest
from modelyard.manifests.deployment import Deployment
from modelyard.manifests.policy import Policy
from modelyard.manifests.schema import Approvals, Model, Repository, Waiver

MANIFEST_KINDS: dict[str, type[Manifest]] = {
    "modelyard": Repository,
    "model": Model,
    "deployment": Deployment,
    "policy": Policy,
    "approvals": Approvals,
    "waiver": Waiver,
}
