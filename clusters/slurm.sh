#!/usr/bin/env bash
#SBATCH --job-name=dsray
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=8
#SBATCH --time=02:00:00
# One Ray node per Slurm node, then one run on all of them:   sbatch clusters/slurm.sh EXPERIMENT [key=value ...]
# Submit from the project's folder on a shared file system, after `make install` there. Records go to $DSRAY_RUNS
# (default ~/dsray-runs), which must be shared too. Add --gpus-per-node=N above where there are GPUs.
set -euo pipefail
cd "$SLURM_SUBMIT_DIR"
bin=$PWD/.venv/bin
port=$((20000 + SLURM_JOB_ID % 10000))   # outside Ray's range for workers, 10002 to 19999
head=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
address=$(srun --nodes=1 --ntasks=1 --nodelist="$head" hostname --ip-address | cut -d' ' -f1):$port
RAY_AUTH_TOKEN=$(head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n')
export RAY_AUTH_TOKEN RAY_AUTH_MODE=token RAY_USAGE_STATS_ENABLED=0
temp=/tmp/dsray-$SLURM_JOB_ID
trap 'kill $(jobs -p) 2>/dev/null; wait; rm -rf "$temp"' EXIT
srun --overlap --nodes=1 --ntasks=1 --nodelist="$head" "$bin/ray" start --head --block --port="$port" \
  --node-ip-address="${address%:*}" --include-dashboard=false --num-cpus="$SLURM_CPUS_PER_TASK" --temp-dir="$temp" &
if [ "$SLURM_JOB_NUM_NODES" -gt 1 ]; then
  srun --overlap --nodes=$((SLURM_JOB_NUM_NODES - 1)) --ntasks=$((SLURM_JOB_NUM_NODES - 1)) --exclude="$head" \
    bash -c 'until "$0" status --address "$1" >/dev/null 2>&1; do sleep 1; done
      exec "$0" start --block --address "$1" --num-cpus "$SLURM_CPUS_PER_TASK"' "$bin/ray" "$address" &
fi
nodes() { "$bin/ray" status --address "$address" 2>/dev/null | grep -c ' node_' || true; }
until [ "$(nodes)" -ge "$SLURM_JOB_NUM_NODES" ]; do sleep 2; done
RAY_ADDRESS=$address "$bin/python" jobs/run.py "$@"
