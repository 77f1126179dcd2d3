"""Write a student as a plain MMPretrain config and checkpoint."""

from functools import partial
from pathlib import Path

import torch
from mmengine.config import Config

from ..checkpoint.integrity import seal
from ..datasets.dataset_names import innermost
from ..datasets.transforms.load_image import LoadImage
from ..models.students.image_encoder import encode
from ..version import __version__
from .parity import check_outputs
from .plain_config import config_text
from .student import Student, build_plain

CONFIG, CHECKPOINT = 'student.py', 'student.pth'
HEADER = '# A student, exported by mmvitkd: the model and how to test it.\n'
ROOT = (
    '# To test it, set data_root to the folder of your images, here or on the command line:\n'
    '# python tools/test.py student.py student.pth --cfg-options data_root=DIR\n'
)
ROOTS = '# To test it, set the data_root of each data set to its folder.\n'
ENCODER_HEADER = (
    '# A student without a head, exported by mmvitkd: the model, and how images are read\n'
    '# for it. README.md says how to get its embedding and features.\n'
)
OPENCV = (
    '# OpenCV reads the images as mmvitkd.LoadImage does, but for GIF and TIFF\n'
    '# with transparency and turned AVIF.{unreadable}\n'
)
UNREADABLE = ' An image that cannot be read stops the test.'
SEEDED_SPLIT = (
    "# The test images are a seeded part of the training folder, which mmvitkd's ImageFolder\n"
    '# picks: testing needs mmvitkd.\n'
)


def write_mmpretrain(student: Student, folder: Path) -> None:
    """Write ``student.py`` and ``student.pth``, read them back and compare the outputs.

    The checkpoint holds the weights and, for MMPretrain's inferencers, the class names; it
    loads with ``torch.load(file, weights_only=True)``.

    Raises:
        ValueError: If the model that is read back does not give equal outputs.
    """
    text = f'{_header(student)}{config_text(student.config)}'
    (folder / CONFIG).write_text(text, encoding='utf-8')
    names = {'classes': student.classes} if student.classes is not None else {}
    meta = {'dataset_meta': names, 'mmvitkd_version': __version__}
    weights = {k: v.detach().clone() for k, v in student.model.state_dict().items()}
    torch.save({'meta': meta, 'state_dict': weights}, folder / CHECKPOINT)
    seal(folder / CHECKPOINT)
    model = build_plain(Config.fromfile(folder / CONFIG))
    content = torch.load(folder / CHECKPOINT, weights_only=True)
    model.load_state_dict(content['state_dict'], strict=True)
    run = model if student.num_classes else partial(encode, model)
    check_outputs(student, run, 0, f'mmpretrain: the model of {CONFIG}')


def _header(student: Student) -> str:
    """Return what to know before using the config, as comments."""
    config, is_tested = student.config, student.num_classes
    replaces_ours = (
        LoadImage.mmpretrain_equivalent.items() <= config['test_pipeline'][0].items()
    )
    datasets = innermost(config['test_dataloader']['dataset'], '')
    is_ours = any(dataset['type'] == 'mmvitkd.ImageFolder' for dataset, _ in datasets)
    opencv = OPENCV.format(unreadable=UNREADABLE if is_tested else '')
    roots = ROOT if 'data_root' in config else ROOTS
    header = HEADER + roots if is_tested else ENCODER_HEADER
    return header + (opencv if replaces_ours else '') + (SEEDED_SPLIT if is_ours else '')
