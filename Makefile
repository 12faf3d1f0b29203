# make repro   the default experiment, end to end
# make grid    every method on the default experiment, about an hour; may be stopped and goes on
# make test    every test
# make setup   .venv with the locked versions; those above call it

PYTHON ?= python3.11
VENV := .venv
PIP := $(VENV)/bin/python -m pip install --quiet --disable-pip-version-check
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
# Without bytecode every stage would compile TensorFlow again: ten seconds each.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: setup gpu repro grid test lint lock clean

setup: $(VENV)/.installed

$(VENV)/.installed: requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(PIP) --no-deps --require-hashes -r requirements.lock
	$(PIP) --no-deps --no-build-isolation --editable .
	touch $@

# The CUDA libraries of the locked TensorFlow; large, and only for machines with an NVIDIA GPU.
gpu: setup
	$(PIP) "tensorflow[and-cuda]==$$($(VENV)/bin/python -c 'from importlib.metadata import version; print(version("tensorflow"))')"

repro: setup
	dvc repro
	tfcil summary

grid: setup
	tfcil grid pipelines/grids/omniglot100.yaml

# A file's tests share fixtures that take a minute: they stay on one worker.
test: setup
	pytest -n 2 --dist loadfile --durations 15

lint: setup
	ruff check .
	ruff format --check .

# Needs uv; writes every version and hash, and no address.
lock:
	uv pip compile --quiet pyproject.toml --extra dvc --extra report --extra tfds --extra onnx --extra pretrained --extra tensorboard --extra completion --extra jax --extra dev --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header --output-file requirements.lock

clean:
	rm -rf data recipes models memory features curves evaluation report
