# Needs make and Python 3.11, 3.12 or 3.13; to choose one: make run PYTHON=/path/to/python
CANDIDATES := $(or $(PYTHON),python3 python3.13 python3.12 python3.11 python)
# A command that exists may still fail (version managers leave such ones): only running it tells.
FOUND = $(shell for python in $(CANDIDATES); do \
	$$python -c 'import ensurepip, sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' \
	2>/dev/null && echo $$python && break; done)
VENV := .venv
RUN := $(VENV)/bin/python
# Written last: an interrupted installation leaves no stamp, and starts over.
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help run test lab site bench build clean

help:  ## show this list
	@sed -n 's/^\([a-z]*\):.*##/\1\t/p' $(MAKEFILE_LIST) | expand -t 8

run: $(STAMP)  ## make sample data and run every notebook in the smoke profile
	$(RUN) -m helpers.synthesis capuchin --size small
	$(RUN) tools/run.py --profile smoke --jobs 2

# In two processes of one thread each: more threads would wait for each other. The tests of a file
# stay together, they share what took long to make. Should a process crash, the tests end: with
# loadfile, pytest-xdist would wait for ever for the rest of its file.
test: export OMP_NUM_THREADS := 1
test: export NPROC := 1
# Compiling takes longer here than what is compiled.
test: export JAX_DISABLE_MOST_OPTIMIZATIONS := 1
test: export XLA_FLAGS := --xla_cpu_use_fusion_emitters=false \
	--xla_cpu_parallel_codegen_split_count=1
# Empty, so that the many processes keep their bytecode, even where the environment forbids it.
test: export PYTHONDONTWRITEBYTECODE :=
test: $(STAMP)  ## check style, imports, notebooks and code
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(VENV)/bin/lint-imports --no-cache --no-logo
	$(RUN) tools/build.py --check
	$(RUN) -m pytest -n 2 --dist loadfile --no-loadscope-reorder --max-worker-restart 0

lab: $(STAMP)  ## open JupyterLab on the notebooks
	$(RUN) -m jupyterlab notebooks

site: $(STAMP)  ## make a website of the executed series: dist/site/index.html
	$(RUN) tools/run.py --profile smoke --jobs 2 --output runs/site
	$(RUN) tools/website.py

bench: $(STAMP)  ## measure the speed of what has to be fast
	$(RUN) tools/bench.py

build: $(STAMP)  ## write the notebooks anew from notebooks/source
	$(RUN) tools/build.py

clean:  ## remove the virtual environment, caches and the site; runs and data stay
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis build dist/site *.egg-info
	find helpers tools tests -name __pycache__ -type d -exec rm -rf {} +

$(STAMP): pyproject.toml constraints.txt
	@test -n "$(FOUND)" || { echo "None of these is a working Python 3.11, 3.12 or 3.13 with venv:" \
	"$(CANDIDATES). Install one (on Debian and Ubuntu: python3 and python3-venv)," \
	"or name it: make PYTHON=/path/to/python" >&2; exit 1; }
	@test -f $@ && $(RUN) -c "" 2>/dev/null || $(FOUND) -m venv --clear $(VENV)
	@rm -f $@
	@echo "Installing into $(VENV): a few minutes, once"
	$(RUN) -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[series,cluster,site,dev]'
	$(RUN) -c "from helpers import env; env.compile_librosa()"
	@touch $@
