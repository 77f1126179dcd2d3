"""Train a suite of configs over seeds: `run_experiments.py SUITE --seeds 0 1 2 3 4`.

Each run is a run of tools/train.py. A finished run is not repeated unless its config has
changed; one that was cut short is resumed. Writes table.md, results.json and scores.png to the
experiment's folder.
"""

import argparse
import json
import shlex
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

if TYPE_CHECKING:
    from mmvitkd.experiments import Run, Suite

TRAIN = Path(__file__).resolve().parent / 'train.py'
# Settings that differ between runs.
RUN_SETTINGS = ('randomness', 'randomness.seed', 'work_dir', 'load_from', 'resume')


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or '').splitlines()[0])
    parser.add_argument('suite', type=Path, metavar='SUITE', help='YAML file of configs')
    parser.add_argument('--seeds', type=int, nargs='+', required=True, help='such as 0 1 2 3 4')
    parser.add_argument('--jobs', type=int, default=1, help='runs at a time (default: 1)')
    parser.add_argument(
        '--out', type=Path, metavar='DIR', help='default: work_dirs/experiments/SUITE'
    )
    parser.add_argument(
        '--reference', metavar='NAME', help="run to compare with, instead of the suite's"
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        default=[],
        metavar='KEY=VALUE',
        help='override settings in all runs, as in tools/train.py',
    )
    args = parser.parse_args()
    if min(args.seeds) < 0 or len(set(args.seeds)) < len(args.seeds):
        parser.error(f'--seeds: found {args.seeds}, wanted different numbers, 0 or above')
    if args.jobs < 1:
        parser.error(f'--jobs: found {args.jobs}, wanted 1 or above')
    for option in args.cfg_options:
        key, equals, _ = option.partition('=')
        if not equals or key in RUN_SETTINGS:
            wanted = 'another key: every run has its own' if equals else 'KEY=VALUE'
            parser.error(f'--cfg-options: found {option!r}, wanted {wanted}')
    return args


def command_line() -> str:
    """Return the command that the user typed; argv[0] may be `python -m mmvitkd TOOL`."""
    name, *arguments = sys.argv
    start = name if name.startswith('python -m ') else f'python {name}'
    return f'{start} {shlex.join(arguments)}'


def write_report(
    suite: 'Suite',
    runs: list['Run'],
    failed: dict[str, str],
    features: dict[str, dict[int, dict[str, Any]]],
    out: Path,
    environment: dict[str, Any],
    console: Console,
) -> None:
    """Print the tables, and write them with the numbers and the figure."""
    from mmvitkd.checkpoint.atomic_backend import AtomicLocalBackend
    from mmvitkd.experiments import experiment_report as report
    from mmvitkd.experiments.plot_seeds import draw_seeds
    from mmvitkd.utils.tables import markdown_table, screen_table

    scores = report.scores_of(suite, runs)
    caption = report.caption_of(scores, suite)
    tables = [report.table_of(scores, suite)]
    tables += [report.features_table_of(features)] if features else []
    for table in tables:
        console.print('', screen_table(*table), highlight=False)
    console.print('', caption, '', sep='\n', highlight=False)
    content = environment | report.content_of(scores, suite, runs, failed, features)
    files = AtomicLocalBackend()
    text = '\n\n'.join([*(markdown_table(*table) for table in tables), caption])
    files.put(f'{text}\n'.encode(), out / 'table.md')
    files.put((json.dumps(content, indent=1) + '\n').encode(), out / 'results.json')
    draw_seeds(scores, suite.reference, suite.metric, out / 'scores.png')


def run_suite(args: argparse.Namespace) -> None:
    """Check, then train and report as the only process that writes to the folder."""
    from mmvitkd.experiments import read_suite, runs_of
    from mmvitkd.utils.folder_lock import FolderInUseError, folder_lock

    try:
        suite = read_suite(args.suite, args.reference)
    except (OSError, ValueError) as error:
        sys.exit(f'run_experiments: {error}')
    out = args.out or Path('work_dirs/experiments') / args.suite.stem
    runs = runs_of(suite, args.seeds, out, args.cfg_options)
    for run in runs:
        try:
            run.config  # noqa: B018  (read before anything runs)
        except Exception as error:
            sys.exit(f'run_experiments: {run.entry.config}: {error}')
    # Exit on SIGTERM, so that the trainings end with this process.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        with folder_lock(out, 'run_experiments'):
            train_and_report(suite, runs, out, args)
    except FolderInUseError as error:
        sys.exit(f'run_experiments: --out: {error}')


def evaluate(
    runs: list['Run'], failed: dict[str, str], console: Console
) -> dict[str, dict[int, dict[str, Any]]]:
    """Evaluate the features of what is done, by name and seed; add reasons to `failed`."""
    from mmvitkd.experiments.feature_scores import feature_scores

    from mmengine.logging import MMLogger

    MMLogger.get_current_instance().setLevel('WARNING')
    found: dict[str, dict[int, dict[str, Any]]] = {}
    for run in runs:
        if run.seed is None or run.result() is None:
            continue
        try:
            scores = feature_scores(run)
        except (OSError, ValueError) as error:
            failed[f'features of {run.name}'] = str(error)
            continue
        found.setdefault(run.entry.name, {})[run.seed] = scores
        console.print(f'features of {run.name}: evaluated', highlight=False)
    return found


def train_and_report(
    suite: 'Suite', runs: list['Run'], out: Path, args: argparse.Namespace
) -> None:
    """Train what is not done, and write the report."""
    from mmvitkd.experiments import run_all
    from mmvitkd.experiments.training_progress import training_progress
    from mmvitkd.package_data import data_folder
    from mmvitkd.utils.collect_env import commit_of, hardware, versions

    console, commit = Console(), commit_of(data_folder())
    environment = dict(
        command=command_line(),
        commit=commit,
        seeds=args.seeds,
        jobs=args.jobs,
        versions=versions(),
        hardware=hardware(),
    )
    left = sum(run.result() is None for run in runs)
    console.print(f'{left} of {len(runs)} trainings to run', highlight=False)
    with training_progress(console) as bars:
        failed = run_all(runs, TRAIN, bars, args.jobs, commit)
    features = evaluate(runs, failed, console) if suite.evaluates_features else {}
    write_report(suite, runs, failed, features, out, environment, console)
    console.print(f'Table, numbers and figure: {out}', highlight=False)
    if failed:
        reasons = [f'{name}: {reason}' for name, reason in failed.items()]
        sys.exit('\n'.join([f'run_experiments: {len(failed)} not done', *reasons]))


def main() -> None:
    """Run a suite, or exit with one line that states the reason."""
    args = parse_args()

    from mmvitkd.utils.cli import exit_on_setting_error

    try:
        with exit_on_setting_error('run_experiments'):
            run_suite(args)
    except KeyboardInterrupt:
        sys.exit('run_experiments: stopped; run the same command again to continue')


if __name__ == '__main__':
    main()
