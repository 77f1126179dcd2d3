"""Test a student: `python tools/test.py CONFIG CHECKPOINT`, with MMPretrain's options.

The config may be that of its distillation: the teacher is neither built nor downloaded.
"""

import argparse
import os
import signal
import sys
from copy import deepcopy
from pathlib import Path
from typing import NoReturn

from mmengine.config import Config, ConfigDict

# The kinds of files that MMEngine writes.
PICKLES = ('.pkl', '.pickle')
INTERRUPTED = b'test: interrupted; nothing was written.\n'
MOST_CLASSES = 20  # on the screen
WRITTEN = {'pred': PICKLES, 'metrics': ('.json', '.yaml', '.yml', *PICKLES)}


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Test a model.')
    parser.add_argument('config', help='config file')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('--ema', action='store_true', help='test the EMA weights')
    parser.add_argument('--work-dir', help='folder for the log of the metrics')
    parser.add_argument('--out', help='file to write results to')
    parser.add_argument(
        '--out-item',
        choices=['metrics', 'pred'],
        help='what to write to --out (default: metrics for .json, otherwise pred)',
    )
    parser.add_argument(
        '--per-class',
        action='store_true',
        help='print the accuracy of each class; write it and the confusion matrix to the work '
        'dir, as tables and as a picture',
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action='extend',
        help='override settings: key=value, nested keys with dots; "[a,b]", "[dict(type=A)]"',
    )
    parser.add_argument('--amp', action='store_true', help='use bfloat16 autocast')
    parser.add_argument('--show-dir', help='folder to draw predictions into')
    parser.add_argument('--show', action='store_true', help='show predictions')
    parser.add_argument(
        '--interval', type=int, default=1, help='draw every Nth image (default: 1)'
    )
    parser.add_argument(
        '--wait-time', type=float, default=2, help='seconds per image (default: 2)'
    )
    parser.add_argument('--no-pin-memory', action='store_true', help='do not pin memory')
    parser.add_argument(
        '--tta',
        action='store_true',
        help='average over test-time augmentations',
    )
    parser.add_argument(
        '--traceback', action='store_true', help='show the traceback of every error'
    )
    parser.add_argument(
        '--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none'
    )
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0)
    args = parser.parse_args()
    if args.out is None and args.out_item is not None:
        parser.error('--out-item: give --out FILE as well')
    if args.out is not None:
        suffix = Path(args.out).suffix
        args.out_item = args.out_item or ('metrics' if suffix == '.json' else 'pred')
        if suffix not in WRITTEN[args.out_item]:
            wanted = ', '.join(WRITTEN[args.out_item])
            parser.error(f'--out {args.out}: wanted {wanted} for --out-item {args.out_item}')
    return args


def merge_args(cfg: Config, args: argparse.Namespace) -> Config:
    """Override the config by the command line, and keep only the student in it."""
    from mmvitkd.config.load_config import complete_config
    from mmvitkd.config.shortcuts import SHORTCUTS
    from mmvitkd.config.student_config import student_config
    from mmvitkd.config.teacher_cache import merge_options
    from mmvitkd.engine.runner import launch
    from mmvitkd.engine.runner.hooks_in_test import runs_in_test
    from mmvitkd.utils.config_options import read_options

    import torch

    cfg.launcher = args.launcher
    launch.set_work_dir(cfg, args.work_dir)
    if args.amp:
        cfg.test_cfg.fp16 = True  # MMEngine's name for autocast
        torch.set_autocast_dtype('cuda', torch.bfloat16)
    if args.show or args.show_dir is not None:
        cfg.default_hooks.visualization = dict(
            type='VisualizationHook',
            enable=True,
            show=args.show,
            wait_time=args.wait_time,
            out_dir=args.show_dir,
            interval=args.interval,
        )
    launch.set_dataloaders(cfg, args.no_pin_memory)
    options = read_options(args.cfg_options)
    if options is not None:
        merge_options(cfg, options)
    complete_config(cfg, options=options)
    if not cfg.get('test_evaluator'):
        raise ValueError(
            f'test_evaluator={cfg.get("test_evaluator")}: no metric to compute; wanted one or '
            'more. A student without labels is measured by tools/evaluate_features.py.'
        )
    cfg.model = student_config(cfg.model)
    if args.tta:
        add_tta(cfg)
    # Testing needs neither the training's data nor its optimizer nor its hooks.
    cfg.train_cfg = cfg.train_dataloader = cfg.optim_wrapper = None
    cfg.param_scheduler = None
    cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    cfg.custom_hooks = list(filter(runs_in_test, cfg.get('custom_hooks') or []))
    hooks = cfg.get('default_hooks') or {}
    cfg.default_hooks = {k: v for k, v in hooks.items() if v is None or runs_in_test(v)}
    cfg.load_from, cfg.resume = None, False
    for key in SHORTCUTS:  # applied above; some need the teacher
        cfg.pop(key, None)
    return cfg


def add_tta(cfg: Config) -> None:
    """Average over the augmentations the config names, by default the flipped image."""
    from mmvitkd.datasets.dataset_names import innermost, pipeline_of

    dataset, key = cfg.test_dataloader.dataset, 'test_dataloader.dataset'
    if 'tta_pipeline' not in cfg:
        pipeline = pipeline_of(dataset, key)
        if not pipeline:
            raise ValueError(f'--tta: {key} has no pipeline; give the config a tta_pipeline.')
        flips = [dict(type='RandomFlip', prob=1.0), dict(type='RandomFlip', prob=0.0)]
        cfg.tta_pipeline = deepcopy(pipeline)
        cfg.tta_pipeline[-1] = dict(type='TestTimeAug', transforms=[flips, [pipeline[-1]]])
    wrapper = cfg.get('tta_model') or dict(type='mmpretrain.AverageClsScoreTTA')
    cfg.model = ConfigDict(**wrapper, module=cfg.model)
    for inner, _ in innermost(dataset, key):
        inner['pipeline'] = cfg.tta_pipeline


def print_classes(rows: list[list[str]]) -> None:
    """Print the classes with the lowest accuracy."""
    from mmvitkd.metrics.confusion_report import HEADER
    from mmvitkd.utils.tables import screen_table

    from rich.console import Console

    worst = sorted((row for row in rows if row[3]), key=lambda row: float(row[3]))
    console = Console()
    console.print(screen_table(HEADER, worst[:MOST_CLASSES]))
    if len(worst) > MOST_CLASSES:
        console.print(f'... and {len(worst) - MOST_CLASSES} more classes, in the tables')


def test(args: argparse.Namespace) -> None:
    """Build the run and test."""
    if args.traceback:
        os.environ['MMVITKD_TRACEBACK'] = '1'

    from mmvitkd.config.load_config import read_config
    from mmvitkd.engine.logging.screen import quiet_start
    from mmvitkd.engine.runner import Runner, launch
    from mmvitkd.engine.runner.load_into_runner import load_into_runner
    from mmvitkd.engine.runner.preflight import check_data
    from mmvitkd.metrics import PerClass
    from mmvitkd.utils.cli import exit_on_error, exit_on_setting_error
    from mmvitkd.utils.plain_values import plain_values

    import mmengine
    from mmengine.dist import is_main_process
    from mmengine.evaluator import DumpResults
    from mmengine.registry import RUNNERS

    launch.set_local_rank(args.local_rank)
    quiet_start(launch.rank_of(args.launcher))
    with exit_on_error('test'):
        cfg = merge_args(read_config(args.config), args)
        check_data(cfg, ['test'])
    launch.init_distributed(cfg)
    build = RUNNERS.build if 'runner_type' in cfg else Runner.from_cfg
    with exit_on_setting_error('test', {'ema': '--ema', 'per_class': '--per-class'}):
        runner = build(cfg)
        load_into_runner(runner, args.checkpoint, args.ema)
        if args.out_item == 'pred':
            runner.test_evaluator.metrics.append(DumpResults(out_file_path=args.out))
        per_class = PerClass(runner.work_dir)
        if args.per_class:
            per_class.dataset_meta = runner.test_evaluator.dataset_meta
            runner.test_evaluator.metrics.append(per_class)
        metrics = runner.test()
    if args.out_item == 'metrics' and is_main_process():
        mmengine.dump(plain_values(metrics), args.out)
    if per_class.rows:
        print_classes(per_class.rows)
    launch.cleanup()


def leave_on_interrupt() -> None:
    """Leave with a line on Ctrl-C, whatever is done at that time."""
    process = os.getpid()

    def leave(*_: object) -> NoReturn:
        if os.getpid() == process:  # and no worker of a loader
            os.write(sys.stderr.fileno(), INTERRUPTED)
        os._exit(130)  # as a shell's, without waiting for other processes

    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:  # as for `... &` in a script
        signal.signal(signal.SIGINT, leave)


def main() -> None:
    """Test."""
    args = parse_args()
    leave_on_interrupt()
    test(args)


if __name__ == '__main__':
    main()
