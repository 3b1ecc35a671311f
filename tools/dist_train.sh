#!/usr/bin/env bash
# Trains on several GPUs, or several CPU processes where there is no GPU.
#   tools/dist_train.sh CONFIG 8 [arguments of tools/train.py]
#   GPUS=2 tools/dist_train.sh CONFIG [arguments of tools/train.py]
# Several nodes: run it on each with NNODES, NODE_RANK, MASTER_ADDR and PORT set.
set -euo pipefail
TOOLS=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
[ $# -ge 1 ] || { sed -n '2,5s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2; }

CONFIG=$1
shift
if [[ ${1:-} =~ ^[0-9]+$ ]]; then
  GPUS=$1
  shift
fi
# shellcheck source=tools/launch.sh
source "$TOOLS/launch.sh"
launch "$TOOLS/train.py" "$CONFIG" --launcher pytorch "$@"
