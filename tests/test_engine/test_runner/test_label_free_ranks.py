"""A step without labels on two processes is the step of one on both their images."""

import mmvitkd  # noqa: F401

import pytest
import torch
from mmengine.model import MMDistributedDataParallel
from mmengine.optim import OptimWrapper
from mmpretrain.registry import MODELS
from test_models.test_algorithms.test_label_free import images, label_free


def trained(teacher, first, last, rank=None):
    """The weights after a step of SGD on some images; with a rank, in DDP."""
    torch.manual_seed(0)
    model = MODELS.build(label_free(teacher))
    ranks = model if rank is None else MMDistributedDataParallel(model, device_ids=None)
    data = {key: values[first:last] for key, values in images(4).items()}
    ranks.train_step(data, OptimWrapper(torch.optim.SGD(model.parameters(), 0.1)))
    return dict(model.named_parameters())


@pytest.mark.parametrize('teacher', ['DINOv2 with registers', 'CLIP', 'MMPretrain'])
def test_a_step_of_any_teacher(run_twice, tmp_path, teacher):
    def on_rank(rank):
        found = trained(teacher, 2 * rank, 2 * rank + 2, rank)
        torch.save(found, tmp_path / f'{rank}.pth')

    assert run_twice(on_rank) == [0, 0]
    wanted = trained(teacher, 0, 4)
    torch.manual_seed(0)
    start = dict(MODELS.build(label_free(teacher)).named_parameters())
    for rank in range(2):
        found = torch.load(tmp_path / f'{rank}.pth')
        assert found.keys() == wanted.keys()
        for name, value in wanted.items():
            torch.testing.assert_close(found[name], value, msg=name)
            assert not torch.equal(value, start[name]), name
