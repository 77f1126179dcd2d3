"""mmcv's FFN can be compiled."""

from importlib import metadata

from mmvitkd.compat import mmcv_patches

import pytest
from mmcv.cnn.bricks.transformer import FFN
from mmengine.utils import deprecated_api_warning


@pytest.mark.parametrize(('version', 'needed'), [('2.6.0+cu124', True), ('2.11.0', False)])
def test_an_older_torch_compiles_the_ffn(monkeypatch, version, needed):
    def forward(self, x, identity=None):
        return x

    decorated = deprecated_api_warning({'residual': 'identity'}, 'FFN')(forward)
    monkeypatch.setattr(FFN, 'forward', decorated)
    monkeypatch.setattr(metadata, 'version', lambda name: version)
    assert mmcv_patches.patch_ffn() is needed
    assert FFN.forward is (forward if needed else decorated)
    assert not mmcv_patches.patch_ffn()
