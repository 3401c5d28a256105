#!/bin/sh
# Installs what jobs of CI need: sh requirements/install.sh planning
# Every package has its hash in a lock; an index is taken from the environment (UV_DEFAULT_INDEX, PIP_INDEX_URL).
# pipeline.txt, where it exists, names what your own pipelines import besides.
set -eu
cd "$(dirname "$0")"
python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps --requirement installer.txt
python=$(command -v python)
files=""
for job; do
  test -f "$job.txt" || { echo "requirements/$job.txt does not exist. Run: modelyard update" >&2; exit 2; }
  files="$files --requirement $job.txt"
done
install() { python -m uv pip install --quiet --python "$python" "$@"; }
install --require-hashes --no-deps --no-build-isolation $files
install --no-deps --no-build-isolation --requirement toolkit.txt
case " $* " in *" measuring "*) if [ -f pipeline.txt ]; then install --requirement pipeline.txt; fi ;; esac
