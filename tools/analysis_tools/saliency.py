"""Draw what models look at, side by side: `saliency.py MODEL[@CHECKPOINT]... --data-root DIR`.

For a few images of a folder: gradient, SmoothGrad and Integrated Gradients of the logit of the
label, or of the predicted class (arXiv 2511.06848), with captum (`pip install
mmvitkd[saliency]`). Writes a figure per image and report.md.
"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from compare_representations import by_label, load, model_label
from shared_options import add_folder_options

if TYPE_CHECKING:
    from mmvitkd.analysis.plotting.saliency_maps import SaliencyRow

# The options of the settings that errors name.
OPTIONS = {
    'model': 'MODEL',
    'checkpoint': 'MODEL@CHECKPOINT',
    'img_size': '--img-size',
    'allow_random': '--allow-random',
    'num_images': '--num-images',
    'data_root': '--data-root',
}
METHODS = ('vanilla', 'smoothgrad', 'integrated')


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or '').splitlines()[0])
    parser.add_argument(
        'models',
        nargs='+',
        metavar='MODEL[@CHECKPOINT]',
        help='config file, exported student or timm:NAME, and the weights',
    )
    parser.add_argument('--data-root', required=True, metavar='DIR', help='folder of images')
    parser.add_argument(
        '--num-images',
        type=int,
        default=5,
        metavar='N',
        help='at most this many, spread over the folder; default: 5',
    )
    parser.add_argument(
        '--methods', nargs='+', default=list(METHODS), choices=METHODS, help='default: all'
    )
    parser.add_argument(
        '--img-size', type=int, metavar='SIDE', help='build timm models for this size'
    )
    parser.add_argument(
        '--allow-random', action='store_true', help='models may have random weights (seed 0)'
    )
    parser.add_argument(
        '--labels', nargs='+', metavar='LABEL', help='labels of the models (default: names)'
    )
    parser.add_argument('--device', help='default: cuda if there is a GPU, else cpu')
    add_folder_options(parser, 'a report')
    return parser.parse_args()


def draw(args: argparse.Namespace) -> None:
    """Compute the maps, and write a figure per image.

    Raises:
        ValueError: If labels and models differ in number, or no image can be read.
    """
    from mmvitkd.analysis.plotting.saliency_maps import draw_saliency
    from mmvitkd.analysis.report.report_dir import (
        check_out,
        files_text,
        new_folder,
        write_report_file,
    )
    from mmvitkd.analysis.report.write_report import save_both
    from mmvitkd.datasets.image_list import find_images
    from mmvitkd.datasets.transforms.load_image import UnreadableImageError
    from mmvitkd.utils.cli import print_left_out
    from mmvitkd.utils.devices import device_of

    args.out = args.out.expanduser().absolute()
    check_out(args.out, args.overwrite)
    labels = args.labels or [*map(model_label, args.models)]
    if len(labels) != len(args.models):
        raise ValueError(f'--labels: found {len(labels)}, wanted {len(args.models)}.')
    images = find_images(args.data_root, num_images=args.num_images)
    words = by_label(labels, args.models, 'MODEL')
    models = {label: load(word, args) for label, word in words.items()}
    device = device_of(args.device)
    with new_folder(args.out, args.overwrite) as folder:
        shown, unreadable = {}, {}
        for index, path in enumerate(images.paths):
            try:
                rows = rows_of(models, images, index, args.methods, device)
            except UnreadableImageError as error:
                unreadable[path] = error.reason
                continue
            shown[f'saliency_{index}'] = path
            save_both(draw_saliency(rows), folder / 'figures', f'saliency_{index}')
        if not shown:
            raise ValueError(f'none of the {len(images)} images can be read.')
        write_text(shown, unreadable, folder)
        report = dict(
            models={label: model.provenance for label, model in models.items()},
            methods=args.methods,
            images=shown,
            unreadable=unreadable,
        )
        write_report_file(report, folder)
    print_left_out(unreadable)
    print(f'{args.out}: wrote {files_text(args.out)}')


def rows_of(
    models: dict[str, Any], images: Any, index: int, methods: list[str], device: str
) -> 'list[SaliencyRow]':
    """Return a row per model for an image.

    Raises:
        UnreadableImageError: If it cannot be read.
        ValueError: If the images have as many classes as a model, and others.
    """
    from mmvitkd.analysis.plotting.saliency_maps import SaliencyRow
    from mmvitkd.apis.saliency import pixels_of, saliency
    from mmvitkd.utils.markdown import printable

    import torch

    rows = []
    for label, loaded in models.items():
        image = loaded.preprocess(images.file(index))
        model = loaded.model.to(device)
        with torch.no_grad():
            logits = model(image[None].to(device))[0]
        if not logits.isfinite().all():
            raise ValueError(f'{images.paths[index]}: the logits of {label} are not finite.')
        known = images.classes is not None and len(images.classes) == len(logits)
        if known:
            check_classes(label, model, images)
        target = images.labels[index] if known else int(logits.argmax())
        maps = {
            method: saliency(model, image.to(device), target, method).cpu().numpy()
            for method in methods
        }
        name = printable(images.classes[target]) if known else str(target)
        kind = 'label' if known else 'predicted'
        rows.append(
            SaliencyRow(f'{label}\n{kind}: {name}', pixels_of(image, loaded.preprocess), maps)
        )
    return rows


def check_classes(label: str, model: Any, images: Any) -> None:
    """Check that labels of the images mean the same to a model, if the names are known.

    Raises:
        ValueError: If they do not.
    """
    from mmvitkd.analysis.features.shared_classes import class_names
    from mmvitkd.utils.errors import KeyedValueError, listed

    names = class_names(model)
    if names not in (None, images.classes):
        raise KeyedValueError(
            f'{{data_root}}={images.folder!r}: found the classes {listed(images.classes)}, '
            f'wanted those of {label}, {listed(names)}; or images without class folders.',
            'data_root',
        )


def write_text(shown: dict[str, str], unreadable: dict[str, str], folder: Path) -> None:
    """Write report.md."""
    from mmvitkd.analysis.report.report_text import unreadable_note
    from mmvitkd.utils.markdown import code_span

    sections = [
        '# Saliency',
        'How much the logit of a class depends on each pixel: absolute gradient, its mean over '
        '50 noisy inputs (noise of 0.15 of the range of the input), and Integrated Gradients '
        'from an input of zeros in 50 steps, as in arXiv 2511.06848. Of the three channels the '
        'largest value; each map is relative to its own largest, so heights do not compare.',
        *unreadable_note(unreadable),
        *(
            f'## {code_span(path)}\n\n![Saliency](figures/{name}.png)'
            for name, path in shown.items()
        ),
    ]
    (folder / 'report.md').write_text('\n\n'.join(sections) + '\n', encoding='utf-8')


def main() -> None:
    """Write the figures, or exit with one line that states the reason."""
    args = parse_args()
    import mmvitkd  # noqa: F401  (first: it patches the packages below)
    from mmvitkd.utils.cli import exit_on_error

    from mmengine.logging import MMLogger

    MMLogger.get_current_instance().setLevel('WARNING')
    with exit_on_error('saliency', OPTIONS):
        draw(args)


if __name__ == '__main__':
    main()
