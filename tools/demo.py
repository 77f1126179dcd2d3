"""Train the demo: a ViT teacher and four students on 5,000 digits, from data to table.

It runs what an ImageNet run uses, tools/train.py and tools/test.py, on the configs in
configs/mnist5k, and writes a table and two figures to work_dirs/demo/.
"""

import argparse
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from mmengine.config import Config
from rich.console import Console
from rich.progress import Progress

if TYPE_CHECKING:
    from mmvitkd.experiments.plot_runs import RunSummary
    from mmvitkd.utils.subprocesses import Subprocesses

ROOT = Path(__file__).resolve().parents[1]
OUT = Path('work_dirs/demo')
IMAGES = 1000
TEACHER = 'vit_64'
NAMES = {
    TEACHER: 'teacher',
    'vit_32': '(a) labels only',
    'vit_32_feature_kd': '(b) plain feature KD',
    'vit_32_lift': '(c) Lift',
    'vit_32_widelast': '(d) WideLast',
}
# Names of MMEngine's loss curves, by their titles in the figure.
LOSSES = {
    'training loss on the labels': ('student.loss', 'loss'),
    'feature loss (b: of pooled channels, c and d: of all)': ('distill.loss_pair_0',),
}
console = Console()

# SEP, rank and CKA to the teacher of each student, at epochs 10 and 20.
SEP = ('--cfg-options', 'default_hooks.sep.type=mmvitkd.SEPHook')


def main() -> None:
    """Read the command line, which has no options, and run the demo."""
    argparse.ArgumentParser(description=(__doc__ or '').splitlines()[0]).parse_args()
    with scripts():
        run_demo()


@cache
def scripts() -> 'Subprocesses':
    """Return the object that starts scripts, and ends those that still run."""
    from mmvitkd.utils.subprocesses import Subprocesses

    return Subprocesses()


def run_demo() -> None:
    """Convert, train, test, report."""
    from mmvitkd.experiments.training_progress import training_progress

    begin = time.perf_counter()
    say('Data: 5,000 MNIST digits as PNG files')
    run([ROOT / 'tools/dataset_converters/mnist5k.py', '--out', 'data/mnist5k'], 'data')
    say('Training the teacher and four students, two at a time (CPU, one seed)')
    with training_progress(console) as bars:
        seconds = train(list(NAMES), bars)
    say('Testing')
    runs = [result(name, seconds[name]) for name in test(list(NAMES))]
    report(runs)
    say("Each student's SEP curves: work_dirs/demo/NAME/*/vis_data/vis_image/")
    say(f'Done in {time.perf_counter() - begin:.0f} s. Table and figures: work_dirs/demo/')


def say(text: str) -> None:
    """Print the line of a step."""
    console.print(f'[bold]==>[/bold] {text}', highlight=False)


def start(command: Sequence[str | Path], name: str) -> subprocess.Popen:
    """Start a script on one thread, with its output in work_dirs/demo/NAME.log."""
    return scripts().start(command, OUT / f'{name}.log', CUDA_VISIBLE_DEVICES='')


def finish(process: subprocess.Popen, name: str) -> None:
    """Wait for a script, and stop the demo if it failed."""
    from mmvitkd.utils.subprocesses import tail_log

    if process.wait():
        log = OUT / f'{name}.log'
        sys.exit(f'{tail_log(log)}\nmake demo: {name} failed; its whole output: {log}')


def run(command: Sequence[str | Path], name: str) -> None:
    """Run a script to its end."""
    finish(start(command, name), name)


def config_of(name: str) -> Config:
    """Load the config of a run."""
    return Config.fromfile(ROOT / 'configs' / 'mnist5k' / f'{name}.py')


def train(names: list[str], bars: Progress) -> dict[str, float]:
    """Train the models, two at a time, the distilled ones after the teacher.

    Returns:
        The seconds of each training, by name.
    """
    distilled = {name for name in names if 'teacher' in config_of(name).model}
    seconds: dict[str, float] = {}
    running: dict[str, Training] = {}
    while len(seconds) < len(names):
        for name in names:
            waits = name in distilled and TEACHER not in seconds
            if name not in seconds and name not in running and not waits and len(running) < 2:
                running[name] = Training(name, bars)
        time.sleep(0.5)
        for name, training in list(running.items()):
            if training.is_done():
                seconds[name] = running.pop(name).seconds
    return seconds


class Training:
    """A run of tools/train.py and its progress bar."""

    def __init__(self, name: str, bars: Progress) -> None:
        self.name, self.bars, self.begin = name, bars, time.perf_counter()
        shutil.rmtree(OUT / name, ignore_errors=True)
        script, config = ROOT / 'tools/train.py', ROOT / f'configs/mnist5k/{name}.py'
        options = ['--work-dir', f'work_dirs/demo/{name}', *(() if name == TEACHER else SEP)]
        self.process = start([script, config, *options], name)
        self.bar = bars.add_task(NAMES[name], total=epochs_of(name), at='starting')

    def is_done(self) -> bool:
        """Return whether it has ended; update the bar, and stop the demo if it failed."""
        from mmvitkd.experiments.training_progress import last_epoch

        epoch = last_epoch(OUT / f'{self.name}.log')
        if epoch:
            self.bars.update(self.bar, completed=epoch, at=f'epoch {epoch}')
        if self.process.poll() is None:
            return False
        finish(self.process, self.name)
        self.seconds = time.perf_counter() - self.begin
        self.bars.stop_task(self.bar)
        return True


def epochs_of(name: str) -> int:
    """Return the number of epochs of a config."""
    return config_of(name).train_cfg.max_epochs


def test(names: list[str]) -> list[str]:
    """Test the last checkpoint of every model, two at a time."""
    for batch in (names[i : i + 2] for i in range(0, len(names), 2)):
        tests = {}
        for name in batch:
            checkpoint = f'work_dirs/demo/{name}/epoch_{epochs_of(name)}.pth'
            options = ['--work-dir', f'work_dirs/demo/{name}/test', '--out-item', 'metrics']
            options += ['--out', f'work_dirs/demo/{name}/metrics.json']
            command = [ROOT / 'tools/test.py', ROOT / f'configs/mnist5k/{name}.py', checkpoint]
            tests[name] = start([*command, *options], f'{name}_test')
        for name, process in tests.items():
            finish(process, f'{name}_test')
    return names


def result(name: str, seconds: float) -> 'RunSummary':
    """Return a run's cost, accuracy and curves."""
    from mmvitkd.analysis import cost_of
    from mmvitkd.config.student_config import student_config
    from mmvitkd.experiments.plot_runs import RunSummary

    from mmengine.registry import DefaultScope
    from mmpretrain.registry import MODELS

    config = config_of(name)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        student = MODELS.build(student_config(config.model))
    cost = cost_of(student, student.backbone.img_size)
    metrics = json.loads((OUT / name / 'metrics.json').read_text())
    return RunSummary(
        name=NAMES[name],
        top1=metrics['accuracy/top1'],
        losses=loss_curves(OUT / name / f'epoch_{epochs_of(name)}.pth'),
        parameters=cost.parameters,
        macs=cost.macs,
        seconds=seconds,
        color=list(NAMES).index(name),
    )


def loss_curves(checkpoint: Path) -> dict[str, list[float]]:
    """Return the mean losses of every epoch, from the log history in a checkpoint."""
    import torch

    content = torch.load(checkpoint, weights_only=True)
    history = content['message_hub']['log_scalars']
    curves = {}
    for title, keys in LOSSES.items():
        found = [key for key in keys if f'train/{key}' in history]
        if found:
            values = history[f'train/{found[0]}']['log_history']
            curves[title] = values.view(content['meta']['epoch'], -1).mean(1).tolist()
    return curves


def report(runs: list['RunSummary']) -> None:
    """Print the table and write it with the figures."""
    from mmvitkd.checkpoint.atomic_backend import AtomicLocalBackend
    from mmvitkd.experiments.plot_runs import draw_accuracy, draw_losses
    from mmvitkd.utils.tables import markdown_table, screen_table

    header = ['model', 'parameters', 'MACs', 'top-1 %', 'train time']
    rows = [
        [
            run.name,
            f'{run.parameters:,}',
            f'{run.macs / 1e6:.2f} M',
            f'{run.top1:.1f}',
            f'{run.seconds:.0f} s',
        ]
        for run in runs
    ]
    caption = caption_of(runs)
    console.print('', screen_table(header, rows), '', caption, '', sep='\n', highlight=False)

    files = AtomicLocalBackend()
    files.put(f'{markdown_table(header, rows)}\n\n{caption}\n'.encode(), OUT / 'table.md')
    numbers = json.dumps([vars(run) for run in runs], indent=1)
    files.put(numbers.encode(), OUT / 'results.json')
    draw_accuracy(runs, IMAGES, OUT / 'accuracy.png')
    draw_losses(runs, OUT / 'losses.png')


def caption_of(runs: list['RunSummary']) -> str:
    """Return what these numbers can show, and what they cannot."""
    from mmvitkd.experiments.plot_runs import half_interval

    half = max(half_interval(run.top1, IMAGES) for run in runs)
    gap = runs[0].top1 - runs[1].top1
    return (
        f'One seed, {IMAGES:,} test images: one accuracy is known to about '
        f'±{half:.1f} points (95 %), and another seed may move it by as much. So two students '
        f'{2**0.5 * half:.1f} points apart or less may as well be equal. The teacher is '
        f'{gap:.1f} points above (a). {epochs_of(TEACHER)} epochs do not converge a student: '
        'part of any gap is how fast it learns. The demo shows that everything runs; it is '
        'no evidence for or against the method, whose claims are about ImageNet. '
        'Train times: one CPU thread each, two runs at a time.'
    )


if __name__ == '__main__':
    main()
