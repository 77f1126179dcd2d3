"""A folder for the hub is read back before it counts as written."""

import mmvitkd  # noqa: F401
from mmvitkd.export import hub_folder
from mmvitkd.export.hub_folder import write_hub
from mmvitkd.export.student import FormatUnavailableError, read_student

import pytest
from toy_students import save_training, training


@pytest.mark.parametrize('kind', ['ours', 'lift'])
def test_what_its_own_loader_refuses_is_not_written(tmp_path, kind):
    cfg = training(kind)
    cfg.test_dataloader.dataset.pipeline[0].backend_args = dict(backend='local')
    save_training(cfg, tmp_path / 'training.pth')
    student = read_student(cfg, str(tmp_path / 'training.pth'))
    with pytest.raises(FormatUnavailableError, match=r'pipeline\.0\.backend_args'):
        write_hub(student, tmp_path / 'hub')
    assert not (tmp_path / 'hub').exists()


@pytest.mark.parametrize('labels', [True, False])
def test_other_outputs_are_not_written(tmp_path, read, monkeypatch, labels):
    monkeypatch.setattr(hub_folder, 'load_hub_weights', lambda model, folder: None)
    with pytest.raises(FormatUnavailableError, match='differ by up to'):
        write_hub(read('lift', labels=labels), tmp_path / 'hub')
    assert not (tmp_path / 'hub').exists()
