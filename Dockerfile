# docker build -t tfcil .                          CPU
# docker build -t tfcil --build-arg DEVICE=gpu .   NVIDIA GPU; run it with --gpus all
FROM python:3.11-slim

ARG DEVICE=cpu
RUN apt-get update \
    && apt-get install --no-install-recommends -y git make \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /tfcil
COPY Makefile pyproject.toml requirements.lock README.md LICENSE dvc.yaml ./
COPY tfcil tfcil
COPY pipelines pipelines
RUN make setup PYTHON=python3.11 \
    && if [ "$DEVICE" = gpu ]; then make gpu; fi

COPY . .
# DVC wants to know which version of the code an experiment came from.
RUN git config --global --add safe.directory /tfcil

CMD ["make", "repro"]
