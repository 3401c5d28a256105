"""Git bundles: refs with their history in one file, whole or as an increment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryFile

from modelyard.git.repository import GitRepository

_CHECKED = ("-c", "fetch.fsckObjects=true", "-c", "gc.auto=0", "-c", "maintenance.auto=false")
"""Git checks each object that comes from a stranger's file, such as the paths in its trees."""


class GitBundles(GitRepository):
    """Reads and writes of bundles in one clone."""

    def write_bundle(self, path: Path, refs: Sequence[str]) -> None:
        """Writes HEAD and refs with their history into a git bundle; equal refs give equal bytes."""
        with self.opened() as repo:
            repo.git.execute(["git", "-c", "pack.threads=1", "bundle", "create", "--quiet", str(path), "HEAD", *refs])

    def write_increment(self, path: Path, refs: Mapping[str, str], have: Sequence[str]) -> None:
        """Writes a bundle of refs (any full name → object id) without what the commits ``have`` reach.

        ``have`` are commits of this clone; a reader of the bundle needs them. ``git bundle create`` can only use the
        names that the refs have here.
        """
        kind = self.object_format()
        head = "# v2 git bundle\n" if kind == "sha1" else f"# v3 git bundle\n@object-format={kind}\n"
        lines = [*(f"-{sha} " for sha in have), *(f"{sha} {name}" for name, sha in sorted(refs.items()))]
        wanted = [*refs.values(), *(f"^{sha}" for sha in have)]
        with self.opened() as repo, path.open("wb") as file, TemporaryFile() as revisions:
            file.write((head + "".join(f"{line}\n" for line in lines) + "\n").encode())
            file.flush()
            revisions.write("".join(f"{line}\n" for line in wanted).encode())
            revisions.seek(0)
            pack = ["git", "-c", "pack.threads=1", "pack-objects", "--quiet", "--revs", "--thin", "--delta-base-offset"]
            repo.git.execute([*pack, "--stdout"], istream=revisions, output_stream=file)

    def take_bundle(self, path: Path, refs: Mapping[str, str]) -> None:
        """Fetches refs of a bundle (name there → name here), and checks all objects; GitError for a damaged bundle."""
        wanted = [f"+{there}:{here}" for there, here in refs.items()]
        with self.opened() as repo:
            options = ("--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules")
            repo.git.execute(["git", *_CHECKED, "fetch", *options, "--", str(path), *wanted])

    def commits_present(self, shas: Iterable[str]) -> list[str]:
        """The commits that this clone has, of ids of commits and tag objects; with one process."""
        wanted = "".join(f"{sha}^{{commit}}\n" for sha in dict.fromkeys(shas))
        answers = self._run("cat-file", "--batch-check", stdin=wanted.encode()).decode().split("\n")
        return list(dict.fromkeys(answer.split()[0] for answer in answers if " commit " in answer))

    def differing_trees(self, one: str, other: str) -> set[str]:
        """The trees of two commits that are not the same in both."""
        roots = {self._text("rev-parse", f"{commit}^{{tree}}") for commit in (one, other)}
        listed = self._text("diff-tree", "-r", "-t", "--raw", "--no-abbrev", "--no-renames", "-z", one, other)
        fields = [part[1:].split() for part in listed.split("\0") if part.startswith(":")]
        sides = [side for mode, also, before, now, *_ in fields for side in ((mode, before), (also, now))]
        return roots | {sha for mode, sha in sides if mode == "040000"}

    def tags_beside(self, commit: str) -> dict[str, str]:
        """Ref → object id of the tags whose commit is not in the history of a commit."""
        output = self._text("for-each-ref", f"--no-merged={commit}", "--format=%(objectname) %(refname)", "refs/tags")
        pairs = (line.split(" ", 1) for line in output.split("\n") if line)
        return {ref: sha for sha, ref in pairs}
