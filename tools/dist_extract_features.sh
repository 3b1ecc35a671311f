#!/usr/bin/env bash
# Extracts features on several GPUs, or several CPU processes where there is no GPU.
#   tools/dist_extract_features.sh CONFIG CHECKPOINT 8 --out DIR [arguments of tools/extract_features.py]
#   GPUS=2 tools/dist_extract_features.sh CONFIG CHECKPOINT --out DIR [arguments of tools/extract_features.py]
# Several nodes: run it on each with NNODES, NODE_RANK, MASTER_ADDR and PORT set.
set -euo pipefail
TOOLS=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
[ $# -ge 2 ] || { sed -n '2,5s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2; }

CONFIG=$1 CHECKPOINT=$2
shift 2
if [[ ${1:-} =~ ^[0-9]+$ ]]; then
  GPUS=$1
  shift
fi
# shellcheck source=tools/launch.sh
source "$TOOLS/launch.sh"
launch "$TOOLS/extract_features.py" "$CONFIG" "$CHECKPOINT" --launcher pytorch "$@"
