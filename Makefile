# Tessera. Every target sets up what it needs, from python3, git and make alone; `make help` lists them.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules --no-print-directory

ROOT := $(patsubst %/,%,$(dir $(abspath $(lastword $(MAKEFILE_LIST)))))
UV_VERSION := 0.13.9
UV ?= $(or $(shell command -v uv 2>/dev/null),$(ROOT)/.cache/uv/bin/uv)
PYTHON := $(ROOT)/.venv/bin/python
SAM := $(ROOT)/.venv-sam/bin/sam
ENVIRONMENTS := $(ROOT)/.venv/.ready $(ROOT)/.venv-sam/.ready $(ROOT)/.venv-ministack/.ready
SCAN := $(ROOT)/.venv-scan/.ready
SPARK := $(ROOT)/.venv-spark/.ready
LAYER_PLATFORM ?= x86_64-manylinux_2_28
UNUSED_IN_LAYER := tests test include f2py transformers quantization datasets

export SAM_CLI_TELEMETRY := 0
export PLAYWRIGHT_BROWSERS_PATH := $(ROOT)/.cache/browsers
export __SAM_CLI_APP_DIR := $(ROOT)/.cache/sam
export PATH := $(ROOT)/.venv/bin:$(PATH)
unexport VIRTUAL_ENV
# Where an image of Python sets it, each process would compile all that it imports anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help
help: ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  \033[1mmake %-8s\033[0m %s\n", $$1, $$2}' $(ROOT)/Makefile

# ---- Commands --------------------------------------------------------------------------------------------------------

# What checkov cannot parse it passes over with status 0, so that its last line has to say that it looked and found nothing.
CHECKOV = $(ROOT)/.venv-scan/bin/checkov --config-file $(ROOT)/.checkov.yaml
NOTHING_FOUND := '^Passed checks: [1-9][0-9]*, Failed checks: 0, Skipped checks: [0-9]*$$'
# Keys are known by their shape: hashes and golden bytes look as random, and what a variable is called ruff's rules look at.
BY_SHAPE := $(foreach plugin,HexHighEntropyString Base64HighEntropyString KeywordDetector,--disable-plugin $(plugin))

.PHONY: setup install build demo local test check nightly delivery drills bench samples warehouses featuretools spark pycaret lint docs clean
setup: $(ENVIRONMENTS) $(SCAN) ## Install the pinned tools and libraries (every other command does it too)
install: setup

build: $(ROOT)/.aws-sam/packed/template.yaml ## Build the layer and the functions with `sam build`

demo: build ## Run the whole system once on real data, locally, and print what happened
	@$(PYTHON) -m local.demo

local: build ## Start the whole system locally and keep it running until Ctrl-C
	@$(PYTHON) -m local.stack $(OPTIONS)

test: build $(ROOT)/.venv/.browser $(ROOT)/.venv-featuretools/.ready ## Run all tests that need neither Docker nor an AWS account
	@OMP_NUM_THREADS=1 $(PYTHON) -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder $(ARGS)

check: $(ROOT)/.cache/.template-linted ## Run the quick part of lint, and all tests that need no stack, in 90 seconds on two cores; say what is left
	ruff format --check
	ruff check
	mypy
	lint-imports
	@HYPOTHESIS_PROFILE=check OMP_NUM_THREADS=1 $(PYTHON) -m pytest -q -p tests.support.check --numprocesses 2 --dist loadfile \
		--no-loadscope-reorder $(ARGS)

$(ROOT)/.cache/.template-linted: $(ROOT)/template.yaml $(ROOT)/api/openapi.yaml | $(ROOT)/.venv/.ready
	cfn-lint $(ROOT)/template.yaml
	@mkdir -p $(@D) && touch $@

nightly: build ## Play the tests in an order of chance, try delivery on 10,000 generated histories, play 2,000 seeds of the simulation, look at 2,000 experiments daily, learn for 30 nights, give parsers 100,000 damaged inputs
	@OMP_NUM_THREADS=1 $(PYTHON) -m pytest -p tests.support.shuffled --ignore tests/e2e --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder
	@HYPOTHESIS_PROFILE=nightly $(PYTHON) -m pytest tests/features tests/events tests/audiences tests/intake/test_memory.py --numprocesses auto --maxprocesses 4
	@$(PYTHON) -W ignore -m tests.simulation --seeds 2000 --processes $$(nproc)
	@$(PYTHON) -m tests.experiments.simulation --experiments 2000
	@$(PYTHON) -m pytest tests/training tests/e2e/test_nights.py -m nightly
	@$(PYTHON) -m tests.fuzz --inputs 100000

delivery: build ## Deliver a busy shop's files and live events twice, from 8 producers, and compare all with offline scoring
	@$(PYTHON) -m pytest tests/e2e/test_delivery.py -m delivery

drills: build $(SPARK) $(ROOT)/.venv-featuretools/.ready $(ROOT)/.venv-warehouses/.ready ## Restore a lost table, upgrade, roll back, learn, and try every command of the runbook, on local stacks
	@$(PYTHON) -m pytest $$(grep -l pytest.mark.drill tests/e2e/test_*.py) -m drill --numprocesses 2 --dist loadfile

bench: build $(ROOT)/.venv-featuretools/.ready ## Measure speed, memory and size against the limit and the usual way; a table and bench/results.json
	@$(PYTHON) -m bench $(OPTIONS)

samples: build ## Run every sample of events/ with `sam local invoke`, which needs Docker
	@$(PYTHON) -m pytest tests/e2e/test_samples.py -m docker --numprocesses auto --maxprocesses 4 --dist load

lint: setup ## Check formatting, style, types, imports, links and the template, and scan for weaknesses and secrets
	@$(MAKE) --jobs 2 --output-sync types template style docs

.PHONY: types template style
types:
	mypy

template:
	$(SAM) validate --lint
	cfn-lint template.yaml
	@mkdir -p $(ROOT)/.cache
	$(PYTHON) -m local.flat_template >$(ROOT)/.cache/template.yaml
	$(CHECKOV) --file $(ROOT)/.cache/template.yaml | tee /dev/stderr | grep $(NOTHING_FOUND) >/dev/null

style:
	ruff format --check
	ruff check
	lint-imports
	cd $(ROOT) && .venv-scan/bin/detect-secrets-hook $(BY_SHAPE) $$(git ls-files --cached --others --exclude-standard)

warehouses: $(ROOT)/.venv-warehouses/.ready ## Install what stands for Snowflake and BigQuery, and writes Tableau's files; then hold the views to them
	@$(PYTHON) -m pytest tests/operations/test_warehouse.py tests/operations/test_tableau.py tests/audiences/test_warehouses.py

spark: $(SPARK) ## Install Spark, and hold what it gathers to what one machine comes to; needs Java 17
	@cd $(ROOT) && .venv-spark/bin/python -m pytest tests/training/engines/test_spark.py

pycaret: $(ROOT)/.venv-pycaret/.ready build ## Install PyCaret, and adopt what it makes, on the local stack too; needs Python 3.11
	@$(PYTHON) -m pytest tests/training/adoption/test_adopting.py tests/e2e/test_targets.py -k pycaret

featuretools: $(ROOT)/.venv-featuretools/.ready ## Install FeatureTools, which `tessera discover` runs

docs: $(ROOT)/.venv/.ready ## Make a site of docs/ in build/site, and check its links
	@cd $(ROOT) && NO_MKDOCS_2_WARNING=1 mkdocs build

clean: ## Remove what was built and installed
	rm -rf $(ROOT)/.aws-sam $(ROOT)/.cache $(ROOT)/build $(ROOT)/.venv $(ROOT)/.venv-sam $(ROOT)/.venv-ministack \
		$(ROOT)/.venv-scan $(ROOT)/.venv-spark $(ROOT)/.venv-warehouses $(ROOT)/.venv-featuretools \
		$(ROOT)/.venv-pycaret

# ---- Environments ----------------------------------------------------------------------------------------------------
# The local AWS, SAM and checkov pin libraries that clash with the project's, so each lives in an environment of its own.

$(ROOT)/.cache/uv/bin/uv:
	@echo "Installing uv $(UV_VERSION) into .cache/uv"
	@python3 -m venv $(ROOT)/.cache/uv
	@$(ROOT)/.cache/uv/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

$(ROOT)/.venv/.ready: GROUPS :=
$(ROOT)/.venv-sam/.ready: GROUPS := --only-group sam
$(ROOT)/.venv-ministack/.ready: GROUPS := --only-group ministack
$(SCAN): GROUPS := --only-group scan
$(SPARK): GROUPS := --group spark
$(ENVIRONMENTS) $(SCAN) $(SPARK): $(ROOT)/uv.lock | $(UV)
	@echo "Installing locked packages into $(notdir $(@D))"
	@cd $(ROOT) && UV_PROJECT_ENVIRONMENT=$(@D) $(UV) sync --frozen $(GROUPS)
	@touch $@

# Their libraries clash with the project's own: one lock for both takes what uv calls experimental. So they have pins of their own.
$(ROOT)/.venv-featuretools/.ready: $(ROOT)/training/discovery/featuretools.txt | $(UV)
$(ROOT)/.venv-warehouses/.ready: $(ROOT)/tests/support/fakes/requirements.txt | $(UV)
$(ROOT)/.venv-pycaret/.ready: $(ROOT)/tests/training/adoption/pycaret.txt | $(UV)
$(ROOT)/.venv-pycaret/.ready: PYTHON_OF_IT := 3.11
$(ROOT)/.venv-featuretools/.ready $(ROOT)/.venv-warehouses/.ready $(ROOT)/.venv-pycaret/.ready:
	@echo "Installing pinned packages into $(notdir $(@D))"
	@$(UV) venv --quiet --clear --python $(or $(PYTHON_OF_IT),3.13) $(@D)
	@$(UV) pip install --quiet --python $(@D)/bin/python --requirements $<
	@touch $@

# A test that looks at report.html fails without one and says why, so a machine that can have none is not stopped here.
$(ROOT)/.venv/.browser: $(ROOT)/.venv/.ready
	@cd $(ROOT) && if $(PYTHON) -m local.browser; then touch $@; fi

# ---- Artifacts -------------------------------------------------------------------------------------------------------
# `sam build` calls the build-* targets below, with ARTIFACTS_DIR set. Bytecode goes into the artifacts because Lambda
# cannot write it, and unchecked because unzipping changes the times of the files.

$(ROOT)/.aws-sam/build/template.yaml: $(ENVIRONMENTS) $(ROOT)/template.yaml $(ROOT)/.aws-sam/openapi.json $(ROOT)/samconfig.toml $(ROOT)/Makefile \
		$(shell find $(ROOT)/shared $(ROOT)/functions $(ROOT)/statemachines -type f -not -path '*__pycache__*' 2>/dev/null)
	@echo "Building the layer and the functions with sam"
	@mkdir -p $(ROOT)/.aws-sam
	@cd $(ROOT) && $(SAM) build >.aws-sam/build.log 2>&1 || { cat .aws-sam/build.log; exit 1; }
	@du -sm $(@D)/*/ | awk '{n = split($$2, path, "/"); print "  " path[n - 1] ": " $$1 " MB unzipped"}'

# The local AWS takes the packages as archives, made once rather than by each deployment.
$(ROOT)/.aws-sam/packed/template.yaml: $(ROOT)/.aws-sam/build/template.yaml $(ROOT)/local/packed.py
	@$(PYTHON) -m local.packed

COMPILE = $(PYTHON) -m compileall -q -j 0 --invalidation-mode unchecked-hash -s $(ARTIFACTS_DIR)
COPY_SOURCES = tar -C $(ROOT) --exclude '__pycache__' -cf - $(1) | tar -C $(2) -xf -

# What API Gateway imports. The layer asks for it, so that `sam build` makes it without `make build` too.
$(ROOT)/.aws-sam/openapi.json: $(ROOT)/api/openapi.yaml $(ROOT)/local/api_document.py $(ROOT)/.venv/.ready
	@mkdir -p $(@D)
	@cd $(ROOT) && $(PYTHON) -m local.api_document >$@

.PHONY: build-SharedLayer
build-SharedLayer: $(ROOT)/.venv/.ready $(ROOT)/.aws-sam/openapi.json
	@cd $(ROOT) && $(UV) export --quiet --frozen --no-default-groups --no-emit-project --format pylock.toml --output-file $(CURDIR)/pylock.toml
	@cd $(ROOT) && $(UV) pip install --quiet --preview-features pylock --python $(PYTHON) --link-mode copy --no-deps \
		--python-platform $(LAYER_PLATFORM) --only-binary :all: --target $(ARTIFACTS_DIR)/python -r $(CURDIR)/pylock.toml
	@rm -rf $(ARTIFACTS_DIR)/python/bin $(ARTIFACTS_DIR)/python/.lock
	@cd $(ARTIFACTS_DIR)/python && find . -name '*.pyi' -delete && \
		find . -type d \( -false $(UNUSED_IN_LAYER:%=-o -name %) \) -prune -exec rm -rf {} +
	@$(call COPY_SOURCES,shared,$(ARTIFACTS_DIR)/python)
	@$(COMPILE) -p /opt $(ARTIFACTS_DIR)

# The package of IngestEventsFunction is functions/ingest_events, and so it is with every function.
build-%Function: PACKAGE = functions/$(shell echo $* | sed 's/\(.\)\([A-Z]\)/\1_\2/g' | tr A-Z a-z)
build-%Function: $(ROOT)/.venv/.ready
	@test -f $(ROOT)/$(PACKAGE)/app.py
	@$(call COPY_SOURCES,functions/__init__.py $(PACKAGE),$(ARTIFACTS_DIR))
	@$(COMPILE) -p /var/task $(ARTIFACTS_DIR)
