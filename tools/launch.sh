# Sourced by dist_train.sh and dist_test.sh: torchrun with the environment variables of OpenMMLab.
# GPUS NNODES NODE_RANK MASTER_ADDR PORT PYTHON
launch() {
  local gpus=${GPUS:-1} nnodes=${NNODES:-1} rendezvous threads
  if [ "$nnodes" -eq 1 ] && [ -z "${PORT:-}" ]; then
    rendezvous=(--standalone)  # a free port
  else
    rendezvous=(--node_rank "${NODE_RANK:-0}" --master_addr "${MASTER_ADDR:-127.0.0.1}" --master_port "${PORT:-29500}")
  fi
  threads=$(($(nproc) / gpus))
  export OMP_NUM_THREADS=${OMP_NUM_THREADS:-$((threads > 0 ? threads : 1))}
  export MKL_NUM_THREADS=${MKL_NUM_THREADS:-$OMP_NUM_THREADS}
  export PYTHONPATH="$(dirname "$TOOLS"):${PYTHONPATH:-}"
  exec "${PYTHON:-python}" -m torch.distributed.run --nnodes "$nnodes" --nproc_per_node "$gpus" "${rendezvous[@]}" "$@"
}
