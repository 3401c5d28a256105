"""The one door to Git: GitPython, and a stream of the binary for what is read in bulk."""

from modelyard.git.remote import Git, Push
from modelyard.git.stream import PendingTags
from modelyard.git.values import EMPTY_TREE, CommitInfo, GitError, PushRefused, RefRejected, TagRef

__all__ = ["EMPTY_TREE", "CommitInfo", "Git", "GitError", "PendingTags", "Push", "PushRefused", "RefRejected", "TagRef"]
