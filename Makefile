# `make demo` and `make test` need Debian 12 (or alike) with Python 3.11+, git and make; they bring the rest.
# Elsewhere: `pip install usimg` (README), or `uv sync` and the commands below.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
DEMO   ?= demo
DATA   ?= ../shared/data

.DEFAULT_GOAL := help
.PHONY: bundle-windows help demo test test-slow lint format bench bench-segmentation fuzz pictures screenshots samples lock clean

help: ## list what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

demo: $(VENV)/.installed ## set up, extract sample_dicoms/, group patients and a synthetic cohort; prints where the reports are
	$(BIN)/usimg extract sample_dicoms --manifest sample_dicoms/manifest.csv --study $(DEMO)/study
	$(BIN)/usimg cluster $(DEMO)/study --include-unvalidated --echo raw --out $(DEMO)/phenotypes
	$(BIN)/usimg advanced simulate cohort --patients 454 --controls 120 -o $(DEMO)/cohort
	$(BIN)/usimg cluster $(DEMO)/cohort/features.csv --clinical $(DEMO)/cohort/clinical.csv --echo z --out $(DEMO)/cohort/phenotypes

test: $(VENV)/.developer ## set up and run every test but the slow ones
	$(BIN)/python -m pytest -n 2 --dist loadfile

test-slow: $(VENV)/.developer ## the tests that take minutes
	$(BIN)/python -m pytest -m slow

lint: $(VENV)/.developer ## formatting, lint, types, layers, plugin manifest
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/npe2 validate --imports usimg

format: $(VENV)/.developer ## write the code as `make lint` wants it
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bundle-windows: $(VENV)/.developer ## one zip for Windows: Python, wheels, weights, a bat that asks for a folder (500 MB, in dist/)
	$(BIN)/python -m pip install --quiet build packaging
	$(BIN)/python scripts/bundle_windows.py dist

bench: $(VENV)/.developer ## measure speed and accuracy (real images in DATA)
	$(BIN)/python benchmarks/real_files.py
	$(BIN)/python benchmarks/scans.py
	$(BIN)/python benchmarks/fit_layers.py $(DATA)/dltrack_apo
	$(BIN)/python benchmarks/fit_rims.py $(DATA)/nerve_vessel
	$(BIN)/python benchmarks/muscles.py $(DATA)/dltrack_apo
	$(BIN)/python benchmarks/nerves.py $(DATA)/nerve_vessel --split test --draws 2
	$(BIN)/python -m benchmarks.study
	xvfb-run -a -s '-screen 0 1280x800x24' $(BIN)/python -m benchmarks.viewer
	$(BIN)/python -m benchmarks.worklist --to benchmarks/worklist.md
	$(BIN)/python -m benchmarks.phenotypes --cohorts 20 --power-cohorts 20 --sizes 454 --to benchmarks/results/phenotypes.md
	$(BIN)/python -m benchmarks.agreement --studies 100 --to benchmarks/results/agreement.md

bench-segmentation: $(VENV)/.developer ## outlines against experts and observers, worst pictures as a page (DATA)
	$(BIN)/python benchmarks/muscles.py $(DATA)/dltrack_apo --observers $(DATA)/timtrack_observers --worst worst_muscles.html
	$(BIN)/python benchmarks/nerves.py $(DATA)/nerve_vessel --split test --draws 2

fuzz: $(VENV)/.installed ## ten thousand hostile files; each must end in a picture or a refusal
	$(BIN)/python benchmarks/fuzz.py --count 10000

pictures: demo $(VENV)/.developer ## make the pictures of the README from the demo
	$(BIN)/python scripts/readme_pictures.py $(DEMO)/study docs/images/result.png

screenshots: $(VENV)/.developer ## pictures of the viewer's widgets in use, dark and light, and those of the README
	$(BIN)/python -m benchmarks.visit $(DEMO)/visit 2 1
	xvfb-run -a -s '-screen 0 1280x800x24' $(BIN)/python -m scripts.screenshots $(DEMO)/visit $(DEMO)/screenshots docs/images

samples: $(VENV)/.installed ## write sample_dicoms/ again (deterministic)
	$(BIN)/usimg advanced simulate samples sample_dicoms

lock: $(VENV)/.developer ## pin every dependency in constraints.txt
	$(BIN)/uv pip compile pyproject.toml --extra all --group lint --group test --universal \
		--python-version 3.11 --no-emit-index-url --no-header --quiet --upgrade -o constraints.txt

clean: ## remove what was made, the study of the demo excepted
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(VENV)/.installed: pyproject.toml constraints.txt
	PYTHON=$(PYTHON) scripts/system_packages.sh run
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet 'pip>=25.1'
	$(BIN)/python -m pip install --quiet -c constraints.txt -e .
	@touch $@

$(VENV)/.developer: pyproject.toml constraints.txt
	PYTHON=$(PYTHON) scripts/system_packages.sh test
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet 'pip>=25.1'
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[all]' --group lint --group test
	@touch $@ $(VENV)/.installed
