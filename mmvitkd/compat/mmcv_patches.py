"""Patch mmcv: let torch compile its FFN."""

from importlib import metadata

from packaging.specifiers import SpecifierSet


def patch_ffn() -> bool:
    """Let torch compile mmcv's FFN, whose decorator calls ``inspect.getfullargspec``.

    For mmcv < 2.4 on torch < 2.11: 2.6 cannot trace that call, and each block breaks the graph.
    No upstream issue is known to us. The decorator only renames an argument of before mmcv 1.4.
    """
    from mmcv.cnn.bricks.transformer import FFN

    needed = SpecifierSet('<2.11').contains(metadata.version('torch'), prereleases=True)
    if not needed or not hasattr(FFN.forward, '__wrapped__'):
        return False
    FFN.forward = FFN.forward.__wrapped__
    return True
