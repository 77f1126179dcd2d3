"""Loading an exported student."""

import mmvitkd  # noqa: F401
from mmvitkd.apis import load_student
from mmvitkd.checkpoint.checksums import write_checksums
from mmvitkd.models.students import ImageEncoder

import pytest
import torch
from logged import logged
from toy_students import NAMES


@pytest.mark.parametrize('kind', ['ours', 'lift', 'widelast'])
def test_a_folder_or_its_config_gives_the_trained_model(export, kind):
    folder, wanted = export(kind)
    images = torch.randn(2, 3, 32, 32)
    for path in (folder, str(folder / 'student.py')):
        model = load_student(path)
        assert torch.equal(model(images), wanted(images))
        assert not any(module.training for module in model.modules())
        assert model._dataset_meta['classes'] == NAMES


@pytest.mark.parametrize('kind', ['ours', 'lift', 'widelast', 'swin'])
def test_without_a_head_it_is_an_image_encoder(export, kind):
    folder, wanted = export(kind, labels=False)
    images = torch.randn(2, 3, 32, 32)
    model = load_student(folder)
    assert type(model) is ImageEncoder
    for found, output in zip(model(images), wanted(images), strict=True):
        assert torch.equal(found, output)


def test_a_renamed_pair_is_loaded_too(export, tmp_path):
    folder, _ = export('ours')
    for suffix in ('.py', '.pth'):
        (folder / f'student{suffix}').rename(tmp_path / f'small{suffix}')
    assert load_student(tmp_path / 'small.py')._dataset_meta['classes'] == NAMES


@pytest.mark.parametrize('what', ['gone', 'another folder', 'no checkpoint', 'a file'])
def test_a_folder_without_an_export_is_named(export, tmp_path, what):
    folder, _ = export('ours')
    path = folder
    if what == 'gone':
        path = tmp_path / 'gone'
    elif what == 'another folder':
        path = tmp_path
    elif what == 'a file':
        path = folder / 'student.pth'
    else:
        (folder / 'student.pth').unlink()
    message = rf"'{path}' is not an exported student: there is no '.*student\.p.*export_student"
    with pytest.raises(FileNotFoundError, match=message):
        load_student(path)


def test_a_checkpoint_of_another_model_is_refused(export):
    folder, _ = export('ours')
    torch.save(dict(state_dict=dict(x=torch.ones(1))), folder / 'student.pth')
    with pytest.raises(ValueError, match=r'(?s)student\.pth.*does not fit the model'):
        load_student(folder)


def test_a_truncated_checkpoint_is_refused(export):
    folder, _ = export('ours')
    whole = (folder / 'student.pth').read_bytes()
    (folder / 'student.pth').write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r'student\.pth.*truncated'):
        load_student(folder)


def test_a_bit_that_flipped_is_found(export):
    folder, _ = export('ours')
    content = bytearray((folder / 'student.pth').read_bytes())
    content[len(content) // 2] ^= 1
    (folder / 'student.pth').write_bytes(content)
    with pytest.raises(ValueError, match=r'student\.pth.*damaged'):
        load_student(folder)


def test_an_edited_config_is_loaded_and_told(export):
    folder, _ = export('ours')
    write_checksums(folder)
    with open(folder / 'student.py', 'a') as file:
        file.write('# edited\n')
    with logged() as lines:
        load_student(folder)
    assert any(line.startswith('WARNING') and 'student.py' in line for line in lines)
