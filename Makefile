## ml-skeleton: a raw file goes in; a model, its metadata, its report and an endpoint come out.
##
##   make train                                     from data/raw/iris.csv to a model
##   make train ARGS="--data data/raw/cars.csv --target mpg"
##   make deploy-endpoint ARGS="--port 8080"
##
## Targets (dashes or underscores, as you like):

COVERAGE_FLOOR ?= 90
export PY_ENV PIP_EXEC CONDA_EXEC PYTHON EXTRAS TORCH_INDEX
# What pip installed for this user alone is no part of .venv; a conda environment would import it.
export PYTHONNOUSERSITE := $(if $(filter none,$(PY_ENV)),$(PYTHONNOUSERSITE),1)
# ARGS goes into recipes as it was typed, so that the shell alone reads its quotes and dollars; and
# the makes that tests start must not inherit the words that were meant for this one.
unexport ARGS MAKEFLAGS MFLAGS

PY = $(if $(filter none,$(PY_ENV)),"$${PYTHON:-python3}",.venv/bin/python)
MARKED = slow or browser or docker
# Two tests at a time, a file's tests in one process: most of a test is a child's start.
PARALLEL = -n 2 --dist loadfile

.DEFAULT_GOAL := help
# Targets are stages, one feeds the next; what can be parallel is parallel inside them.
.NOTPARALLEL:

help:  ## show this page
	@awk '/^## ?/ {sub(/^## ?/, ""); print} /^[a-z-]+:.* ## / {name = $$1; sub(/:.*/, "", name); \
		sub(/.* ## /, ""); printf "  %-20s %s\n", name, $$0}' Makefile

create-environment:  ## make .venv and install what is missing (every target does it by itself)
requirements:        ## the same: bring .venv up to date with requirements.txt and setup.py
init:                ## the same, before the first run
create-environment requirements init: .environment
	@$(PY) -c 'import sys; print("environment ready: Python", sys.version.split()[0], sys.prefix)'

init-train:          ## environment, dataset and model: what the API image runs
init-train: init train
generate-dataset:    ## raw file -> data/staging -> data/transformed
train:               ## learn; write model, metadata and report: [--data F --target T --model M]
prediction:          ## score a file: [--input F --output F --model-name N --model-version V]
evaluate:            ## score a labelled file with an existing model
deploy-endpoint:     ## serve a model over HTTP: [--model-name N --host H --port P]
report:              ## HTML pages into reports/
onboard:             ## a table of a database or storage -> data/raw: --data URL [--table T], or back
generate-dataset train prediction evaluate deploy-endpoint report onboard: .environment
	@STARTED_BY=make:$$PPID exec $(PY) -m src.stages $@ $(value ARGS)

promote: .environment  ## the version a name stands for from now on: --model-name N --model-version V
	@exec $(PY) -m src.promote $(value ARGS)

notebook: .environment-jupyter  ## JupyterLab in notebooks/, with this environment: [--port N]
	@exec $(PY) -m jupyter lab --ServerApp.root_dir=. --ServerApp.preferred_dir=notebooks $(value ARGS)

drift: .environment  ## is what an endpoint was asked like the training? [--model-name N]
	@$(PY) -m src.drift $(value ARGS)

test:                ## all that must hold: lint, types, tests with coverage, both counts
test: lint .tests-with-coverage count-test-files count-report-files
.tests-with-coverage: .environment-dev
	@command -v git >/dev/null || { echo "error: make test needs git; install it" >&2; exit 2; }
	@rm -f .coverage .coverage.*
	@$(PY) -m coverage run -m pytest $(PARALLEL) -m "not ($(MARKED))" $(value ARGS)
	@$(PY) -m coverage combine --quiet
	@$(PY) -m coverage report --fail-under=$(COVERAGE_FLOOR)

test-all: .environment-test-all  ## what test leaves out: slow tests, a browser, a container engine
	@$(PY) -m pytest $(PARALLEL) -rs -m "$(MARKED)" $(value ARGS)

pytest: .environment-dev  ## tests only: [-k WORD tests/test_train.py]
	@$(PY) -m pytest -m "not ($(MARKED))" $(value ARGS)

tox: .environment-dev  ## the tests under each Python that is found
	@$(PY) -m tox $(value ARGS)

lint: .environment-dev  ## flake8 and mypy
	@$(PY) -m flake8
	@$(PY) -m mypy --disallow-untyped-defs --ignore-missing-imports --no-error-summary src mlmonkey

format: .environment-dev  ## autopep8: mend what flake8 would complain of; strip notebooks
	@$(PY) -m autopep8 --in-place --recursive --max-line-length 100 \
		setup.py src mlmonkey tests benchmarks
	@$(PY) -m src.helpers.strip_notebooks

count-test-files:    ## how many test files there are; none is an error
	@count=$$(find tests -name 'test_*.py' 2>/dev/null | wc -l | tr -d ' '); echo "$$count test files"; \
		[ "$$count" -gt 0 ] || { echo "error: no tests/**/test_*.py" >&2; exit 2; }

count-report-files:  ## how many files reports/ holds; none is a warning
	@count=$$(find reports -type f ! -name .gitkeep 2>/dev/null | wc -l | tr -d ' '); \
		echo "$$count report files"; \
		[ "$$count" -gt 0 ] || echo "warning: reports/ is empty; run: make train" >&2

docker-build:        ## the image of the endpoint, with a model trained in it: [--build-arg EXTRAS=]
	@$(need_engine)
	@$(ENGINE) build -f Dockerfile.api -t "$${API_IMAGE:-ml-skeleton-api}" $(value ARGS) .

docker-run:          ## run that image: [-v "$PWD/models:/app/models:ro"]
	@$(need_engine)
	@$(ENGINE) run --rm --read-only -p "$${API_PORT:-5000}:5000" $(value ARGS) \
		"$${API_IMAGE:-ml-skeleton-api}"

up:                  ## build and start services of docker-compose.yml, wait until they answer: [api]
	@$(need_engine)
	@$(COMPOSE) up --build --detach --wait $(value ARGS)

down:                ## stop and remove them; [--volumes]: the settings of the lab too
	@$(need_engine)
	@$(COMPOSE) down $(value ARGS)

ENGINE ?= docker
COMPOSE ?= $(ENGINE) compose $(foreach file,$(wildcard .env .env.local),--env-file $(file))
need_engine = command -v $(ENGINE) >/dev/null || { echo "error: there is no $(ENGINE); install a" \
	"container engine, or name yours: make $@ ENGINE=podman" >&2; exit 2; }

dist: .environment-dev  ## wheel and sdist of mlmonkey into dist/
	@$(PY) -m build --outdir dist .

lock: .environment-dev  ## make the locks from requirements*.txt: [--upgrade: renew the rest too]
	@echo setuptools | $(LOCK) $(value ARGS) -o requirements.lock requirements.txt -
	@echo setuptools | $(LOCK) $(value ARGS) -o requirements-dev.lock requirements-dev.txt - \
		-c requirements.lock
	@echo setuptools | $(LOCK) $(value ARGS) -o requirements-test-all.lock \
		requirements-test-all.txt - -c requirements-dev.lock
# Each is one file for Linux and macOS, any processor, Python 3.11 and up. setuptools installs mlmonkey.
LOCK = $(PY) -m uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--only-binary :all: --no-emit-index-url --no-annotate --custom-compile-command "make lock"

audit: .environment-audit  ## known vulnerabilities in what the locks pin (asks a service)
	@$(PY) -m src.helpers.audit $(value ARGS)

licences: .environment  ## the licence of each package that the project runs with
	@$(PY) -m src.helpers.licences

docs: .environment-docs graph  ## docs/REFERENCE.md; the API's pages and the graphs, into build/docs/
	@$(PY) -m src.helpers.reference
	@$(PY) -m pdoc --output-directory build/docs mlmonkey src '!src.extras'
	@echo "docs: build/docs/index.html"

graph: .environment  ## build/docs/pipeline.svg and imports.svg: targets and files, who imports whom
	@$(PY) -m src.helpers.graphs build/docs

clean:               ## remove caches, builds and coverage; never data, models, reports or .venv
	@find src mlmonkey tests benchmarks notebooks -depth \( -name __pycache__ \
		-o -name .ipynb_checkpoints \) -exec rm -rf {} + 2>/dev/null || true
	@rm -rf .pytest_cache .mypy_cache .hypothesis .coverage .coverage.* htmlcov build dist *.egg-info

##
## Variables:
##   PY_ENV=pip|conda|uv  what makes .venv (default: pip, or what made it)
##   PY_ENV=none          no .venv: the Python that is active, as it is
##   PYTHON=/path/python3 PIP_EXEC=pip3 CONDA_EXEC=mamba   programs to use instead of those found
##   EXTRAS=torch,jupyter TORCH_INDEX=URL             optional packages; they stay in .venv
##   ARGS="..."           options of the script; python -m src.train --help lists them
##   COVERAGE_FLOOR=90    percent, for test
##   ENGINE=docker        what builds and runs containers; COMPOSE="docker compose" what reads its file

# The first Python that is 3.11 or newer brings the environment up to date. PY_ENV=none means the
# active Python and no other. -S: start without site-packages, which is quicker.
PYTHONS = $(if $(PYTHON),"$$PYTHON",python3 $(if $(filter none,$(PY_ENV)),,$(LATER_PYTHONS)))
LATER_PYTHONS = python3.14 python3.13 python3.12 python3.11 python

define bring_environment_up_to_date
@seen=; for python in $(PYTHONS); do \
	"$$python" -ISc 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && \
		exec "$$python" -S -m src.helpers.environment $(1); \
	command -v "$$python" >/dev/null && seen="$$seen; $$python is $$("$$python" -V 2>&1 | head -n 1)"; \
done; \
echo "error: no Python 3.11 or newer among" $(PYTHONS)"$$seen; install one, or name it:" \
	"make PYTHON=/path/to/python3" >&2; exit 2
endef

.environment:
	$(call bring_environment_up_to_date)
# with an extra of setup.py, or with what developers need
WITH = $(addprefix .environment-,dev test-all audit docs jupyter)
$(WITH): .environment-%:
	$(call bring_environment_up_to_date,$*)

# Every target has a twin with underscores: generate_dataset is generate-dataset.
TARGETS := $(shell sed -n 's/^\([a-z][a-z-]*\):.*/\1/p' Makefile)
DASHED := $(foreach target,$(TARGETS),$(if $(findstring -,$(target)),$(target)))
.PHONY: $(TARGETS) $(subst -,_,$(DASHED)) .tests-with-coverage
.PHONY: .environment $(WITH)
$(foreach target,$(sort $(DASHED)),$(eval $(subst -,_,$(target)): $(target)))
