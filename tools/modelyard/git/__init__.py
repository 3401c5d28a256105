"""All access to Git: writes through GitPython, bulk reads through the git binary."""

from modelyard.git.remote import Git, Push
from modelyard.git.stream import PendingTags
from modelyard.git.values import (
    EMPTY_TREE,
    CommitInfo,
    GitError,
    LineCommit,
    PushRefused,
    RefRejected,
    TagRef,
    hash_of,
    object_id,
)

__all__ = [
    "EMPTY_TREE",
    "CommitInfo",
    "Git",
    "GitError",
    "LineCommit",
    "PendingTags",
    "Push",
    "PushRefused",
    "RefRejected",
    "TagRef",
    "hash_of",
    "object_id",
]
