"""The newest checkpoint that is whole is found, whatever last_checkpoint says."""

import os

import mmvitkd  # noqa: F401
from mmvitkd.checkpoint.find import last_checkpoint, newest_checkpoint
from mmvitkd.checkpoint.integrity import seal

import pytest
import torch
from logged import logged


def save(path, epoch, iteration, **parts):
    """A sealed training checkpoint."""
    path.parent.mkdir(exist_ok=True)
    meta = dict(epoch=epoch, iter=iteration)
    content = dict(meta=meta, message_hub={}, optimizer={}, state_dict=dict(a=torch.ones(50)))
    torch.save({**content, **parts}, path)
    seal(path)
    return path


def flip(path, at=0.5):
    content = bytearray(path.read_bytes())
    content[int(at * len(content))] ^= 1
    path.write_bytes(content)


@pytest.fixture
def three(tmp_path):
    """Checkpoints of which the last in the alphabet is the oldest."""
    return [save(tmp_path / f'epoch_{n}.pth', n, 4 * n) for n in (9, 10, 11)]


def test_the_latest_epoch_and_iteration(three, tmp_path):
    assert newest_checkpoint(tmp_path) == three[2]
    middle = save(tmp_path / 'iter_46.pth', 11, 46)
    assert newest_checkpoint(tmp_path) == middle


def test_an_epoch_that_is_done_comes_after_its_last_iteration(tmp_path):
    save(tmp_path / 'iter_8.pth', 1, 8)
    done = save(tmp_path / 'epoch_2.pth', 2, 8)
    assert newest_checkpoint(tmp_path) == done


def test_a_folder_without_any(tmp_path):
    assert newest_checkpoint(tmp_path) is None
    assert newest_checkpoint(tmp_path / 'none') is None


@pytest.mark.parametrize('content', [None, '', 'epoch_8.pth', '/elsewhere/epoch_3.pth', '\0'])
def test_last_checkpoint_may_be_lost_or_wrong(three, tmp_path, content):
    if content is not None:
        (tmp_path / 'last_checkpoint').write_text(content)
    assert newest_checkpoint(tmp_path) == three[2]


def test_a_run_that_started_over_continues_its_own(three, tmp_path):
    """The files of the run before it have later epochs."""
    (tmp_path / 'last_checkpoint').write_text('epoch_9.pth')
    assert newest_checkpoint(tmp_path) == three[0]


def test_flipped_bits_in_it_are_harmless(three, tmp_path):
    """One names an older file, from which a run ends with the same result."""
    content = b'epoch_11.pth'
    for bit in range(8 * len(content)):  # 96
        changed = bytearray(content)
        changed[bit // 8] ^= 1 << bit % 8
        (tmp_path / 'last_checkpoint').write_bytes(changed)
        named = tmp_path / changed.decode(errors='replace')
        assert newest_checkpoint(tmp_path) == (named if named in three else three[2])


def test_it_may_name_a_file_in_another_folder(tmp_path):
    far = save(tmp_path / 'out' / 'epoch_1.pth', 1, 4)
    work_dir = tmp_path / 'work'
    work_dir.mkdir()
    (work_dir / 'last_checkpoint').write_text('../out/epoch_1.pth')
    assert os.path.samefile(newest_checkpoint(work_dir), far)


@pytest.mark.parametrize('damage', [flip, lambda path: os.truncate(path, 900)])
def test_damaged_ones_are_left_out_and_named(three, tmp_path, damage):
    damage(three[2])
    with logged() as said:
        assert newest_checkpoint(tmp_path) == three[1]
    assert 'epoch_11.pth is left out: it is damaged' in '\n'.join(said)


def test_only_damaged_ones_are_an_error(three, tmp_path):
    for path in three:
        flip(path)
    with pytest.raises(ValueError, match=r'--resume: .*epoch_10.pth, epoch_11.pth'):
        newest_checkpoint(tmp_path)


def test_weights_alone_are_no_checkpoint(three, tmp_path):
    torch.save(dict(state_dict={}, meta=dict(epoch=99, iter=999)), tmp_path / 'best.pth')
    torch.save(torch.ones(3), tmp_path / 'tensor.pth')
    assert newest_checkpoint(tmp_path) == three[2]


def test_a_lost_file_is_no_reason_to_start_over(tmp_path):
    (tmp_path / 'last_checkpoint').write_text('epoch_3.pth')
    with pytest.raises(ValueError, match=r'--resume: .*epoch_3\.pth'):
        newest_checkpoint(tmp_path)


def test_checkpoints_without_an_optimizer_are_refused(tmp_path):
    save(tmp_path / 'epoch_3.pth', 3, 12)
    content = torch.load(tmp_path / 'epoch_3.pth')
    del content['optimizer']
    torch.save(content, tmp_path / 'epoch_3.pth')
    (tmp_path / 'last_checkpoint').write_text('epoch_3.pth')
    with pytest.raises(ValueError, match=r'epoch_3\.pth.*save_optimizer'):
        newest_checkpoint(tmp_path)


def test_other_folders_are_searched(tmp_path):
    far = save(tmp_path / 'out' / 'epoch_1.pth', 1, 4)
    assert newest_checkpoint(tmp_path / 'work', tmp_path / 'out') == far


def test_files_of_other_kinds_do_not_matter(tmp_path):
    torch.save({'a': torch.ones(2)}, tmp_path / 'old.pth', _use_new_zipfile_serialization=False)
    (tmp_path / 'page.pth').write_text('<html>')
    assert newest_checkpoint(tmp_path) is None


def test_an_empty_file_is_damaged(three, tmp_path):
    three[2].write_bytes(b'')
    with logged() as said:
        assert newest_checkpoint(tmp_path) == three[1]
    assert 'epoch_11.pth is left out' in '\n'.join(said)


def test_pickled_objects_are_refused_and_said(tmp_path):
    save(tmp_path / 'epoch_1.pth', 1, 4, own=torch.nn.Linear(1, 1))
    with pytest.raises(ValueError, match='pickled objects'):
        newest_checkpoint(tmp_path)


def test_the_last_one_by_name(tmp_path):
    assert last_checkpoint(tmp_path) is None
    (tmp_path / 'last_checkpoint').write_text('epoch_2.pth\n')
    assert last_checkpoint(tmp_path) == tmp_path / 'epoch_2.pth'
