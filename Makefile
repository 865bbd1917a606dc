# The doors. Each sets up what it needs.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help start repro test lint serve bento setup doctor

export PATH := $(CURDIR)/.venv/bin:$(PATH)
# each recipe's bash reads it first: name, shell and folders where the account has none
export BASH_ENV := scripts/account.sh
# no tool phones home
export DVC_NO_ANALYTICS := 1
export BENTOML_DO_NOT_TRACK := True
export GX_ANALYTICS_ENABLED := false
export ORT_DISABLE_TELEMETRY := 1

# else every stage compiles torch's Python anew, where a container's image forbids to keep what was compiled
unexport PYTHONDONTWRITEBYTECODE

# this folder's code, also where .venv was made for another one
start repro test serve bento: export PYTHONPATH := $(CURDIR)/src

# of the tests: one a core, four at most, for each takes a GB; a file's tests stay together
PROCESSES := -n logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder

GRAFT_PORT ?= 3000
FORCE ?=
ARGS ?=

help: ## list the doors
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-8s %s\n", $$1, $$2}' Makefile

start: .venv/ready ## look at your images, write the params that fit, say how long a run takes (ARGS="--from FOLDER ...")
	@graft start $(ARGS)

repro: .venv/ready ## run the whole pipeline; ends with the verdict and where the report lies
	@graft check-params
	@rm -f reports/provenance/failure.txt; touch .venv/started; dvc repro; status=$$?; \
	if [ $$status -eq 0 ] || [ models/records/gate.json -nt .venv/started ]; then graft summary; \
	else echo >&2; [ ! -s reports/provenance/failure.txt ] || cat reports/provenance/failure.txt >&2; \
	  [ -s reports/provenance/failure.txt ] || echo "repro: want every stage to end well, got the error above." \
	    "'exited with -9' there: the system killed the stage, most likely for want of memory." \
	    "Lower training.batch_size or images.size_px in params.yaml, or close other programs." >&2; \
	  [ ! -f reports/report.html ] || echo "reports/report.html is that of an earlier run." >&2; fi; \
	exit $$status

test: .venv/ready ## lint, types and all tests
	ruff check .
	ruff format --check .
	mypy
	pytest $(PROCESSES)

lint: .venv/ready ## put the code in the house's form
	ruff check --fix .
	ruff format .

serve: .venv/ready ## serve models/final on 127.0.0.1:3000 (GRAFT_PORT=..., FORCE=1 for a refused model)
	@graft check-release --port $(GRAFT_PORT) $(if $(filter 1,$(FORCE)),--force)
	bentoml serve graft.serving.service:Classifier --host 127.0.0.1 --port $(GRAFT_PORT)

bento: .venv/ready ## build the Bento (FORCE=1 for a refused model)
	@graft check-release $(if $(filter 1,$(FORCE)),--force)
	@tag=$$(bentoml build -o tag) && tag=$${tag##*__tag__:} && path=$$(bentoml get "$$tag" -o path) && \
	{ test -s "$$path/src/models/final/model.onnx" || \
	  { echo "$$path: want models/final/model.onnx inside the Bento, got none. Run make repro, then make bento." >&2; exit 1; }; } && \
	echo "built $$tag; serve it with: bentoml serve $$tag --host 127.0.0.1"

setup: .venv/ready ## only make the environment

# for when .venv fails: by the Python that scripts/setup.sh takes, and not by .venv's
doctor: ## say what is wrong with this machine or the environment, with the cure
	@here=$$(pwd -P); PATH="$${PATH//"$$here/.venv/bin:"/}"; python=$${PYTHON:-$$(command -v python3.11 || echo python3)}; \
	"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 7))' 2>/dev/null || \
	{ echo "doctor: want Python 3.11 or newer, got '$$("$$python" -V 2>&1)' of $$python. Install it, or set PYTHON." >&2; exit 1; }; \
	"$$python" scripts/doctor.py --port "$(GRAFT_PORT)"

# a stamp beside an environment that does not run is no stamp
ifneq ($(shell .venv/bin/python -c "import graft" 2>/dev/null && test -x .venv/bin/graft && echo runs),runs)
.PHONY: .venv/ready
endif

.venv/ready: requirements.lock pyproject.toml scripts/setup.sh
	@scripts/setup.sh
