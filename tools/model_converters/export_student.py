"""Export a student: `export_student.py CONFIG CHECKPOINT --out DIR`.

Writes MMPretrain's config and checkpoint, timm's layout where timm has the architecture,
ONNX, and a model card. Each is read back and gives the logits of the training's model, or
nothing is written.
"""

import argparse
import json
from pathlib import Path

import mmvitkd  # noqa: F401  (first: it patches the packages below)
from mmvitkd.analysis import cost_of
from mmvitkd.checkpoint.read import read_checkpoint
from mmvitkd.config.load_config import load_config
from mmvitkd.config.provenance import provenance_of
from mmvitkd.export.export_dir import CARD, check_target, new_folder
from mmvitkd.export.mmpretrain_files import write_mmpretrain
from mmvitkd.export.model_card import DIFFERS, FILES, Facts, model_card
from mmvitkd.export.onnx_file import write_onnx
from mmvitkd.export.run_match import is_of_another_run
from mmvitkd.export.score import Score, recorded_score
from mmvitkd.export.student import FormatUnavailableError, Student, read_student
from mmvitkd.export.timm_folder import write_timm
from mmvitkd.utils.cli import exit_on_error

from mmengine.config import Config, DictAction

FORMATS = ('mmpretrain', 'timm', 'onnx')
ADVICE = (
    'If the run had --cfg-options, export with the config in its work dir '
    '(work_dirs/NAME/NAME.py).'
)


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Export a student')
    parser.add_argument('config', help='config file of the training')
    parser.add_argument('checkpoint', help='checkpoint file of the training')
    parser.add_argument('--out', type=Path, required=True, help='folder to create')
    parser.add_argument('--ema', action='store_true', help='export the EMA weights')
    parser.add_argument(
        '--formats',
        nargs='+',
        choices=FORMATS,
        help='what to write (default: all that are possible)',
    )
    parser.add_argument(
        '--score',
        type=Path,
        help='metrics for the model card, which tools/test.py --out-item metrics wrote '
        '(default: the last validation in the checkpoint)',
    )
    parser.add_argument('--overwrite', action='store_true', help='replace an export')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        help='override settings: key=value, nested keys with dots, lists as "[a,b]"',
    )
    return parser.parse_args()


def given_score(file: Path) -> Score:
    """Read metrics from a JSON file.

    Raises:
        ValueError: If it does not hold numbers by name.
    """
    try:
        metrics = {k: float(v) for k, v in json.loads(file.read_text()).items()}
    except (ValueError, TypeError, AttributeError) as error:
        raise ValueError(
            f'--score: {str(file)!r}: wanted a JSON object of numbers ({error})'
        ) from None
    return Score(metrics, 'a test of its own')


def read_fitting_student(cfg: Config, args: argparse.Namespace) -> Student:
    """Read the student, and say the usual reason where the checkpoint does not fit.

    Raises:
        ValueError: If config and checkpoint do not fit each other.
    """
    try:
        return read_student(cfg, args.checkpoint, args.ema)
    except ValueError as error:
        if 'does not fit the model' not in str(error):
            raise
        raise ValueError(f'{error}\n{ADVICE}') from None


def write_formats(student: Student, folder: Path, formats: list[str] | None) -> list[str]:
    """Write the requested formats, or all that are possible, and return their names."""
    writers = dict(
        mmpretrain=lambda: write_mmpretrain(student, folder),
        timm=lambda: write_timm(student, folder / 'timm'),
        onnx=lambda: write_onnx(student, folder / 'student.onnx'),
    )
    written = []
    for name in FORMATS:
        if name not in (formats or FORMATS):
            continue
        try:
            writers[name]()
        except FormatUnavailableError as error:
            if formats:
                raise FormatUnavailableError(f'--formats {name}: {error}') from None
            print(f'{name}: skipped, {error}')
        else:
            written.append(name)
    return written


def export(args: argparse.Namespace) -> None:
    """Export what the command line asks for."""
    out = args.out.expanduser()
    check_target(out, args.overwrite)
    cfg = load_config(args.config, args.cfg_options)
    score = given_score(args.score) if args.score is not None else None
    checkpoint = read_checkpoint(args.checkpoint)
    student = read_fitting_student(cfg, args)
    config, differs = Path(args.config).name, is_of_another_run(cfg, checkpoint)
    if differs:
        print(f'{CARD}: {DIFFERS.format(config=config)}')
    with new_folder(out, args.overwrite) as folder:
        written = write_formats(student, folder, args.formats)
        facts = Facts(
            name=out.resolve().name,
            config=config,
            differs=differs,
            ema=args.ema,
            cost=cost_of(student.model, student.image_input.size),
            provenance=provenance_of(cfg.model),
            score=score or recorded_score(checkpoint, cfg, args.ema),
            formats=written,
        )
        (folder / CARD).write_text(model_card(student, facts, folder), encoding='utf-8')
        files = [name for name in FILES if (folder / name).exists()]
    print(f'{args.out}: wrote {", ".join(files)} and {CARD}')


def main() -> None:
    """Export, or exit with an error of one line."""
    args = parse_args()
    with exit_on_error('export_student', {'ema': '--ema'}):
        export(args)


if __name__ == '__main__':
    main()
