"""Compute a teacher's outputs ahead of training: `python tools/cache_teacher.py CONFIG`.

On several GPUs, with the ranks of torchrun or Slurm:
    torchrun --nproc_per_node 8 tools/cache_teacher.py CONFIG --launcher pytorch
It goes on where it was interrupted.
"""

import argparse


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='config file of a distillation')
    parser.add_argument('--dir', help='folder of the cache (the teacher_cache of the config)')
    parser.add_argument(
        '--repair',
        action='store_true',
        help='first check all that is stored; compute again what is damaged',
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action='extend',
        help='override settings, as for the training: key=value',
    )
    parser.add_argument(
        '--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none'
    )
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0)
    return parser.parse_args()


def main() -> None:
    """Fill the cache."""
    args = parse_args()

    from mmvitkd.config.load_config import load_config
    from mmvitkd.engine.runner import launch
    from mmvitkd.engine.runner.fill_cache import fill_teacher_cache
    from mmvitkd.engine.runner.preflight import check_data
    from mmvitkd.utils.cli import exit_on_error, exit_on_setting_error
    from mmvitkd.utils.config_options import read_options

    import torch
    from mmengine.dist import get_rank, init_dist, is_distributed

    launch.set_local_rank(args.local_rank)
    with exit_on_error('cache_teacher'):
        options = read_options(args.cfg_options) or {}
        if args.dir is not None:
            options |= {'teacher_cache.dir': args.dir}
        cfg = load_config(args.config, options)
        if cfg.model.get('teacher_cache') is None:
            raise ValueError('the config has no teacher_cache; name a folder with --dir.')
        cfg.launcher = args.launcher
        launch.set_dataloaders(cfg)
        check_data(cfg, ['train'])
    launch.init_distributed(cfg)
    if args.launcher != 'none' and not is_distributed():
        init_dist(args.launcher, **cfg.env_cfg.dist_cfg)
    device = torch.device('cuda' if torch.cuda.is_available() else 'cpu')
    folder = cfg.model.teacher_cache.dir
    with exit_on_setting_error('cache_teacher'):
        stored = fill_teacher_cache(cfg, device, args.repair)
    if get_rank() == 0:
        print(f'{folder} is complete; this process stored {stored:,} views.')
    launch.cleanup()


if __name__ == '__main__':
    main()
