# `make book` and `make test` are all a newcomer needs; `make help` lists the rest.
PYTHON ?= $(or $(shell command -v python3.11),$(shell command -v python3),no-python-found)
BIN := .venv/bin
SITE := _build/html

# Developers keep the real data beside the checkout; everything also works without it.
SHARED_DATA := $(abspath $(wildcard ../shared/data))
ifneq ($(SHARED_DATA),)
export D2LUTILS_DATA ?= $(SHARED_DATA)
endif
export PIP_DISABLE_PIP_VERSION_CHECK = 1

.PHONY: help book test execute sync serve bench repository clean

help: ## list the commands
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

.venv/ready: requirements.txt pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "No Python found; install Python 3.11 or run make PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v <= (3, 13) else f"Python 3.11 is needed, found {v[0]}.{v[1]}; install it or run make PYTHON=/path/to/python3.11")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -q -r requirements.txt
	@touch $@

book: .venv/ready ## build the book into _build/html from the stored outputs
	@$(BIN)/jupyter-book build . --all -n -W --keep-going -q || { echo "The book has errors, see above."; exit 1; }
	@echo "The book lies at $(abspath $(SITE))/index.html"

test: .venv/ready ## lint, unit tests, every chapter in its fast setting, the built pages
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m pytest

execute: .venv/ready ## execute all chapters, or one: make execute CHAPTER=rnn
	$(BIN)/python book/notebooks.py execute $(CHAPTER)

sync: .venv/ready ## carry changed prose from book/chapters to notebooks
	$(BIN)/python book/notebooks.py sync $(CHAPTER)

serve: book ## show the book at http://localhost:8000
	$(BIN)/python -m http.server 8000 --bind 127.0.0.1 --directory $(SITE)

bench: .venv/ready ## measure the speed claims, as ratios in one process
	$(BIN)/python -m pytest benchmarks -q -s

repository: .venv/ready ## set the repository's address: make repository URL=https://github.com/me/book
	$(BIN)/python book/notebooks.py repository $(URL)

clean: ## remove what was built; the environment stays
	rm -rf _build .pytest_cache .ruff_cache .hypothesis .benchmarks
