#!/usr/bin/env bash
# Train on several devices: bash tools/dist_train.sh CONFIG GPUS [options of train.py]
# Several machines: set NNODES, NODE_RANK, MASTER_ADDR and PORT on each.
# MAX_RESTARTS: how often torchrun starts all processes again after one has failed (default 0).
# Give --resume, with which they go on from the newest checkpoint.
set -euo pipefail
if [ $# -lt 2 ]; then
    echo "usage: bash $0 CONFIG GPUS [options of tools/train.py]" >&2
    exit 2
fi
HERE=$(cd "$(dirname "$0")" && pwd)
export PYTHONPATH="$HERE/..${PYTHONPATH:+:$PYTHONPATH}"
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}" MKL_NUM_THREADS="${MKL_NUM_THREADS:-1}"

rendezvous=(
    --node_rank="${NODE_RANK:-0}"
    --master_addr="${MASTER_ADDR:-127.0.0.1}"
    --master_port="${PORT:-29500}"
)
if [[ "${MAX_RESTARTS:-0}" != 0 ]]; then
    # A store of their own for each start: in a shared one, or with a static rendezvous, restarted
    # ranks find the addresses of those that ended (torch 2.13).
    export TORCH_DISABLE_SHARE_RDZV_TCP_STORE=1
    rendezvous=(
        --max_restarts="$MAX_RESTARTS"
        --rdzv_backend=c10d
        --rdzv_id=mmvitkd
        --rdzv_endpoint="${MASTER_ADDR:-127.0.0.1}:${PORT:-29500}"
    )
    if [[ "${NNODES:-1}" == 1 ]]; then
        rendezvous+=(--local_addr=127.0.0.1)  # this machine's name may not be known to it
    fi
fi
exec "${PYTHON:-python}" -m torch.distributed.run \
    --nnodes="${NNODES:-1}" \
    "${rendezvous[@]}" \
    --nproc_per_node="$2" \
    "$HERE/train.py" "$1" --launcher pytorch "${@:3}"
