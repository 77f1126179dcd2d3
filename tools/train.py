"""Train a model: `python tools/train.py CONFIG`, with MMPretrain's options."""

import argparse
import os
import signal
import sys
from typing import NoReturn

from mmengine.config import Config

# As in every tool, modules that need torch are imported in functions that run after
# parse_args(), so that --help is fast; and mmvitkd before other packages, as it patches them.
INTERRUPTED = (
    b'train: interrupted. What was saved is whole: the same command with --resume, and no '
    b'file, continues from there.\n'
)


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Train a model.')
    parser.add_argument('config', help='config file')
    parser.add_argument('--work-dir', help='folder for logs and checkpoints')
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        help='resume from this checkpoint (default: from the newest in the work dir)',
    )
    parser.add_argument('--amp', action='store_true', help='use bfloat16 autocast (CUDA)')
    parser.add_argument('--no-validate', action='store_true', help='do not validate')
    parser.add_argument(
        '--auto-scale-lr',
        action='store_true',
        help='scale the learning rate with the batch size (on in our ImageNet configs)',
    )
    parser.add_argument('--no-pin-memory', action='store_true', help='do not pin memory')
    parser.add_argument(
        '--no-persistent-workers',
        action='store_true',
        help='end the loader workers after each epoch, whatever the config says',
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action='extend',
        help='override settings: key=value, nested keys with dots; "[a,b]", "[dict(type=A)]"',
    )
    parser.add_argument(
        '--traceback', action='store_true', help='show the traceback of every error'
    )
    parser.add_argument(
        '--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none'
    )
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0)
    return parser.parse_args()


def merge_args(cfg: Config, args: argparse.Namespace) -> Config:
    """Override the config by the command line."""
    from mmvitkd.config.load_config import complete_config
    from mmvitkd.config.teacher_cache import merge_options
    from mmvitkd.engine.runner import launch
    from mmvitkd.utils.config_options import read_options

    cfg.launcher = args.launcher
    launch.set_work_dir(cfg, args.work_dir)
    if args.no_validate:
        cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    if args.amp:
        cfg.optim_wrapper.type = 'mmvitkd.BF16OptimWrapper'
    if args.resume is not None:
        cfg.resume = args.resume if args.resume == 'auto' else True
        if args.resume != 'auto':  # otherwise the config's load_from is for the first start
            cfg.load_from = args.resume
    if args.auto_scale_lr:
        if 'auto_scale_lr' not in cfg:
            raise ValueError(
                '--auto-scale-lr: the config has no auto_scale_lr=dict(base_batch_size=...).'
            )
        cfg.auto_scale_lr.enable = True
    options = read_options(args.cfg_options)
    if options is not None:
        merge_options(cfg, options)
    launch.set_dataloaders(cfg, args.no_pin_memory)  # by the workers that the options set
    if args.no_persistent_workers:
        for loader in filter(None, (cfg.train_dataloader, cfg.get('val_dataloader'))):
            loader.persistent_workers = False
    complete_config(cfg, options=options)
    return cfg


def train(args: argparse.Namespace) -> None:
    """Build the run and train."""
    if args.traceback:
        os.environ['MMVITKD_TRACEBACK'] = '1'

    from mmvitkd.config.load_config import read_config
    from mmvitkd.engine.hooks.preemption_hook import TrainingPreempted
    from mmvitkd.engine.logging.screen import quiet_start
    from mmvitkd.engine.runner import Runner, launch
    from mmvitkd.engine.runner.preflight import (
        check_checkpoint,
        check_data,
        check_schedule,
        check_trainable,
    )
    from mmvitkd.utils.cli import exit_on_error, exit_on_folder_error, exit_on_setting_error

    from mmengine.registry import RUNNERS

    launch.set_local_rank(args.local_rank)
    launch.leave_on_signals()
    quiet_start(launch.rank_of(args.launcher))
    with exit_on_error('train'):
        cfg = merge_args(read_config(args.config), args)
        check_trainable(cfg)
        check_data(cfg, ['train', 'val'])
        check_checkpoint(cfg)
        check_schedule(cfg)
        launch.check_work_dir(cfg)
    launch.init_distributed(cfg)
    build = RUNNERS.build if 'runner_type' in cfg else Runner.from_cfg
    try:
        with exit_on_setting_error('train'), exit_on_folder_error('train', cfg.work_dir):
            build(cfg).train()
    except TrainingPreempted as preempted:
        launch.leave(preempted.code)
    launch.cleanup()


def leave_on_interrupt() -> None:
    """Leave with a line on Ctrl-C, whatever is done at that time.

    An exception in its place would be caught or printed by what it interrupts.
    ``PreemptionHook`` takes over the first Ctrl-C when training starts.
    """
    process = os.getpid()

    def leave(*_: object) -> NoReturn:
        if os.getpid() == process:  # and no worker of a loader
            os.write(sys.stderr.fileno(), INTERRUPTED)
        os._exit(130)  # as a shell's, without waiting for other processes

    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:  # as for `... &` in a script
        signal.signal(signal.SIGINT, leave)


def main() -> None:
    """Train."""
    args = parse_args()
    leave_on_interrupt()
    train(args)


if __name__ == '__main__':
    main()
