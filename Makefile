# `make book` and `make test` are all a newcomer needs; `make help` lists the rest.
PYTHON ?= $(or $(shell command -v python3.11),$(shell command -v python3),no-python-found)
BIN := .venv/bin
SITE := _build/html

# The legacy kernel's Python: the newest that mxnet 1.9.1 runs on.
MXNET_BIN := .venv-mxnet/bin
MXNET_PYTHON ?= $(shell for p in "$(PYTHON)" python3.11 python3.10; do \
	$$p -c "import sys; sys.exit(sys.version_info[:2] not in ((3, 10), (3, 11)))" 2>/dev/null && echo "$$p" && break; done)

# Developers keep the real data beside the checkout; everything also works without it.
SHARED_DATA := $(abspath $(wildcard ../shared/data))
ifneq ($(SHARED_DATA),)
export D2LUTILS_DATA ?= $(SHARED_DATA)
endif
export PIP_DISABLE_PIP_VERSION_CHECK = 1

.PHONY: help book test mxnet execute sync serve student solutions slides bench poem-model repository clean

help: ## list the commands
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

.venv/ready: requirements.txt pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "No Python found; install Python 3.11 or run make PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v <= (3, 13) else f"Python 3.11 is needed, found {v[0]}.{v[1]}; install it or run make PYTHON=/path/to/python3.11")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -q -r requirements.txt
	@touch $@

.venv-mxnet/ready: requirements-mxnet.txt pyproject.toml .venv/ready
	$(MXNET_PYTHON) -m venv .venv-mxnet
	$(MXNET_BIN)/python -m pip install -q -r requirements-mxnet.txt
	@$(MXNET_BIN)/python -m pip install -q --no-deps zhplot==1.0.0  # its fonts; d2l pins an older matplotlib
	$(MXNET_BIN)/python -m ipykernel install --prefix .venv --name mxnet --display-name "MXNet 1.9.1" \
		$(if $(shell grep -m1 -o avx2 /proc/cpuinfo),--env OPENBLAS_CORETYPE Haswell)
	$(BIN)/python -m ipykernel install --prefix .venv-mxnet --name torch --display-name "PyTorch"
	@touch $@

mxnet: .venv/ready ## set up the legacy kernel "mxnet" (Linux x86-64, Python 3.10 or 3.11)
	@if [ "$$(uname -sm)" != "Linux x86_64" ]; then \
		echo "MXNET LEFT OUT: it needs Linux on x86-64, this is $$(uname -sm). Everything else works without it."; \
	elif [ -z "$(MXNET_PYTHON)" ]; then \
		echo "MXNET LEFT OUT: it needs Python 3.10 or 3.11, none was found. Everything else works without it."; \
	else $(MAKE) --no-print-directory .venv-mxnet/ready; fi

book: .venv/ready ## build the book into _build/html from the stored outputs
	@$(BIN)/jupyter-book build . --all -n -W --keep-going -q || { echo "The book has errors, see above."; exit 1; }
	@echo "The book lies at $(abspath $(SITE))/index.html"

test: .venv/ready mxnet ## lint, unit tests, every chapter in its fast setting, the built pages
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m pytest

execute: .venv/ready ## execute all chapters, or one: make execute CHAPTER=rnn
	$(BIN)/python book/notebooks.py execute $(CHAPTER)

sync: .venv/ready ## carry changed prose from book/chapters to notebooks
	$(BIN)/python book/notebooks.py sync $(CHAPTER)

serve: book ## show the book at http://localhost:8000
	$(BIN)/python -m http.server 8000 --bind 127.0.0.1 --directory $(SITE)

student: .venv/ready ## write the students' exercise notebooks, without solutions, into build/student
	$(BIN)/python book/exercise_pages.py student

solutions: .venv/ready ## write the complete exercise notebooks, executed, into build/solutions
	$(BIN)/python book/exercise_pages.py solutions

slides: .venv/ready ## write slides of all chapters, or one: make slides CHAPTER=rnn
	$(BIN)/python book/slides.py $(CHAPTER)

bench: .venv/ready ## measure the speed claims, as ratios in one process
	$(BIN)/python -m pytest benchmarks -q -s

poem-model: .venv/ready ## train the poem model that comes with the book (40 minutes on two CPU cores)
	$(BIN)/python -m d2lutils.torch.poem_model data/poem

repository: .venv/ready ## set the repository's address: make repository URL=https://github.com/me/book
	$(BIN)/python book/notebooks.py repository $(URL)

clean: ## remove what was built; the environment stays
	rm -rf _build .pytest_cache .ruff_cache .hypothesis .benchmarks
