"""The one door to git: the ``git`` binary. docs/decisions/git.md says why not a library."""

from modelyard.git.process import GitError, RefRejected
from modelyard.git.reading import EMPTY_TREE, CommitInfo, PendingTags, TagRef
from modelyard.git.writing import Git

__all__ = ["EMPTY_TREE", "CommitInfo", "Git", "GitError", "PendingTags", "RefRejected", "TagRef"]
