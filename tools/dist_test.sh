#!/usr/bin/env bash
# Tests on several GPUs, or several CPU processes where there is no GPU.
#   tools/dist_test.sh CONFIG CHECKPOINT 8 [arguments of tools/test.py]
#   GPUS=2 tools/dist_test.sh CONFIG CHECKPOINT [arguments of tools/test.py]
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
launch "$TOOLS/test.py" "$CONFIG" "$CHECKPOINT" --launcher pytorch "$@"
