# An environment with the pinned versions, and the clone in /opt/mmvitkd.
#
#     docker build -t mmvitkd .
#     docker build -t mmvitkd --build-arg BASE=nvidia/cuda:13.0.2-base-ubuntu24.04 .
#     docker run --rm --gpus all --shm-size 8g -v "$PWD:/work" mmvitkd mmvitkd train CONFIG
#
# torch's default build brings CUDA's libraries along, so that both bases run on a GPU and on a CPU.
# For a smaller image without them, give the index of PyTorch's CPU builds by
# --build-arg PIP_EXTRA_INDEX_URL=URL.
ARG BASE=python:3.11-slim-bookworm
FROM ${BASE}

SHELL ["/bin/bash", "-o", "pipefail", "-c"]
# A compiler for `fast=True`, libraries for OpenCV, and Python where the base has none. Their
# versions are the base's.
# hadolint ignore=DL3008,SC2086
RUN apt-get update \
    && if ! command -v python3; then PYTHON='python3-dev python3-venv'; fi \
    && apt-get install -y --no-install-recommends \
        g++ libgl1 libglib2.0-0 libsm6 libxext6 ${PYTHON:-} \
    && rm -rf /var/lib/apt/lists/* \
    && python3 -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH

WORKDIR /opt/mmvitkd
ARG PIP_EXTRA_INDEX_URL=
COPY requirements/pinned.txt requirements/pinned.txt
RUN pip install --no-cache-dir -r requirements/pinned.txt
COPY . .
RUN pip install --no-cache-dir --no-deps --no-build-isolation -e .

WORKDIR /work
CMD ["mmvitkd"]
