#!/usr/bin/env bash
# Train under Slurm, with the arguments and variables of OpenMMLab's script.
# bash tools/slurm_train.sh PARTITION JOB_NAME CONFIG [WORK_DIR] [options of train.py]
# Optional variables: GPUS, GPUS_PER_NODE, CPUS_PER_TASK, PORT, SRUN_ARGS (more options of srun),
# SIGNAL: what Slurm sends to each rank before the time is up (default USR1@120, in seconds; up to
#     60 earlier). The ranks then save a checkpoint, and this script ends with their exit code, 75.
#     srun asks for it with the allocation. In a job of sbatch, ask there: --signal=USR1@120,
#     without `B:`, with which the signal reaches the shell but no rank.
# REQUEUE=1: in a job of sbatch, queue it again after exit code 75, unless it was cancelled. Needs
#     --resume here, and --requeue --open-mode=append of sbatch:
#         sbatch --requeue --open-mode=append --signal=USR1@120 --gres=gpu:8 --ntasks=8 \
#             --wrap 'REQUEUE=1 bash tools/slurm_train.sh gpu kd CONFIG WORK_DIR --resume'
set -euo pipefail
if [ $# -lt 3 ]; then
    echo "usage: bash $0 PARTITION JOB_NAME CONFIG [WORK_DIR] [options of tools/train.py]" >&2
    exit 2
fi
PARTITION=$1 JOB_NAME=$2 CONFIG=$3
shift 3
if [[ "${1:--}" != -* ]]; then
    set -- --work-dir "$@"
fi
if [[ "${REQUEUE:-0}" == 1 && (-z "${SLURM_JOB_ID:-}" || " $* " != *" --resume"*) ]]; then
    echo "$0: REQUEUE=1 needs a job of sbatch, and --resume, or it begins anew each time" >&2
    exit 2
fi
HERE=$(cd "$(dirname "$0")" && pwd)
export PYTHONPATH="$HERE/..${PYTHONPATH:+:$PYTHONPATH}"
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}" MKL_NUM_THREADS="${MKL_NUM_THREADS:-1}"
export MASTER_PORT="${PORT:-29500}"
GPUS="${GPUS:-8}"
GPUS_PER_NODE="${GPUS_PER_NODE:-$((GPUS < 8 ? GPUS : 8))}"

# SRUN_ARGS is not quoted: it holds several arguments.
run=(
    srun
    --partition="$PARTITION"
    --job-name="$JOB_NAME"
    --gres=gpu:"$GPUS_PER_NODE"
    --ntasks="$GPUS"
    --ntasks-per-node="$GPUS_PER_NODE"
    --cpus-per-task="${CPUS_PER_TASK:-8}"
    --kill-on-bad-exit=1
    --signal="${SIGNAL:-USR1@120}"
    ${SRUN_ARGS:-}
    "${PYTHON:-python}" -u "$HERE/train.py" "$CONFIG" --launcher slurm "$@"
)
if [[ "${REQUEUE:-0}" != 1 ]]; then
    exec "${run[@]}"
fi
code=0
"${run[@]}" || code=$?
# A job that was cancelled, or that Slurm itself queues again, is not running any more.
if [[ $code == 75 && "$(squeue --noheader --jobs "$SLURM_JOB_ID" --format %T)" == RUNNING ]]; then
    scontrol requeue "$SLURM_JOB_ID"
fi
exit "$code"
