"""Measure the mean and std of a folder's training images, and print them for a config."""

import argparse
import os.path as osp


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or '').splitlines()[0])
    parser.add_argument('data_root', help='folder of images, as for mmvitkd.ImageFolder')
    parser.add_argument(
        *('--val-ratio', '--val-share'),  # the second is the old name
        dest='val_ratio',
        type=float,
        default=0.1,
        help="ImageFolder's (default: 0.1)",
    )
    parser.add_argument('--split-seed', type=int, default=0, help="ImageFolder's (default: 0)")
    parser.add_argument(
        '--num-images', type=int, default=2000, help='images to sample (default: 2000)'
    )
    parser.add_argument('--seed', type=int, default=0, help='seed of the sample (default: 0)')
    parser.add_argument(
        '--max-pixels', type=int, help='skip images with more pixels (default: 64000000)'
    )
    parser.add_argument(
        '--no-labels',
        action='store_true',
        help='DATA_ROOT has no class folders, or is a list of paths, as with_label=False',
    )
    return parser.parse_args()


def main() -> None:
    """Measure and print."""
    args = parse_args()

    from mmvitkd.datasets.folder_layout import find_files
    from mmvitkd.datasets.mean_std import describe, measure_mean_std
    from mmvitkd.datasets.transforms.load_image import MAX_PIXELS, check_max_pixels
    from mmvitkd.datasets.unlabelled_files import find_unlabelled_files
    from mmvitkd.utils.cli import exit_on_error

    max_pixels = MAX_PIXELS if args.max_pixels is None else args.max_pixels
    with exit_on_error('mean_std', {'max_pixels': '--max-pixels'}):
        check_max_pixels(max_pixels)
        which = args.data_root, 'train', args.val_ratio, args.split_seed
        if args.no_labels:
            folder, names, *_ = find_unlabelled_files(*which)
        else:
            folder, files, *_ = find_files(*which)
            names = [path for part in files.values() for path in part]
        paths = [osp.join(folder, path) for path in names]
        print(describe(measure_mean_std(paths, args.num_images, args.seed, max_pixels)))


if __name__ == '__main__':
    main()
