"""Time a training step against a bare PyTorch loop, MMRazor and timm: `train_step.py`.

All candidates take turns in one process, with the same two networks and images. If one leaves
out some of the work, the report says so. Only `ours-average` keeps a moving average.
"""

import argparse
import resource
import tempfile
import time
from functools import partial
from pathlib import Path

import mmvitkd  # noqa: F401

import torch
from arithmetic import cost_of_pair, describe_cost, macs_of_a_step, peak_flops
from candidates import CACHED, DEFAULT, ENTRIES, FIRST_BLOCK, choose_candidates
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.registry import DefaultScope
from step_report import (
    candidate_notes,
    json_content,
    reader_notes,
    reader_numbers,
    table_columns,
    terms_text,
)
from timing import ROOT, collect_environment, interleaved, summary_table, write_run
from training_pair import training_pair
from workers import Workers, seconds_of_steps

CONFIG = ROOT / 'configs/cait_s24_deit_tiny_widelast.py'
CLOCKS = dict(wall=time.perf_counter, processor=time.process_time)
ON_A_GPU = """
No GPU here. On one, with torch 2.11:
  python benchmarks/train_step.py --device cuda --dtype bf16 --batch-size 256 \\
      --iterations 30 --warm-up 5 --json train_step_gpu.json
The project's goal there: ours-fast at least 1.5 x the images/s of timm-logits, and at most
1.05 x the time of baseline-compiled."""


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=(__doc__ or '').splitlines()[0],
        epilog='\n'.join(['candidates:', *(f'  {k:22} {e.what}' for k, e in ENTRIES.items())]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('--device', default='cpu', choices=['cpu', 'cuda'])
    parser.add_argument('--dtype', default='fp32', choices=['fp32', 'bf16'])
    parser.add_argument('--batch-size', type=int, default=8, help='images (8)')
    parser.add_argument('--img-size', type=int, metavar='PIXELS', help="the config's (224)")
    parser.add_argument('--pair', type=Path, default=CONFIG, metavar='CONFIG', help=CONFIG.name)
    parser.add_argument('--iterations', type=int, default=15, help='rounds (15)')
    parser.add_argument('--warm-up', type=int, default=3, help='steps before them (3)')
    parser.add_argument(
        '--steps', type=int, help='in a turn: 1 on the CPU, 10 on a GPU, to fill its queue'
    )
    parser.add_argument(
        '--clock',
        default='wall',
        choices=CLOCKS,
        help='processor: of this process alone, for a CPU that others use too; of all its '
        'threads, so set OMP_NUM_THREADS=1',
    )
    parser.add_argument(
        '--candidates',
        '--contestants',  # until the next release
        nargs='+',
        metavar='NAME',
        help='see below (all); the one that the others are compared with always runs',
    )
    comparison = parser.add_mutually_exclusive_group()
    comparison.add_argument(
        '--first-block',
        action='store_true',
        help='distil the features of the first blocks only, against the student alone',
    )
    comparison.add_argument(
        '--cached',
        action='store_true',
        help='compare steps with a teacher cache, in a temporary folder, with live ones and '
        'the student alone',
    )
    parser.add_argument(
        '--drop-page-cache',
        action='store_true',
        help='read the caches from the disk, not from what the kernel still holds in memory',
    )
    parser.add_argument('--json', type=Path, metavar='FILE', help='write the times here')
    args = parser.parse_args()
    for key in ('batch_size', 'iterations', 'warm_up', 'steps', 'img_size'):
        if getattr(args, key) is not None and getattr(args, key) < 1:
            parser.error(f'--{key.replace("_", "-")}: wanted 1 or more')
    if args.device == 'cuda' and not torch.cuda.is_available():
        parser.error('--device cuda: torch finds no GPU')
    if args.device == 'cuda' and args.clock != 'wall':
        parser.error(f'--clock {args.clock} does not measure --device cuda')
    try:
        default = FIRST_BLOCK if args.first_block else CACHED if args.cached else DEFAULT
        args.candidates = choose_candidates(args.candidates, args.device, default)
    except ValueError as error:
        parser.error(str(error))
    args.steps = args.steps or (10 if args.device == 'cuda' else 1)
    return args


def run(args: argparse.Namespace, work_dir: Path) -> None:
    """Count, build, time, print, write."""
    torch.manual_seed(0)
    sizes = (args.batch_size, args.img_size, args.device, args.dtype, args.first_block)
    try:
        pair = training_pair(Config.fromfile(args.pair), work_dir, *sizes)
    except (FileNotFoundError, ValueError) as error:
        raise SystemExit(f'{args.pair}: {error}') from error
    pair.clock, pair.drop_page_cache = CLOCKS[args.clock], args.drop_page_cache
    cost = cost_of_pair(pair)
    peak = peak_flops(args.device, args.dtype)
    print_header(args, tuple(pair.images.shape))
    if not args.first_block:  # there the teacher stops early
        print(describe_cost(cost, args.batch_size, peak))
    workers = Workers(pair, args.warm_up)
    print(f'loss, by hand: {terms_text(workers.expected)}')
    if any(ENTRIES[name].stored for name in args.candidates):
        print(f'from a teacher cache: {terms_text(workers.expected_stored)}')
    print(flush=True)
    for name in args.candidates:
        workers.add(name)
    base = args.candidates[0]
    if base in workers.failed:
        raise SystemExit(f'{base} failed, and the others are compared with it.')
    turns = {
        name: partial(seconds_of_steps, candidate, args.steps, pair.clock)
        for name, candidate in workers.ready.items()
    }
    seconds = interleaved(turns, args.iterations)
    macs = None if args.first_block else macs_of_a_step(cost)
    more = table_columns(workers, seconds, args.batch_size, macs, peak)
    print(f'\n{summary_table(seconds, base, more)}\n')
    readers = reader_numbers(workers, seconds, args.steps)
    print('\n'.join(candidate_notes(workers) + reader_notes(readers)))
    if args.device == 'cpu':
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(f'peak memory of all together: {memory:.1f} GiB; not separable on a CPU')
        print(ON_A_GPU if not torch.cuda.is_available() else '')
    if args.json is not None:
        write_run(args.json, args, **json_content(workers, seconds, readers, cost, peak))


def print_header(args: argparse.Namespace, shape: tuple[int, ...]) -> None:
    """Print the settings and the environment."""
    found = collect_environment()
    machine = found['hardware']
    print(f'{args.pair.stem}{", first blocks only" if args.first_block else ""}')
    print(f'batch {shape}, {args.device}, {args.dtype}, {found["threads"]} threads,')
    print(
        f'{args.iterations} rounds of {args.steps} step(s), {args.warm_up} to warm up, '
        f'{args.clock} clock'
    )
    print(
        f'{machine["processor"]}, {machine["cores"]} cores; GPUs: {machine["gpus"] or "none"}'
    )
    print(', '.join(f'{name} {version}' for name, version in found['versions'].items()))
    print(f'commit {found["commit"]}')


def main() -> None:
    """Run the benchmark in a temporary folder."""
    args = parse_args()
    MMLogger.get_instance('train_step', log_level='ERROR')
    with (
        tempfile.TemporaryDirectory() as folder,
        # All candidates compile the same functions in one process; torch gives up after 8.
        torch._dynamo.config.patch(recompile_limit=64),
        DefaultScope.overwrite_default_scope('mmpretrain'),
    ):
        run(args, Path(folder))


if __name__ == '__main__':
    main()
