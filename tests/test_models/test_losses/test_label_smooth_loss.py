"""Label smoothing is MMPretrain's to the bit, without reading the labels."""

import mmvitkd  # noqa: F401
from mmvitkd.models import LabelSmoothLoss

import pytest
import torch
from mmpretrain.models import LabelSmoothLoss as MMPretrains

LABELS = {
    'indices': torch.tensor([0, 4, 2]),
    'a column': torch.tensor([[1], [0], [3]]),
    'one-hot': torch.eye(5)[:3].long(),
    'soft': torch.full((3, 5), 0.2),
}


@pytest.mark.parametrize('mode', ['original', 'classy_vision', 'multi_label'])
@pytest.mark.parametrize('label', LABELS.values(), ids=LABELS)
def test_it_is_mmpretrains_to_the_bit(mode, label):
    found = []
    for kind in (LabelSmoothLoss, MMPretrains):
        scores = torch.arange(15.0).sin().view(3, 5).requires_grad_()
        loss = kind(0.1, mode=mode, loss_weight=0.3)(scores, label.clone())
        loss.backward()
        found.append((loss.item(), scores.grad))
    assert found[0][0] == found[1][0]
    assert torch.equal(found[0][1], found[1][1])


def test_no_label_is_read():
    """Meta tensors have no values; on a GPU, reading one would wait for it."""
    scores, label = torch.ones(3, 5, device='meta'), torch.ones(3, dtype=int, device='meta')
    assert LabelSmoothLoss(0.1)(scores, label).shape == ()
    with pytest.raises((RuntimeError, NotImplementedError), match='meta'):
        MMPretrains(0.1)(scores, label)


@pytest.mark.parametrize('label', [5, -1])
def test_a_label_that_is_none_of_the_classes_is_an_error(label):
    with pytest.raises(RuntimeError, match=f'index {label} is out of bounds'):
        LabelSmoothLoss(0.1)(torch.ones(3, 5), torch.tensor([0, label, 1]))
