"""Change every key of the shipped configs, train a few steps with each, and count what is said.

``python benchmarks/config_fuzz.py`` tries all; ``--sample N`` a seeded part. A change is

- named: it stopped before the first iteration, and the message names the key;
- warned: it trained, and a warning names the key;
- silent: it trained, and nothing was said, as where the value is another valid one;
- ugly: it stopped with a message that does not name the key, or with a traceback;
- late: it stopped after the first iteration.

Models and data are shrunk, the keys are those of the configs.
"""

import argparse
import contextlib
import importlib.util
import io
import logging
import random
import re
import shutil
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any
from unittest.mock import patch

from mmvitkd.engine.runner import Runner
from mmvitkd.package_data import data_folder

import numpy as np
import torch
from mmengine.config import Config
from mmengine.logging import MessageHub, MMLogger
from mmengine.registry import DefaultScope
from mmengine.visualization import Visualizer
from PIL import Image

OUTCOMES = ('named', 'warned', 'silent', 'ugly', 'late')
MUTATIONS = ('misspelt', 'wrong type', 'none', 'negative', 'quoted', 'tuple')
CONFIGS = (
    'mnist5k/vit_32_feature_kd.py',
    'mnist5k/vit_32_lift.py',
    'mnist5k/vit_32_widelast.py',
    'mnist5k/vit_32_projector.py',
    'mnist5k/encoder_32_lift.py',
    'deit/cait_s24_deit_tiny_softkd_spectralkd_300e.py',
    'image_folder/deit_small_deit_tiny_lift.py',
)
# Names that a config's author chose: another one is as good.
FREE = re.compile(
    r'^(bgr_mean|bgr_std|.*custom_keys\.[^.]+'
    r'|.*_recorders\.\w+|.*distill_losses\.\w+|.*loss_forward_mappings(\.\w+){1,2})$'
)
# The author's own variables: nothing but the file itself reads them.
HELPERS = re.compile(r'^(bgr_mean|bgr_std|(train|test)_pipeline|vis_backends)\b')
# What is said of so short a run, whatever its config is.
UNRELATED = 'WORSE THAN A CONSTANT'
SMALL = dict(embed_dims=16, num_layers=2, num_heads=2, feedforward_channels=32)
Key = tuple[str | int, ...]
ROOT = data_folder()


def main() -> None:
    """Print the table, and each change that is not named."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--sample', type=int, help='how many changes to try (default: all)')
    parser.add_argument('--seed', type=int, default=0, help='seed of the sample (default: 0)')
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = []
        for each in run(Path(folder), args.sample, args.seed):
            found.append(each)
            mutation, key, value, outcome, message = each
            if outcome != 'named':
                print(f'{outcome}: {mutation}: {key}={value!r}: {message}', flush=True)
    print(table(found))


Found = tuple[str, str, Any, str, str]


def run(folder: Path, sample: int | None = None, seed: int = 0) -> Iterator[Found]:
    """Yield mutation, key, new value, outcome and message of each change.

    Args:
        folder: An empty folder for data and runs.
        sample: How many changes to try; all if None.
        seed: The seed of the sample.
    """
    configs = write_inputs(folder)
    cases = list(changes(configs))
    if sample is not None:
        cases = random.Random(seed).sample(cases, sample)
    for name, key, mutation, value in cases:
        outcome = attempt(configs[name], key, mutation, value, folder)
        yield mutation, dotted(key), value, *outcome


def table(found: Sequence[Found]) -> str:
    """Return the counts as a Markdown table."""
    counts = Counter((mutation, outcome) for mutation, _, _, outcome, _ in found)
    lines = ['| change | ' + ' | '.join(OUTCOMES) + ' |', '|---' * 6 + '|']
    for mutation in MUTATIONS:
        numbers = [str(counts[mutation, outcome]) for outcome in OUTCOMES]
        lines.append(f'| {mutation} | ' + ' | '.join(numbers) + ' |')
    totals = Counter(outcome for *_, outcome, _ in found)
    lines.append('| all | ' + ' | '.join(str(totals[each]) for each in OUTCOMES) + ' |')
    return '\n'.join(lines)


def changes(configs: dict[str, Any]) -> Iterator[tuple[str, Key, str, Any]]:
    """Yield each change of each key once: the name of a config, key, mutation and value."""
    seen = set()
    for name, config in configs.items():
        for key, value in leaves(config):
            kind = (tuple(0 if isinstance(k, int) else k for k in key), _type_at(config, key))
            if kind in seen or HELPERS.match(dotted(key)):
                continue
            seen.add(kind)
            for mutation, other in mutations(key, value):
                yield name, key, mutation, other


def _type_at(config: Any, key: Key) -> Any:
    """Return the type of the dict that holds a key."""
    for step in key[:-1]:
        config = config[step]
    return config.get('type')


def leaves(node: Any, key: Key = ()) -> Iterator[tuple[Key, Any]]:
    """Yield every key of nested dicts, also in lists, with its value."""
    items = node.items() if isinstance(node, dict) else enumerate(node)
    for name, value in items:
        if isinstance(node, dict):
            yield (*key, name), value
        if isinstance(value, dict | list):
            yield from leaves(value, (*key, name))


def mutations(key: Key, value: Any) -> Iterator[tuple[str, Any]]:
    """Yield the mutations of a value; a misspelling keeps it."""
    name, is_number = str(key[-1]), isinstance(value, int | float) and value is not True
    if name != 'type' and not FREE.match(dotted(key)):
        yield 'misspelt', value
    if value is None:
        return
    yield 'wrong type', 'x' if not isinstance(value, str) else 7
    yield 'none', None
    if is_number and not isinstance(value, bool):
        yield 'negative', -abs(value) or -1
    if is_number or isinstance(value, bool):
        yield 'quoted', str(value)
    yield 'tuple', (value, value)


def misspelt(name: str) -> str:
    """Return a name with a letter less, from its middle."""
    middle = max(len(name) // 2, 1)
    return name[:middle] + name[middle + 1 :] if len(name) > 2 else name + 'x'


def dotted(key: Key) -> str:
    """Return a key as --cfg-options takes it."""
    return '.'.join(map(str, key))


def attempt(config: Any, key: Key, mutation: str, value: Any, folder: Path) -> tuple[str, str]:
    """Train with one change; return the outcome and the message."""
    config = deepcopy(config)
    node = config
    for step in key[:-1]:
        node = node[step]
    name = key[-1]
    if mutation == 'misspelt':
        name = misspelt(str(name))
        node[name] = node.pop(key[-1])
    else:
        node[name] = value
    names = {str(key[-1]), str(name), *([str(key[-2])] if name == 'type' else [])}
    return train(config, names, folder)


def train(config: Any, names: set[str], folder: Path) -> tuple[str, str]:
    """Train with a config; return the outcome, with regard to these names, and the message."""
    path, work_dir = folder / 'fuzzed.py', folder / 'run'
    shutil.rmtree(work_dir, ignore_errors=True)
    path.write_text(''.join(f'{key} = {value!r}\n' for key, value in config.items()))
    records: list[str] = []
    started: list[str] = []
    call_hook = Runner.call_hook

    def noted(self: Any, fn_name: str, **kwargs: Any) -> None:
        started.extend([fn_name] * (fn_name == 'before_train_iter'))
        call_hook(self, fn_name, **kwargs)

    def handle(self: Any, record: logging.LogRecord) -> None:
        if record.levelno >= logging.WARNING:
            records.append(record.getMessage())

    random_state = random.getstate()
    with (
        patch.object(Runner, 'call_hook', noted),
        patch.object(logging.Logger, 'handle', handle),
        patch.object(sys, 'argv', ['train.py', str(path), '--work-dir', str(work_dir)]),
        patch('signal.signal'),
        # Formatting the config for the logs takes most of the time of so short a run.
        patch('mmengine.config.config.FormatCode', lambda text, **_: (text, True)),
        warnings.catch_warnings(record=True) as caught,
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        warnings.simplefilter('always')
        try:
            _tool().main()
            error: BaseException | None = None
        except (Exception, SystemExit) as raised:
            error = raised
    random.setstate(random_state)
    _reset()
    message = ' '.join(str(error).split())
    if error is None:
        texts = [*records, *(str(each.message) for each in caught)]
        texts = [text for text in texts if UNRELATED not in text]
        said = [text for text in texts if _names(text, names)]
        return ('warned', said[0]) if said else ('silent', '')
    if started:
        return 'late', f'{type(error).__name__}: {message}'
    is_line = isinstance(error, SystemExit)
    is_named = is_line and _names(message, names)
    return ('named' if is_named else 'ugly'), f'{type(error).__name__}: {message}'


def _names(text: str, names: set[str]) -> bool:
    return any(re.search(rf'(?<!\w){re.escape(name)}(?!\w)', text) for name in names)


def _reset() -> None:
    """Forget the run: its logger, its scope."""
    for logger in list(MMLogger._instance_dict.values()):
        for handler in list(logger.handlers):
            handler.close()
        logger.handlers.clear()
    for kind in (MMLogger, MessageHub, Visualizer, DefaultScope):  # named by the second
        kind._instance_dict.clear()
    torch.use_deterministic_algorithms(False)


def _tool() -> Any:
    if 'train_tool' not in sys.modules:
        spec = importlib.util.spec_from_file_location('train_tool', ROOT / 'tools/train.py')
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        sys.modules['train_tool'] = module
    return sys.modules['train_tool']


def write_inputs(folder: Path) -> dict[str, Any]:
    """Write images and a teacher's weights; return the configs that use them, by name."""
    generator = np.random.default_rng(0)
    for split, count in (('train', 2), ('val', 1), ('test', 1)):
        for label in range(10):
            place = folder / 'images' / split / str(label)
            place.mkdir(parents=True)
            for i in range(count):
                pixels = generator.integers(0, 256, (28, 28, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(place / f'{i}.png')
    from mmpretrain.registry import MODELS

    with DefaultScope.overwrite_default_scope('mmpretrain'):
        teacher = MODELS.build(deepcopy(TEACHER))
    torch.save(dict(state_dict=teacher.state_dict()), folder / 'teacher.pth')
    return {name: shrunk(ROOT / 'configs' / name, folder) for name in CONFIGS}


TEACHER = dict(
    type='ImageClassifier',
    data_preprocessor=dict(mean=[33.3, 33.3, 33.3], std=[78.6, 78.6, 78.6], to_rgb=True),
    backbone=dict(type='VisionTransformer', arch=SMALL, img_size=28, patch_size=7),
    head=dict(type='VisionTransformerClsHead', num_classes=10, in_channels=16),
)


def shrunk(path: Path, folder: Path) -> Any:
    """Return a config with small models, that trains four steps on the images."""
    cfg = Config.fromfile(path)
    plain = cfg.to_dict()
    model = plain['model']
    student = model.get('architecture', model)
    backbone = student['backbone']
    if 'teacher' in model:
        model['teacher'] = deepcopy(TEACHER)
        model['teacher_ckpt'] = str(folder / 'teacher.pth')
        last = [
            (s if isinstance(s, str) else 1, t if isinstance(t, str) else 1)
            for s, t in model['pairs']
        ]
        model['pairs'] = last
    inner = backbone.get('base', backbone)
    inner.update(arch=dict(SMALL), img_size=28, patch_size=7)
    width = 16
    if 'base' in backbone:
        backbone['width'] = width = 32
    if 'neck' in student:
        student['neck'].update(in_channels=16, out_channels=32)
        width = 32
    student['head'].update(in_channels=width, num_classes=10)
    if 'pair_projector' in model:
        model['pair_projector'].update(in_channels=16, out_channels=16)
    plain['data_preprocessor'].pop('num_classes', None)
    for split in ('train', 'val', 'test'):
        loader = plain[f'{split}_dataloader']
        loader.update(batch_size=10, num_workers=0)
        data = loader['dataset']
        data.update(type='mmvitkd.ImageFolder', data_root=str(folder / 'images'))
        data['pipeline'] = [_small_step(step) for step in data['pipeline']]
        if 'num_repeats' in loader['sampler']:
            loader['sampler']['num_repeats'] = 1
    for evaluator in ('val_evaluator', 'test_evaluator'):
        plain[evaluator] = dict(type='mmvitkd.Accuracy', topk=(1,))
    plain['train_cfg'].update(max_epochs=2, val_interval=1)
    warmup, rest = plain['param_scheduler']
    warmup['end'] = rest['begin'] = 1
    if plain['optim_wrapper'].get('type', '').startswith('mmvitkd.BF16'):
        plain['optim_wrapper']['type'] = 'OptimWrapper'
    return plain


def _small_step(step: dict[str, Any]) -> dict[str, Any]:
    sizes = dict(scale=28, crop_size=28)
    return step | {key: value for key, value in sizes.items() if key in step}


if __name__ == '__main__':
    main()
