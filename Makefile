# Every target makes what it needs, starting with the environment itself in .venv.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
unexport PYTHONPATH PYTHONHOME

BIN := .venv/bin
INSTALLED := .venv/.installed
SEED ?= 1
SEEDS ?= 1
CODE := $(wildcard clearing verifier prover node risk simulator novatio bench tests)
PROTOS := $(wildcard proto/*/v1/*.proto)
# One shell command; $(1) is the folder that the stubs are written under.
PROTOC = $(BIN)/python -m grpc_tools.protoc -Iproto \
	--python_out=$(1) --grpc_python_out=$(1) --pyi_out=$(1) $(PROTOS)

.PHONY: help setup demo test lint bench proto sim clean

help:  ## list the targets (example: make)
	@echo "Novatio: a clearing house whose every step can be proven wrong by anyone."
	@echo
	@awk -F ':.*## ' '/^[a-z]+:.*## / { \
		split($$2, part, " [(]example: "); sub(/[)]$$/, "", part[2]); \
		printf "  %-7s %-58s %s\n", $$1, part[1], part[2] }' $(firstword $(MAKEFILE_LIST))

$(INSTALLED): pyproject.toml
	@exec >&2; python=; \
	for candidate in $(PYTHON) python3.11 python3.12 python3; do \
		if "$$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 13))' \
			>/dev/null 2>&1; then python=$$candidate; break; fi; \
	done; \
	if [ -z "$$python" ]; then \
		echo "setup: no Python 3.11 or 3.12 was found as python3.11, python3.12 or python3." >&2; \
		echo "       python3 here is: $$(python3 --version 2>&1 | head -n 1)" >&2; \
		echo "       Install one (Debian: apt install python3.11 python3.11-venv), or name it:" >&2; \
		echo "       make setup PYTHON=path/to/python3.11" >&2; \
		exit 1; \
	fi; \
	if $(BIN)/python -m pip --version >/dev/null 2>&1 && \
		$(BIN)/python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 13))'; then \
		echo "[1/3] .venv is there ($$($(BIN)/python --version))"; \
	else \
		echo "[1/3] creating .venv with $$("$$python" --version) ..."; \
		"$$python" -m venv --clear .venv || { \
			echo "setup: $$python could not create .venv; on Debian its venv module is a" >&2; \
			echo "       package of its own: apt install $${python##*/}-venv" >&2; exit 1; }; \
	fi; \
	echo "[2/3] installing dependencies (about a minute; full output in .venv/pip.log) ..."; \
	PIP_DISABLE_PIP_VERSION_CHECK=1 $(BIN)/python -m pip install --prefer-binary \
		--progress-bar off --editable '.[dev]' 2>&1 | tee .venv/pip.log | awk ' \
		/^Collecting / { count++; if (count % 10 == 0) print "      " count " packages found"; \
			fflush() } \
		/^Installing collected packages/ { print "      unpacking " count " packages"; fflush() } \
		/^ *(ERROR|error):?/ { print "      " $$0; fflush() }' || { \
		echo "setup: pip could not install the dependencies; the reason is in .venv/pip.log." >&2; \
		echo "       Check the network or the package index, then run make setup again." >&2; \
		exit 1; }; \
	touch $@

setup: $(INSTALLED)  ## create .venv, install, compile the kernels (example: make setup)
	@echo "[3/3] compiling the kernels (minutes the first time, skipped when nothing changed) ..." >&2
	@$(BIN)/python -m novatio.warm

demo: setup  ## a market, a crash, a fraud and its proof (example: make demo ARGS="-o json")
	@$(BIN)/novatio demo $(ARGS)

test: setup  ## run the tests; ARGS go to pytest (example: make test ARGS='-k margin')
	@$(BIN)/pytest -n 2 $(ARGS)

lint: $(INSTALLED)  ## format, types, imports, spelling, protocol, stubs (example: make lint)
	@echo "[1/7] ruff check";          $(BIN)/ruff check .
	@echo "[2/7] ruff format --check"; $(BIN)/ruff format --check .
	@echo "[3/7] mypy";                $(BIN)/mypy $(CODE)
	@echo "[4/7] lint-imports";        $(BIN)/lint-imports
	@echo "[5/7] codespell";           $(BIN)/codespell
	@echo "[6/7] buf lint";            $(BIN)/buf lint
	@echo "[7/7] stubs are fresh"
	@fresh=$$(mktemp -d); trap 'rm -rf "$$fresh"' EXIT; $(call PROTOC,"$$fresh"); \
	stale=0; \
	while read -r stub; do \
		cmp -s "$$fresh/$$stub" "$$stub" || { stale=1; echo "lint: $$stub is stale" >&2; }; \
	done < <(cd "$$fresh" && find . -type f | sort | sed 's|^[.]/||'); \
	while read -r stub; do \
		[ -e "$$fresh/$$stub" ] || { stale=1; echo "lint: $$stub has no .proto" >&2; }; \
	done < <(find node prover verifier -name '*_pb2*.py*' -not -path '*/__pycache__/*'); \
	[ $$stale = 0 ] || { echo "lint: run make proto and commit the stubs" >&2; exit 1; }

bench: setup  ## measure, as ratios against baselines of the same run (example: make bench)
	@$(BIN)/python -m bench $(ARGS)

proto: $(INSTALLED)  ## regenerate the gRPC stubs from proto/ (example: make proto)
	@find node prover verifier -name '*_pb2*.py*' -delete
	@$(call PROTOC,.)
	@echo "proto: stubs written for $(words $(PROTOS)) files"

sim: setup  ## simulate worlds with faults, a seed each (example: make sim SEED=7 SEEDS=3)
	@$(BIN)/novatio sim run --seed $(SEED) --seeds $(SEEDS) $(if $(MUTANTS),--mutants) $(ARGS)

clean:  ## remove .venv, caches and build output (example: make clean)
	@rm -rf .venv build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache \
		.import_linter_cache .hypothesis
	@find $(CODE) -name __pycache__ -type d -prune -exec rm -rf {} +
	@echo "clean: the next target starts from nothing"
