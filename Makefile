# Kept to what GNU make 3.81, the one on macOS, understands.
PYTHON ?= python3
VENV := .venv
MOVIEPY := .venv-moviepy
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: help setup test coverage test-faults test-dataflow lint run-local run-gcs-emulator bench
.PHONY: template-image template-build template-run
.NOTPARALLEL: # the extras go into one environment

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-16s %s\n", $$1, $$2 }' Makefile

setup: $(VENV)/.setup ## Install the package and what it needs into .venv

$(VENV)/.setup: setup.py pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and \
	    "Python 3.11 or later is needed, say which: make setup PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(PIP) --editable .
	@touch $@

$(VENV)/.test: $(VENV)/.setup
	$(PIP) --editable '.[test]'
	@touch $@

$(VENV)/.test-dataflow: $(VENV)/.test
	$(PIP) --editable '.[gcp,test,test-dataflow]'
	@touch $@

$(VENV)/.bench: $(VENV)/.setup
	$(PIP) --editable '.[bench]'
	@touch $@

# What moviepy 1.0.3 needs is too old for anything else.
$(MOVIEPY)/.setup:
	$(PYTHON) -m venv $(MOVIEPY)
	$(MOVIEPY)/bin/python -m pip install --quiet --disable-pip-version-check \
	    'moviepy==1.0.3' 'pillow<10' 'numpy<2'
	@touch $@

$(VENV)/.dev: $(VENV)/.setup
	$(PIP) --editable '.[dev]'
	@touch $@

# As many tests at once as there are cores; who runs out of them takes some of another's.
PYTEST = $(BIN)/python -m pytest --numprocesses auto --dist worksteal
LEFT_OUT := --ignore tests/faults --ignore tests/dataflow

test: $(VENV)/.test ## Run the tests
	@echo "Not here: make test-faults (kills, full disks, rubbish; TIME_FAULTS minutes on 2 cores)"
	@echo "          make test-dataflow (the template and jobs; TIME_DATAFLOW minutes)"
	$(PYTEST) $(LEFT_OUT)

coverage: $(VENV)/.test ## Run the tests and show which lines and branches they run
	$(PYTEST) $(LEFT_OUT) --cov --cov-report term:skip-covered

test-faults: $(VENV)/.test ## Run the tests that kill, fill disks and feed rubbish: some minutes
	$(PYTEST) tests/faults

test-dataflow: $(VENV)/.test-dataflow ## Run what is for Dataflow: the template, and jobs on a stand-in for the service
	$(PYTEST) tests/dataflow

lint: $(VENV)/.dev ## Check style, formatting, types and which folder imports which
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.bench $(VENV)/.test $(MOVIEPY)/.setup ## Time this against other ways: CLIPS=folder COUNT=200 ROUNDS=3 WRITE=README.md
	$(BIN)/python benchmarks/bench.py --clips $(or $(CLIPS),sample/videos) \
	    --moviepy $(MOVIEPY)/bin/python $(if $(COUNT),--count $(COUNT)) \
	    $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(WRITE),--write $(WRITE))
	$(BIN)/python benchmarks/archives.py --clips $(or $(CLIPS),sample/videos) \
	    $(if $(COUNT),--count $(COUNT)) $(if $(ROUNDS),--rounds $(ROUNDS))
	$(BIN)/python -m benchmarks.count_requests

ifndef CLIPS
bench: sample
endif

run-gcs-emulator: $(VENV)/.test sample ## The sample from bucket to bucket, in an emulator on this machine
	$(BIN)/python examples/run_gcs_emulator.py sample

run-local: $(VENV)/.setup ## Resize a small sample, or your own: ANNOTATIONS=... VIDEOS=... OUTPUT=...

ifeq ($(strip $(ANNOTATIONS)$(VIDEOS)$(OUTPUT)),)
ANNOTATIONS := sample/annotations
VIDEOS := sample/videos
OUTPUT := sample/output
run-local: sample
endif

.PHONY: sample
sample: $(VENV)/.setup
	$(BIN)/python examples/make_sample.py sample

run-local:
	$(if $(and $(ANNOTATIONS),$(VIDEOS),$(OUTPUT)),,$(error give ANNOTATIONS=, VIDEOS= and OUTPUT=, or none of them for the sample))
	$(BIN)/python -m beam_pipeline --runner DirectRunner \
	    --annotations $(ANNOTATIONS) --videos $(VIDEOS) --output $(OUTPUT)
	@$(if $(findstring ://,$(OUTPUT)),echo "The lists are in $(OUTPUT)", \
	    head -n 5 $(OUTPUT)/train.csv $(OUTPUT)/val.csv $(OUTPUT)/test.csv)

# The Dataflow template. One image for launcher and workers, named after the version.
VERSION = $(shell sed -n 's/^__version__ = "\(.*\)"/\1/p' beam_pipeline/__init__.py)
IMAGE ?= $(REGION)-docker.pkg.dev/$(PROJECT)/kinetics/beam_pipeline:$(VERSION)
IMAGE_IN_METADATA := REGION-docker.pkg.dev/PROJECT/REPOSITORY/beam_pipeline:TAG
TEMPLATE = gs://$(BUCKET)/templates/kinetics.json
MACHINE_TYPE ?= n2d-standard-4
NUM_WORKERS ?= 25
MAX_WORKERS ?= $(NUM_WORKERS)
needs = $(foreach name,$(1),$(if $(strip $($(name))),,$(error give $(name)=...)))

template-image: ## Build the image for Dataflow, in Cloud Build: PROJECT=... REGION=...
	$(call needs,PROJECT REGION)
	gcloud builds submit --project $(PROJECT) --config templates/cloudbuild.yaml \
	    --substitutions _IMAGE=$(IMAGE) .

template-build: ## Put the Dataflow template for that image into a bucket: and BUCKET=...
	$(call needs,PROJECT REGION BUCKET)
	@mkdir -p build
	sed 's|$(IMAGE_IN_METADATA)|$(IMAGE)|' templates/metadata.json > build/metadata.json
	gcloud dataflow flex-template build $(TEMPLATE) --project $(PROJECT) --image $(IMAGE) \
	    --sdk-language PYTHON --metadata-file build/metadata.json

# Values may have commas in them: what parts the parameters is ~.
template-run: ## Run the template: and PARAMETERS='dataset=kinetics400~output=gs://...'
	$(call needs,PROJECT REGION BUCKET PARAMETERS)
	gcloud dataflow flex-template run kinetics-$$(date -u +%Y%m%d-%H%M%S) \
	    --project $(PROJECT) --region $(REGION) --template-file-gcs-location $(TEMPLATE) \
	    --staging-location gs://$(BUCKET)/staging --temp-location gs://$(BUCKET)/tmp \
	    --num-workers $(NUM_WORKERS) --max-workers $(MAX_WORKERS) \
	    --worker-machine-type $(MACHINE_TYPE) $(GCLOUD_FLAGS) \
	    --parameters '^~^sdk_container_image=$(IMAGE)~$(subst ','\'',$(PARAMETERS))'
