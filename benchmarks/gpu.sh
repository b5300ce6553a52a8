#!/usr/bin/env bash
# Everything a GPU is measured on, in one call of under 9 minutes: a table, and $OUT/gpu.jsonl.
#   benchmarks/gpu.sh MNIST_FOLDER CIFAR10.npz
# Needs memtail's own dependencies (no celery, redis or minio); `pip install airbench` adds the peer.
set -euo pipefail
cd "$(dirname "$0")/.."
mnist=${1:?the folder with MNIST} cifar10=${2:?an npz of CIFAR-10}
out=${OUT:-.}
nvidia-smi --query-gpu=name,memory.total,driver_version --format=csv
timeout 520 "${PYTHON:-python3}" -m benchmarks.gpu --mnist "$mnist" --cifar10 "$cifar10" --json |
  tee "$out/gpu.jsonl" | "${PYTHON:-python3}" -m benchmarks.table
