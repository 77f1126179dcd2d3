"""Train three small networks for scale 2 on photographs, and compare them with bicubic.

The photographs come with scikit-image and scikit-learn; two are held out. Every network is
trained as configs/x2.py says, but for its size and a schedule of a few minutes. A table and a
picture are written to work_dirs/mdbn_demo/.
"""

import argparse
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from rich.console import Console

HERE = Path(__file__).resolve().parent
OUT = Path('work_dirs/mdbn_demo')
TRAIN = ('astronaut', 'coffee', 'flower', 'motorcycle', 'retina', 'rocket')
HELD_OUT = ('chelsea', 'china')
SCALE, CHANNELS, STEPS = 2, 16, 4000
# Residual blocks by branches: as many parameters each.
NUM_BLOCKS = dict(both=2, deep=3, shallow=6)
NAMES = dict(both='both branches', deep='deep branch only', shallow='shallow branch only')
# What the picture shows of each held-out photograph: (top, left) and the side.
CROPS, SIDE = dict(chelsea=(90, 160), china=(160, 250)), 96
CAPTION = (
    'PSNR (dB) / SSIM on Y, border 4, of two photographs that no network was trained on. '
    f'Training: {len(TRAIN)} others, {STEPS:,} steps of 8 patches of 32 x 32 pixels, one seed. '
    'So short a training of so small a network shows that everything works, and that the '
    'network learns to do better than bicubic, from nothing: it has no bicubic skip. It cannot '
    'tell which branches are best: two photographs and one seed are no test set, and the '
    'published network has 38 times the parameters and 500 times the steps.'
)
console = Console()


def main() -> None:
    """Read the command line, which has no options, and run the demo."""
    argparse.ArgumentParser(description=(__doc__ or '').splitlines()[0]).parse_args()
    sys.path.insert(0, str(HERE.parents[1]))
    begin = time.perf_counter()
    say(f'Data: {len(TRAIN)} photographs to train on, {len(HELD_OUT)} to test on')
    write_data(OUT / 'data')
    results = {'bicubic': enlarge_all(None)}
    for branches, name in NAMES.items():
        say(f'Training: {name}')
        results[name] = enlarge_all(train(branches))
    report(results)
    say(f'Done in {time.perf_counter() - begin:.0f} s. Table and picture: {OUT}/')


def say(text: str) -> None:
    """Print the line of a step."""
    console.print(f'[bold]==>[/bold] {text}', highlight=False)


def photograph(name: str) -> np.ndarray:
    """Return a photograph that a package ships, RGB, (H, W, 3), uint8."""
    import skimage.data
    from sklearn.datasets import load_sample_image

    if name in ('china', 'flower'):
        return np.asarray(load_sample_image(f'{name}.jpg'))
    if name == 'motorcycle':  # the left one of a pair
        return np.asarray(skimage.data.stereo_motorcycle()[0])  # type: ignore[no-untyped-call]
    return np.asarray(getattr(skimage.data, name)())


def write_data(folder: Path) -> None:
    """Write the photographs, and sub-images of those to train on, anew."""
    from projects.mdbn.mdbn.subimages import extract_subimages

    shutil.rmtree(folder, ignore_errors=True)
    for split, names in dict(train=TRAIN, test=HELD_OUT).items():
        (folder / split).mkdir(parents=True)
        for name in names:
            Image.fromarray(photograph(name)).save(folder / split / f'{name}.png')
    extract_subimages(str(folder / 'train'), folder / 'sub', scales=(), size=96, step=48)


def train(branches: str) -> Path:
    """Train a network; return its checkpoint."""
    from mmvitkd.config.load_config import load_config
    from mmvitkd.engine.runner import Runner

    work_dir = OUT / branches
    shutil.rmtree(work_dir, ignore_errors=True)
    network = dict(channels=CHANNELS, num_blocks=NUM_BLOCKS[branches], branches=branches)
    options: dict[str, Any] = {
        'work_dir': str(work_dir),
        'experiment_name': f'mdbn_demo_{branches}',
        'model.network': network,
        'train_dataloader': dict(batch_size=8, num_workers=0),
        'train_dataloader.dataset': dict(
            hr_folder=str(OUT / 'data/sub/HR'), lr_folder=None, patch_size=32
        ),
        'val_dataloader.num_workers': 0,
        'val_dataloader.dataset': dict(hr_folder=str(OUT / 'data/test'), lr_folder=None),
        'train_cfg': dict(max_iters=STEPS, val_interval=STEPS),
        'optim_wrapper.optimizer.lr': 3e-3,
        'param_scheduler.T_max': STEPS,
        'default_hooks.logger.interval': 500,
        'default_hooks.checkpoint': dict(interval=STEPS, save_best=None),
        'custom_hooks': [],
    }
    Runner.from_cfg(load_config(str(HERE / 'configs/x2.py'), options)).train()
    return work_dir / f'iter_{STEPS}.pth'


def enlarge_all(checkpoint: Path | None) -> dict[str, np.ndarray]:
    """Shrink the held-out photographs and enlarge them, by a network or by bicubic."""
    from projects.mdbn.mdbn import enlarge_bicubic, load_network, super_resolve
    from projects.mdbn.mdbn.bicubic import round_to_8_bit

    enlarged = {}
    for name in HELD_OUT:
        small = small_version(name)
        if checkpoint is None:
            enlarged[name] = round_to_8_bit(enlarge_bicubic(small, SCALE))
        else:
            enlarged[name] = super_resolve(small, load_network(str(checkpoint)))
    return enlarged


def original(name: str) -> np.ndarray:
    """Return a photograph with even sides."""
    image = photograph(name)
    height, width = (side - side % SCALE for side in image.shape[:2])
    return image[:height, :width]


def small_version(name: str) -> np.ndarray:
    """Return what the networks get of a photograph."""
    from projects.mdbn.mdbn.patches import shrink_to_8_bit

    return shrink_to_8_bit(original(name), SCALE)


def quality(image: np.ndarray, name: str) -> str:
    """Return the PSNR and SSIM of an enlarged photograph."""
    from projects.mdbn.mdbn.luma_quality import luma, psnr, ssim, without_border

    y, reference = (without_border(luma(each), 4) for each in (image, original(name)))
    return f'{psnr(y, reference):.2f} / {ssim(y, reference):.4f}'


def parameters(name: str) -> str:
    """Return the number of parameters of a network by its name."""
    from mmvitkd.models.utils.cost import num_parameters

    from projects.mdbn.mdbn import MDBN

    branches = {value: key for key, value in NAMES.items()}.get(name)
    if branches is None:
        return ''
    return f'{num_parameters(MDBN(SCALE, CHANNELS, NUM_BLOCKS[branches], branches)):,}'


def report(results: dict[str, dict[str, np.ndarray]]) -> None:
    """Print the table, and write it with the picture."""
    from mmvitkd.utils.atomic_file import atomic_file
    from mmvitkd.utils.plotting import save
    from mmvitkd.utils.tables import markdown_table, screen_table

    header = ['', 'parameters', *HELD_OUT]
    rows = [
        [name, parameters(name), *(quality(images[photo], photo) for photo in HELD_OUT)]
        for name, images in results.items()
    ]
    console.print('', screen_table(header, rows), '', CAPTION, '', sep='\n', highlight=False)
    with atomic_file(OUT / 'table.md') as file:
        file.write_text(f'{markdown_table(header, rows)}\n\n{CAPTION}\n')
    save(
        draw_crops({**results, 'original': {n: original(n) for n in HELD_OUT}}),
        OUT / 'crops.png',
    )


def draw_crops(images: dict[str, dict[str, np.ndarray]]) -> Any:
    """Return a figure of the same crops of all versions, side by side."""
    from mmvitkd.analysis.plotting.figure import new_figure

    figure = new_figure(2.2 * len(images), 2.4 * len(HELD_OUT))
    axes = figure.subplots(len(HELD_OUT), len(images))
    for row, photo in zip(axes, HELD_OUT, strict=True):
        top, left = CROPS[photo]
        for place, (name, versions) in zip(row, images.items(), strict=True):
            place.imshow(versions[photo][top : top + SIDE, left : left + SIDE])
            place.set_title(name, fontsize=9)
            place.set_axis_off()
    return figure


if __name__ == '__main__':
    main()
