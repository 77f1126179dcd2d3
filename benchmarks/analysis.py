"""Compare our measures with a naive path on the same features, interleaved: `analysis.py`.

The naive path computes one image at a time: numpy's SVD with U and V, a complex FFT and one
`numpy.histogram` for every token. A second table compares the measures of CaiT-S24's last
block with the forward passes that they need.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

from mmvitkd.analysis import pca_dimensions, sep, svd_dimensions, token_entropy
from mmvitkd.utils.tables import markdown_table

import numpy as np
import timm
import torch
from timing import seconds_of, write_run
from torch import Tensor

# Seconds between measurements: idle threads of numpy and torch keep spinning for a while, and
# would slow the other down.
SETTLE = 0.2
THRESHOLDS = (0.80, 0.90, 0.95, 0.99)
BINS = 100


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or '').splitlines()[0])
    parser.add_argument('--images', type=int, default=16, help='images per round (16)')
    parser.add_argument('--tokens', type=int, default=196)
    parser.add_argument('--embed-dims', type=int, default=384)
    parser.add_argument('--rounds', type=int, default=7)
    parser.add_argument('--device', default='cpu')
    parser.add_argument('--no-model', action='store_true', help='leave CaiT-S24 out')
    parser.add_argument('--json', type=Path, metavar='FILE', help='write the times here')
    return parser.parse_args()


def naive_svd(features: np.ndarray) -> list[list[int]]:
    """Compute the dimensions of each image, from a full SVD."""
    found = []
    for image in features:
        _, values, _ = np.linalg.svd(image, full_matrices=False)
        shares = np.cumsum(values**2) / np.sum(values**2)
        found.append([int(np.searchsorted(shares, t - 1e-9)) + 1 for t in THRESHOLDS])
    return found


def naive_sep(features: np.ndarray) -> np.ndarray:
    """Compute the mean curve, with a complex FFT per token."""
    curves = []
    for image in features:
        for token in image:
            energy = np.abs(np.fft.fft(token)) ** 2
            curves.append(np.cumsum(energy) / energy.sum())
    return np.mean(curves, axis=0)


def naive_entropy(features: np.ndarray) -> float:
    """Compute the mean entropy in bits, with a histogram per token."""
    low, high = features.min(), features.max()
    entropies = []
    for image in features:
        for token in image:
            counts, _ = np.histogram(token, bins=BINS, range=(low, high))
            shares = counts[counts > 0] / counts.sum()
            entropies.append(-np.sum(shares * np.log2(shares)))
    return float(np.mean(entropies))


def our_svd(features: Tensor) -> dict[str, Any]:
    """Compute the same with ours, and also the mean curve and the effective rank."""
    return svd_dimensions(features)


def our_sep(features: Tensor) -> dict[str, Any]:
    """Compute the same with ours."""
    return sep(features)


def our_entropy(features: Tensor) -> dict[str, Any]:
    """Compute the same with ours."""
    return token_entropy(features, BINS)


def our_pca(features: Tensor) -> dict[str, Any]:
    """Compute the dataset's basis, then each image's dimensions on it."""
    return pca_dimensions(features)


PEERS: dict[str, tuple[Callable[[np.ndarray], Any], Callable[[Tensor], Any]]] = {
    'SVD': (naive_svd, our_svd),
    'SEP': (naive_sep, our_sep),
    'entropy': (naive_entropy, our_entropy),
}


def rounds(features: Tensor, number: int) -> Iterator[dict[str, float]]:
    """Yield the seconds of each measure, naive and ours in turn, without the first round."""
    array = features.cpu().double().numpy()
    for index in range(number + 1):
        found = {}
        for name, (naive, ours) in PEERS.items():
            for role, function, argument in (
                ('naive', naive, array),
                ('our', ours, features),
            ):
                time.sleep(SETTLE)
                found[f'{role} {name}'] = seconds_of(function, argument)
        for role in ('naive', 'our'):
            found[f'{role} sum'] = sum(found[f'{role} {name}'] for name in PEERS)
        if index:
            yield found


def measures_table(times: list[dict[str, float]], images: int) -> str:
    """Return milliseconds per image, minimum and median, and the ratio of the medians."""
    rows = []
    for name in (*PEERS, 'sum'):
        naive, ours = ([t[f'{role} {name}'] for t in times] for role in ('naive', 'our'))
        cells = [1e3 * f(x) / images for x in (naive, ours) for f in (min, median)]
        ratio = median(n / o for n, o in zip(naive, ours, strict=True))
        rows.append([name, *(f'{cell:.2f}' for cell in cells), f'{ratio:.1f} x'])
    header = ['measure', 'naive, min', 'median', 'ours, min', 'median', 'naive / ours']
    return markdown_table(header, rows)


def model_rounds(images: int, number: int, device: str) -> Iterator[dict[str, float]]:
    """Yield the seconds of CaiT-S24's forward pass, and of four measures of its last block."""
    model = timm.create_model('cait_s24_224').eval().to(device)
    batch = torch.randn(images, 3, 224, 224, device=device)
    kept: list[Tensor] = []
    model.blocks[-1].register_forward_hook(lambda *hooked: kept.append(hooked[2]))
    measures = (our_svd, our_pca, our_sep, our_entropy)
    with torch.no_grad():
        for index in range(number + 1):
            kept.clear()
            found = {'forward': seconds_of(model, batch)}
            found['measures'] = sum(seconds_of(measure, kept[0]) for measure in measures)
            if index:
                yield found


def model_table(times: list[dict[str, float]], images: int) -> str:
    """Return milliseconds per image, and what the measures add to the forward pass."""
    cells = [
        f'{1e3 * f([t[key] for t in times]) / images:.1f}'
        for key in ('forward', 'measures')
        for f in (min, median)
    ]
    ratio = median((t['forward'] + t['measures']) / t['forward'] for t in times)
    header = ['CaiT-S24', 'forward, min', 'median', 'measures, min', 'median', 'both / forward']
    return markdown_table(header, [['SVD, PCA, SEP, entropy', *cells, f'{ratio:.3f} x']])


def main() -> None:
    """Time, print, write."""
    args = parse_args()
    torch.manual_seed(0)
    shape = (args.images, args.tokens, args.embed_dims)
    features = torch.randn(shape, device=args.device)
    print(f'{args.images} images of {args.tokens} x {args.embed_dims}, {args.device},')
    print(f'{torch.get_num_threads()} threads, {args.rounds} rounds; milliseconds per image')
    times = list(rounds(features, args.rounds))
    print(measures_table(times, args.images), flush=True)
    model_times = []
    if not args.no_model:
        images = min(args.images, 8)
        model_times = list(model_rounds(images, max(args.rounds // 2, 1), args.device))
        print(model_table(model_times, images))
    if args.json is not None:
        write_run(args.json, args, seconds=times, model_seconds=model_times)


if __name__ == '__main__':
    main()
