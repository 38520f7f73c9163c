# Compatible with GNU make 3.81, the version on macOS.
PYTHON ?= python3
VENV := .venv
MOVIEPY := .venv-moviepy
READERS := .venv-readers
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: help setup test test-faults test-dataflow test-slurm test-flink test-readers
.PHONY: test-browser report-picture campaign lint run-local
.PHONY: run-gcs-emulator bench bench-readers
.PHONY: docs test-docs
.PHONY: template-image template-build template-run
.NOTPARALLEL: # all extras are installed into one environment

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-16s %s\n", $$1, $$2 }' Makefile

setup: $(VENV)/.setup ## Install the package and its dependencies into .venv

$(VENV)/.setup: setup.py pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and \
	    "Python 3.11 or later is needed; type make setup PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(PIP) --editable .
	@touch $@

$(VENV)/.test: $(VENV)/.setup
	$(PIP) --editable '.[test]'
	$(PIP) --no-deps --upgrade --target $(VENV)/old-ffmpeg 'imageio-ffmpeg==0.4.5' # ffmpeg 4.2
	@touch $@

$(VENV)/.test-dataflow: $(VENV)/.test
	$(PIP) --editable '.[gcp,test,test-dataflow]'
	@touch $@

$(VENV)/.test-browser: $(VENV)/.test
	$(PIP) --editable '.[test,test-browser]'
	@touch $@

$(VENV)/.bench: $(VENV)/.setup
	$(PIP) --editable '.[bench]'
	@touch $@

# The dependencies of moviepy 1.0.3 are too old for the other environment.
$(MOVIEPY)/.setup:
	$(PYTHON) -m venv $(MOVIEPY)
	$(MOVIEPY)/bin/python -m pip install --quiet --disable-pip-version-check \
	    'moviepy==1.0.3' 'pillow<10' 'numpy<2'
	@touch $@

# PyTorch is large, and datasets wants an older fsspec than the program.
$(READERS)/.setup: tests/readers/requirements.txt
	$(PYTHON) -m venv $(READERS)
	$(READERS)/bin/python -m pip install --quiet --disable-pip-version-check \
	    --requirement tests/readers/requirements.txt
	@touch $@

$(VENV)/.dev: $(VENV)/.setup
	$(PIP) --editable '.[dev]'
	@touch $@

# A test more at once than there are cores; who runs out of them takes some of another's. Python
# keeps what it has compiled: else each of hundreds of processes would compile all of it anew.
PYTEST = PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest --numprocesses auto --dist worksteal
LEFT_OUT := --ignore tests/faults --ignore tests/dataflow --ignore tests/docs \
    --ignore tests/readers --ignore tests/slurm --ignore tests/flink --ignore tests/browser

test: $(VENV)/.test ## Run the tests
	@echo "Not here: make test-faults (kills, full disks, rubbish; 4 minutes on 2 cores)"
	@echo "          make test-dataflow (the template and jobs; 3 minutes)"
	@echo "          make test-browser (the report in Chromium; 1 minute)"
	@echo "          make test-flink (jobs on Flink; 15 minutes, and Java 17 and Maven)"
	@echo "          make test-docs (links and commands of the documentation; 4 minutes)"
	@echo "          make test-slurm (arrays of a real SLURM; 2 minutes, and root)"
	@echo "          make test-readers (clips in torchcodec, decord and others; 6 minutes, and 7 GB to install)"
	$(PYTEST) $(LEFT_OUT)

coverage: $(VENV)/.test ## Run the tests and show which lines and branches they run
	$(PYTEST) $(LEFT_OUT) --cov --cov-report term:skip-covered

test-faults: $(VENV)/.test ## Run the fault tests (killed processes, full disks, fuzzed files): some minutes
	$(PYTEST) tests/faults

campaign: $(VENV)/.test ## Make faults at random until the time is up: HOURS=1 KINDS=... SEED=... WRITE=docs/reliability.md
	$(BIN)/python -m tests.campaign $(if $(HOURS),--hours $(HOURS)) $(if $(KINDS),--kinds $(KINDS)) \
	    $(if $(SEED),--seed $(SEED)) $(if $(PROCESSES),--processes $(PROCESSES)) \
	    $(if $(WRITE),--write $(WRITE))

test-dataflow: $(VENV)/.test-dataflow ## Run the Dataflow tests: the template, and jobs on a fake service
	$(PYTEST) tests/dataflow

# SCREENSHOTS=FOLDER keeps a picture of each page that is opened.
test-browser: $(VENV)/.test-browser ## Open reports of 1, 300 and 650,000 rows in Chromium; needs Debian's package chromium
	$(BIN)/python -m pytest tests/browser --durations=5

report-picture: $(VENV)/.test-browser ## Draw docs/report.png, the report of the sample; needs Debian's package chromium
	$(BIN)/python docs/draw_report.py

test-slurm: $(VENV)/.test ## Run arrays on a real SLURM of this machine; needs root, and slurmctld slurmd slurm-client munge
	$(BIN)/python -m pytest tests/slurm --durations=0

# Beam's runner for Flink by Maven, and Flink itself by pip: the packages of both on PyPI and in
# Maven repositories are the same everywhere.
FLINK := build/flink
FLINK_VERSION := 1.19.3
$(FLINK)/.fetched: tests/flink/pom.xml
	mkdir -p $(FLINK)/lib
	mvn --batch-mode --quiet --file tests/flink/pom.xml dependency:copy-dependencies \
	    -DoutputDirectory=$(CURDIR)/$(FLINK)/jars
	$(PYTHON) -m pip download --quiet --disable-pip-version-check --no-deps \
	    --dest $(FLINK) 'apache-flink-libraries==$(FLINK_VERSION)'
	tar --extract --gzip --file $(FLINK)/apache*flink*libraries-$(FLINK_VERSION).tar.gz \
	    --directory $(FLINK)/lib --strip-components 3 --wildcards \
	    '*/deps/lib/flink-dist-*.jar' '*/deps/lib/log4j-*.jar'
	rm $(FLINK)/*.tar.gz
	@touch $@

# Not part of .ci/run: it needs Java 17, Maven, and 400 MB of jars.
test-flink: $(VENV)/.test $(FLINK)/.fetched ## Run jobs on Flink, on this machine; needs Java 17 and Maven
	$(BIN)/python -m pytest tests/flink --durations=10

test-readers: $(VENV)/.test $(READERS)/.setup ## Read prepared clips with the real readers: torchcodec, decord and others, 7 GB to install
	$(BIN)/python -m pytest tests/readers

lint: $(VENV)/.dev ## Check style, formatting, types and imports between folders
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.bench $(VENV)/.test $(MOVIEPY)/.setup ## Compare the speed with other tools: CLIPS=folder COUNT=200 ROUNDS=3 WRITE=docs/benchmarks.md
	$(BIN)/python benchmarks/bench.py --clips $(or $(CLIPS),sample/videos) \
	    --moviepy $(MOVIEPY)/bin/python $(if $(COUNT),--count $(COUNT)) \
	    $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(WRITE),--write $(WRITE))
	$(BIN)/python benchmarks/archives.py --clips $(or $(CLIPS),sample/videos) \
	    $(if $(COUNT),--count $(COUNT)) $(if $(ROUNDS),--rounds $(ROUNDS))
	$(BIN)/python -m benchmarks.count_requests
	$(BIN)/python -m benchmarks.feed --clips $(or $(CLIPS),sample/videos) \
	    $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(WRITE),--write $(WRITE))
	$(BIN)/python -m benchmarks.shards --clips $(or $(CLIPS),sample/videos) \
	    $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(WRITE),--write docs/shards.md)

bench-readers: $(VENV)/.bench $(VENV)/.test $(READERS)/.setup ## Compare how fast training loaders read clips: CLIPS=folder WRITE=docs/benchmarks.md
	$(BIN)/python benchmarks/reads.py --clips $(or $(CLIPS),sample/videos) \
	    --readers $(READERS)/bin/python $(if $(WRITE),--write $(WRITE))

ifndef CLIPS
bench bench-readers: sample
endif

$(VENV)/.docs: $(VENV)/.setup
	$(PIP) --editable '.[docs]'
	@touch $@

# Warnings are errors: a link or an anchor that leads nowhere is one.
docs: $(VENV)/.docs ## Build the site of the documentation into build/docs
	$(BIN)/python -m sphinx --fail-on-warning --keep-going --fresh-env --quiet docs build/docs

test-docs: $(VENV)/.test ## Check the documentation: links, tables, and the commands in it
	$(PYTEST) tests/docs

run-gcs-emulator: $(VENV)/.test sample ## Prepare the sample from bucket to bucket, in a local emulator
	$(BIN)/python examples/run_gcs_emulator.py sample

run-local: $(VENV)/.setup ## Prepare a small sample, or your own data: ANNOTATIONS=... VIDEOS=... OUTPUT=...

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
	$(if $(and $(ANNOTATIONS),$(VIDEOS),$(OUTPUT)),,$(error type ANNOTATIONS=..., VIDEOS=... and OUTPUT=..., or none of them for the sample))
	$(BIN)/python -m beam_pipeline --runner DirectRunner \
	    --annotations $(ANNOTATIONS) --videos $(VIDEOS) --output $(OUTPUT)
	@$(if $(findstring ://,$(OUTPUT)),echo "The lists are in $(OUTPUT)", \
	    head -n 5 $(OUTPUT)/train.csv $(OUTPUT)/val.csv $(OUTPUT)/test.csv)

# The Dataflow template. Launcher and workers share one image, tagged with the version.
VERSION = $(shell sed -n 's/^__version__ = "\(.*\)"/\1/p' beam_pipeline/__init__.py)
IMAGE ?= $(REGION)-docker.pkg.dev/$(PROJECT)/kinetics/beam_pipeline:$(VERSION)
IMAGE_IN_METADATA := REGION-docker.pkg.dev/PROJECT/REPOSITORY/beam_pipeline:TAG
TEMPLATE = gs://$(BUCKET)/templates/kinetics.json
MACHINE_TYPE ?= n2d-standard-4
NUM_WORKERS ?= 25
MAX_WORKERS ?= $(NUM_WORKERS)
needs = $(foreach name,$(1),$(if $(strip $($(name))),,$(error type $(name)=...)))

template-image: ## Build the Dataflow image in Cloud Build: PROJECT=... REGION=...
	$(call needs,PROJECT REGION)
	gcloud builds submit --project $(PROJECT) --config templates/cloudbuild.yaml \
	    --substitutions _IMAGE=$(IMAGE) .

template-build: ## Write the Dataflow template for that image to a bucket: also BUCKET=...
	$(call needs,PROJECT REGION BUCKET)
	@mkdir -p build
	sed 's|$(IMAGE_IN_METADATA)|$(IMAGE)|' templates/metadata.json > build/metadata.json
	gcloud dataflow flex-template build $(TEMPLATE) --project $(PROJECT) --image $(IMAGE) \
	    --sdk-language PYTHON --metadata-file build/metadata.json

# Parameters are separated by ~, because values may contain commas.
template-run: ## Run the template: also PARAMETERS='dataset=kinetics400~output=gs://...'
	$(call needs,PROJECT REGION BUCKET PARAMETERS)
	gcloud dataflow flex-template run kinetics-$$(date -u +%Y%m%d-%H%M%S) \
	    --project $(PROJECT) --region $(REGION) --template-file-gcs-location $(TEMPLATE) \
	    --staging-location gs://$(BUCKET)/staging --temp-location gs://$(BUCKET)/tmp \
	    --num-workers $(NUM_WORKERS) --max-workers $(MAX_WORKERS) \
	    --worker-machine-type $(MACHINE_TYPE) $(GCLOUD_FLAGS) \
	    --parameters '^~^sdk_container_image=$(IMAGE)~$(subst ','\'',$(PARAMETERS))'
