"""Write configs/README.md, the table of all configs, from model-index.yml and its metafiles.

With `--check`, nothing is written: it prints what is out of date, and exits with 1.
"""

import argparse
import difflib
import sys
from itertools import takewhile
from pathlib import Path
from typing import Any

import yaml

HEAD = """# Configs

<!-- Written by tools/model_zoo.py from model-index.yml, the metafiles and the configs' first
comments: change those, and run it again. -->

Each config trains one student; its first comment says what it is and where it differs from
the published recipe.

| folder | what it holds |
| --- | --- |
| `deit/`, `swin/` | plain students, with and without a teacher |
| `lift/`, `widelast/` | DeiT-Tiny with a remedy; headline configs are in `configs/` itself |
| `controls/` | controls that separate a remedy from its pooling, parameters and projector |
| `mnist5k/` | the demo's digits: minutes on a CPU |
| `image_folder/` | a folder of your own images |
| `foundation/` | students of DINOv2, DINOv3, CLIP and SigLIP, with and without labels |
| `elpv/` | a study on pictures of solar cells ([docs/foundation.md](../docs/foundation.md)) |
| `suites/` | configs to compare over seeds |
| `_base_/` | what configs share: students, distillation, data, schedules, runtime |

## File names

Those for ImageNet follow `[TEACHER_]STUDENT[_REMEDY][_LOSSES][_LAYERS]_EPOCHSe.py`.

- TEACHER: none for a student that is trained from the labels alone.
- REMEDY: `lift` or `widelast`, 384 channels wide unless a number follows (`lift256`);
  WideLast with the released code's schedule `heads_step` unless another is named
  (`widelast_fixed_step`). In `controls/`: what replaces it.
- LOSSES, in addition to that of the labels: `softkd`, `hardkd`, `mse`, `spectralkd`,
  `projectorkd` (its projector is trained; in `projectorkd_frozen` it is not, as released);
  `subspace` and `sep` force a projector ([docs/forced.md](../docs/forced.md)).
- LAYERS, of student and teacher: `first`, `first_last`, `eight` (the first two and the last
  six), `stages` (all four); if omitted, the last of each.

The two headline configs keep short names: `cait_s24_deit_tiny_lift` is
`..._lift_softkd_spectralkd_300e`, and `cait_s24_deit_tiny_widelast` is
`..._widelast_softkd_mse_300e`.

In the tables, parameters and GFLOPs (2 x multiply-accumulates, one image at 224 px) are those
of the student that is tested. Top-1 is the paper's, with its arXiv number (`none`: not
published); 2511.15572 and 2511.06848 report the best epoch on val, while here the last epoch
is the result. None of these has been measured here yet.
"""
HEADER = (
    *('config', 'student', 'teacher', 'distilled by', 'epochs', 'parameters', 'GFLOPs'),
    *('top-1 % in the paper', 'measured here'),
)
LISTED = ('mnist5k', 'image_folder', 'foundation', 'elpv', 'suites')


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or '').splitlines()[0])
    parser.add_argument('--check', action='store_true', help='compare, and write nothing')
    parser.add_argument(
        '--index',
        type=Path,
        metavar='FILE',
        help='index next to `configs` (default: ours)',
    )
    return parser.parse_args()


def read_yaml(path: Path) -> Any:
    """Read a YAML file, with numbers as text: 77.50 stays 77.50."""
    try:
        return yaml.load(path.read_text(encoding='utf-8'), Loader=yaml.BaseLoader)
    except yaml.YAMLError as error:
        raise ValueError(f'{path}: invalid YAML: {" ".join(str(error).split())}') from None


def value(node: Any, keys: str, where: str, kind: type = object) -> Any:
    """Return the value under keys such as ``Metadata.Student.Name``; `where` is for errors."""
    for key in keys.split('.'):
        node = node.get(key) if isinstance(node, dict) else None
        if not node:
            raise ValueError(f'{where}: {keys}: found no {key}, wanted one.')
    if not isinstance(node, kind):
        raise ValueError(f'{where}: {keys}: found {node!r}, wanted a {kind.__name__}.')
    return node


def number(model: dict[str, Any], keys: str, where: str) -> int:
    """Return the whole number under such keys."""
    found = value(model, keys, where)
    try:
        return int(found)
    except (TypeError, ValueError):
        raise ValueError(f'{where}: {keys}: found {found!r}, wanted a whole number.') from None


def distilled_by(metadata: dict[str, Any], where: str) -> str:
    """Return losses and layers, such as ``SoftKD + MSE, last block``."""
    if 'Distillation' not in metadata:
        return 'nothing'
    losses = ' + '.join(value(metadata, 'Distillation.Losses', where, list))
    layers = metadata['Distillation'].get('Layers')
    return f'{losses}, {layers}' if layers else losses


def published(model: dict[str, Any], collection: dict[str, Any], where: str) -> str:
    """Return the paper's top-1 with a link to the paper, or ``none``."""
    if 'Results' not in model:
        return 'none'
    result = value(model, 'Results', where, list)[0]
    score = value(result, 'Metrics.Top 1 Accuracy', f'{where}: Results[0]')
    url = value(model if 'Paper' in model else collection, 'Paper.URL', where)
    return f'{score} ([{url.rpartition("/")[2]}]({url}))'


def row_of(model: Any, collection: dict[str, Any], root: Path, where: str) -> list[str]:
    """Return the row of a model; `where` is its metafile and name, for errors."""
    config, metadata = value(model, 'Config', where), value(model, 'Metadata', where)
    if not (root / config).is_file():
        raise FileNotFoundError(f'{where}: Config: there is no {config}')
    return [
        f'[{Path(config).stem}]({config.removeprefix("configs/")})',
        value(model, 'Metadata.Student.Name', where),
        value(model, 'Metadata.Teacher.Name', where) if 'Teacher' in metadata else 'none',
        distilled_by(metadata, where),
        str(number(model, 'Metadata.Epochs', where)),
        f'{number(model, "Metadata.Parameters", where):,}',
        f'{2 * number(model, "Metadata.FLOPs", where) / 1e9:.3f}',
        published(model, collection, where),
        'not yet',
    ]


def family(file: str, root: Path) -> str:
    """Return the section of a metafile: a collection and its models."""
    from mmvitkd.utils.tables import markdown_table

    content = read_yaml(root / file)
    collection = value(content, 'Collections', file, list)[0]
    rows = []
    for i, model in enumerate(value(content, 'Models', file, list)):
        where = f'{file}: {value(model, "Name", f"{file}: Models[{i}]")}'
        rows.append(row_of(model, collection, root, where))
    table = markdown_table(HEADER, rows, text_columns=4)
    return f'\n## {value(collection, "Name", file)}\n\n{table}\n'


def listing(folder: Path) -> str:
    """Return the section of a folder without a metafile: its files and first comments."""
    lines = [f'\n## `{folder.name}/`\n']
    for path in sorted(path for path in folder.iterdir() if path.suffix in ('.py', '.yml')):
        text = path.read_text(encoding='utf-8').splitlines()
        comment = ' '.join(line[1:].strip() for line in takewhile(lambda s: s[:1] == '#', text))
        if not comment:
            raise ValueError(f'{path}: wanted a first comment that describes the config.')
        lines.append(f'- [{path.name}]({folder.name}/{path.name}): {comment}')
    return '\n'.join(lines) + '\n'


def document(index: Path) -> str:
    """Return the whole of configs/README.md."""
    files = value(read_yaml(index), 'Import', str(index), list)
    families = [family(file, index.parent) for file in files]
    return HEAD + ''.join(families + [listing(index.parent / 'configs' / f) for f in LISTED])


def main() -> None:
    """Write the table, or compare it with the file."""
    args = parse_args()

    from mmvitkd.checkpoint.atomic_backend import AtomicLocalBackend
    from mmvitkd.package_data import data_folder

    index = args.index or data_folder() / 'model-index.yml'
    target = index.parent / 'configs' / 'README.md'
    try:
        wanted = document(index)
        if not args.check:
            AtomicLocalBackend().put(wanted.encode(), target)
            return
        found = target.read_text(encoding='utf-8')
    except (OSError, ValueError) as error:
        sys.exit(f'model_zoo: {error}')
    if found != wanted:
        names = (str(target), 'as the metafiles and comments say')
        lines = (found.splitlines(), wanted.splitlines(), *names)
        diff = '\n'.join(difflib.unified_diff(*lines, n=0, lineterm=''))
        sys.exit(f'{diff}\nmodel_zoo: {target} is out of date: run this without --check')


if __name__ == '__main__':
    main()
