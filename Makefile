# The two commands to know: `make demo` and `make test`. Everything is installed into .venv on first use.

PYTHON ?= python3
BIN := .venv/bin
PYTEST = $(BIN)/pytest tests --numprocesses 2 --dist worksteal --durations 15
N ?= 50
FUZZ ?= 60
OLD := posture-daemon needs Python 3.10 or newer; name one with: make setup PYTHON=python3.12

.DEFAULT_GOAL := help
.PHONY: help setup lock install demo test test-slow test-torch-free test-all service-test image-test faults soak fuzz check format starter example docs clean

help: ## list these commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 24

setup: .venv/.ready ## install everything into .venv

.venv/.ready: pyproject.toml .ci/setup.py
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { echo '$(OLD)' >&2; exit 1; }
	@$(PYTHON) .ci/setup.py
	@touch $@

SUDO = $(if $(filter-out 0,$(shell id -u)),sudo)
OPT ?= /opt/posture-daemon
WHEEL := .cache/wheel
AS_IN_VENV = from importlib.metadata import version as v; print(*(f"{n}=={v(n)}" for n in ("torch", "torchvision")), sep="\n")
INTO_OPT = umask 022 && $(SUDO) $(OPT)/bin/python -I -m pip install --quiet

install: setup ## install the service, with a program of its own in /opt, where only root can write
	@rm -rf $(WHEEL) && mkdir -p $(WHEEL)
	@$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir $(WHEEL) .
	@$(BIN)/python -c '$(AS_IN_VENV)' >$(WHEEL)/torch.txt
	@umask 022 && $(SUDO) $(PYTHON) -I -m venv $(OPT)
	@$(INTO_OPT) --no-deps --require-hashes --requirement requirements.txt
	@$(INTO_OPT) --extra-index-url https://download.pytorch.org/whl/cpu --requirement $(WHEEL)/torch.txt
	@$(INTO_OPT) --no-deps --force-reinstall $(WHEEL)/*.whl
	@$(SUDO) $(OPT)/bin/python -I $(OPT)/bin/posture-daemon service install

demo: setup ## watch a model learn, in under three minutes
	@$(BIN)/posture-daemon demo

test: setup ## run the tests that are quick: some five minutes on two cores
	$(PYTEST) -m 'not slow'

test-slow: setup ## run the tests that `make test` leaves out: long trainings, cameras that fail, all faults
	$(PYTEST) -m slow

test-torch-free: setup ## run the tests of single parts on Python 3.10 and 3.12, in small environments without torch
	$(BIN)/python .ci/torch_free.py

test-all: test test-slow test-torch-free ## run all tests; only the service's and the image's are apart

service-test: setup ## install the service on a small system and boot it (needs root, systemd-nspawn, debootstrap)
	@$(BIN)/python -m tests.service.boot

image-test: setup ## build the container image and try it; as root, with buildah and podman
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python .ci/image_test.py
	@$(BIN)/python .ci/jetson_wheels.py

faults: setup ## kill the daemon N=50 times in all it does, try every other fault, and print what was lost
	$(BIN)/python -m tests.faults $(N)

soak: setup ## an hour of the daemon, watched from outside: memory, handles, threads, frames
	$(BIN)/python tests/bench/soak.py

fuzz: setup ## give every reader inputs that nobody means, for FUZZ=60 seconds
	$(BIN)/python -m tests.fuzz --seconds $(FUZZ)

check: setup ## lint, formatting, types, import contracts
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	@test ! -x $(BIN)/shellcheck || $(BIN)/shellcheck systemd/*.sh

format: setup ## format the code and mend what ruff can
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

starter: setup ## train the starter model anew on the fake desk
	$(BIN)/python .ci/make_starter.py

example: setup ## render the example dataset in data/ anew
	$(BIN)/python -m posture_daemon.fake_desk.sessions data/example

docs: setup ## write docs/settings.md, docs/commands.md and docs/faults.md from the code
	@for page in settings_page:settings commands_page:commands faults.page:faults; do \
	  new=docs/$${page#*:}.md.new; $(BIN)/python -m tests.$${page%:*} >$$new && mv $$new $${new%.new} || exit 1; done

lock: setup ## write the versions and hashes of an installation anew (requirements.txt and its like)
	$(BIN)/python .ci/lock.py

clean: ## remove the environments and every cache, but no data
	rm -rf .venv .venv-* .cache build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find posture_daemon tests .ci -name __pycache__ -type d -prune -exec rm -rf {} +
