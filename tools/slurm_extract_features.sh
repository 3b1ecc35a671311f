#!/usr/bin/env bash
# Extracts features on a Slurm cluster.
#   GPUS=8 GPUS_PER_NODE=8 tools/slurm_extract_features.sh PARTITION JOB_NAME CONFIG CHECKPOINT --out DIR [arguments]
# Also: CPUS_PER_TASK (5), SRUN_ARGS, PYTHON, and GPUS_PER_NODE=0 for processes without a GPU.
set -euo pipefail
TOOLS=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
[ $# -ge 4 ] || { sed -n '2,4s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2; }

PARTITION=$1 JOB_NAME=$2 CONFIG=$3 CHECKPOINT=$4
shift 4
# shellcheck source=tools/slurm_launch.sh
source "$TOOLS/slurm_launch.sh"
slurm_launch "$TOOLS/extract_features.py" "$CONFIG" "$CHECKPOINT" --launcher slurm "$@"
