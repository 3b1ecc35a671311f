# Sourced by slurm_train.sh and slurm_test.sh: srun with the environment variables of OpenMMLab.
slurm_launch() {
  local gpus=${GPUS:-8} per_node=${GPUS_PER_NODE:-8} tasks_per_node gres=()
  if [ "$per_node" -gt 0 ]; then
    [ "$per_node" -le "$gpus" ] || per_node=$gpus
    gres=(--gres "gpu:$per_node")
    tasks_per_node=$per_node
  else
    tasks_per_node=$gpus
  fi
  export OMP_NUM_THREADS=${OMP_NUM_THREADS:-${CPUS_PER_TASK:-5}}
  export MKL_NUM_THREADS=${MKL_NUM_THREADS:-$OMP_NUM_THREADS}
  export PYTHONPATH="$(dirname "$TOOLS"):${PYTHONPATH:-}"
  # SRUN_ARGS holds several words on purpose
  # shellcheck disable=SC2086
  exec srun -p "$PARTITION" --job-name "$JOB_NAME" "${gres[@]}" --ntasks "$gpus" --ntasks-per-node "$tasks_per_node" \
    --cpus-per-task "${CPUS_PER_TASK:-5}" --kill-on-bad-exit=1 ${SRUN_ARGS:-} "${PYTHON:-python}" -u "$@"
}
