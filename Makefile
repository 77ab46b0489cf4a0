# Every target sets up what it needs; nothing is asked of the machine but Python, make and git.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help
CLUSTER := scripts/cluster
# Two processes run tests; of whole clusters there is one of each kind at a time (tests/conftest.py).
QUICK := -n 2 --dist loadfile tests/unit tests/service
WHOLE := -n 2 --dist loadgroup tests/local tests/cluster

.PHONY: help setup demo test test-fast cluster cluster-down cluster-tools test-cluster lint format protos models evaluate bench clean

help: ## Show this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## Install Argus and its tools into .venv

$(STAMP): pyproject.toml constraints.txt
	@echo "==> Setting up $(VENV) (the first time this brings some 5 GB: torch comes with its GPU libraries)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --constraints constraints.txt --editable '.[dev]'
	@touch $@

demo: $(STAMP) ## Draw ten prompts at three levels on this machine, into one contact sheet
	@echo "==> Starting a cluster on this machine, drawing, and stopping it again"
	$(BIN)/argus demo

test: cluster-tools ## Run all tests
	@echo "==> Testing (some minutes; 'make test-fast' leaves out the slow ones)"
	$(BIN)/python -m pytest $(QUICK)
	$(BIN)/python -m pytest $(WHOLE)

cluster-tools: $(STAMP) ## Build the test cluster's programs and images (minutes once, then nothing)
	@PYTHON=$(abspath $(BIN)/python) $(CLUSTER)/prepare.sh

cluster: cluster-tools ## Start a real one-node Kubernetes on this machine, with made-up GPUs
	@$(CLUSTER)/up.sh

cluster-down: ## End what `make cluster` started
	@$(CLUSTER)/down.sh --wipe

test-cluster: cluster-tools ## Run all tests that need a Kubernetes; those that take long are in no other target
	ARGUS_CLUSTER_ALL=1 $(BIN)/python -m pytest tests/cluster

test-fast: $(STAMP) ## Run the tests that take seconds
	$(BIN)/python -m pytest -m 'not slow' $(QUICK)
	$(BIN)/python -m pytest -m 'not slow' $(WHOLE)

lint: $(STAMP) ## Check format, style, types, import rules and protos
	@BIN=$(BIN) scripts/lint.sh

format: $(STAMP) ## Format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

protos: $(STAMP) ## Generate services/argus_protos from protos/
	$(BIN)/python scripts/protos.py

models: $(STAMP) ## Train the small models again (hours on two cores, minutes on a GPU); goes on where it was stopped
	$(BIN)/argus train-models

evaluate: $(STAMP) ## Measure the small models and write the table in models/README.md
	$(BIN)/argus evaluate --write

bench: $(STAMP) ## Run all benchmarks, one after the other (hours); results go to bench/results
	@for script in bench/*.py; do echo "==> $$script"; $(BIN)/python $$script || exit 1; done

clean: ## Remove what was built and installed here
	rm -rf $(VENV) build dist out .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
