#!/usr/bin/env bash
# Everything a GPU is measured on, in one call of under 9 minutes: a table, and gpu.jsonl in $OUT.
#   benchmarks/gpu.sh MNIST_FOLDER CIFAR10.npz
# Beside torch and torchvision it needs memtail's own dependencies, as pyproject.toml lists them, but
# no celery, redis or minio; where airbench is installed (PyPI), it is measured too.
set -euo pipefail
if [ $# -lt 2 ] || [ "$1" = --help ]; then
  echo "usage: benchmarks/gpu.sh MNIST_FOLDER CIFAR10.npz [options of benchmarks/gpu.py]" >&2
  exit 2
fi
mnist=$(realpath "$1") cifar10=$(realpath "$2")
out=$(realpath "${OUT:-.}")
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
if command -v nvidia-smi >/dev/null; then
  nvidia-smi --query-gpu=name,memory.total,driver_version --format=csv
fi
timeout 520 "$python" -m benchmarks.gpu --mnist "$mnist" --cifar10 "$cifar10" "${@:3}" --json |
  tee "$out/gpu.jsonl" | "$python" -m benchmarks.table
