"""What is stored of a teacher's output: what the losses read, at the size they read it."""

import json

import mmvitkd  # noqa: F401
from mmvitkd.cache.codecs import Floats, Int8Tokens, LowRankTokens, TopKLogits
from mmvitkd.models.teachers.cache_options import CacheOptions
from mmvitkd.models.teachers.stored_tensor import StoredTensor, TeacherRead
from mmvitkd.models.utils.features import Features

import pytest
import torch
import torch.nn.functional as F

TOKENS = torch.arange(2 * 18 * 12.0).reshape(2, 18, 12).sin()  # 4 x 4 after 2 extra
READ = TeacherRead('blocks.3', is_tokens=True)
INT8, FP32 = CacheOptions(), CacheOptions(features='fp32', top_k='all')


def choose(read, output, options=FP32, num_classes=5):
    return StoredTensor.choose(read, output, options, num_classes)


def target(grid, width):
    return TeacherRead('blocks.3', is_tokens=True, target=(grid, width))


def test_patch_tokens_without_the_extra_ones():
    stored = choose(READ, TOKENS)
    assert (stored.codec, stored.grid) == (Floats((16, 12)), (4, 4))
    assert torch.equal(stored.reduce(READ, TOKENS), TOKENS[:, 2:])
    features = stored.restore(TOKENS[:, 2:])
    assert isinstance(features, Features) and features.grid == (4, 4)


@pytest.mark.parametrize('kind', ['channels first', 'channels last', 'with its grid'])
def test_maps(kind):
    tokens = TOKENS[:, 2:]
    first = tokens.transpose(1, 2).unflatten(2, (4, 4))
    given = {
        'channels first': first,
        'channels last': tokens.unflatten(1, (4, 4)),
        'with its grid': (tokens, (4, 4)),
    }[kind]
    stored = choose(READ, given)
    assert torch.equal(stored.reduce(READ, given), tokens)


def test_the_grid_and_the_width_of_the_student():
    """By hand: 2 x 2 cells, and the mean of neighbouring channels."""
    read = target((2, 2), 6)
    stored = choose(read, TOKENS)
    assert stored.codec.shape == (4, 6) and stored.whole == ((4, 4), 12)
    pooled = TOKENS[:, 2:].reshape(2, 16, 6, 2).mean(3)
    wanted = F.interpolate(
        pooled.transpose(1, 2).reshape(2, 6, 4, 4), (2, 2), mode='bilinear', antialias=True
    )
    found = stored.reduce(read, TOKENS)
    torch.testing.assert_close(found, wanted.flatten(2).transpose(1, 2))


def test_a_student_that_is_wider_reads_all_channels():
    assert choose(target((4, 4), 100), TOKENS).codec.shape == (16, 12)


def test_full_features_serve_any_student():
    options = CacheOptions(full_features=True)
    stored = choose(target((2, 2), 6), TOKENS, options)
    assert stored.codec == Int8Tokens((16, 12))
    for read in (READ, target((2, 2), 6), target((3, 3), 12)):
        assert stored.refusal_reason(read, options) == ''


def test_another_student_is_refused_with_both_shapes():
    stored = choose(target((2, 2), 6), TOKENS)
    assert stored.refusal_reason(target((2, 2), 6), FP32) == ''
    reason = stored.refusal_reason(target((4, 4), 8), FP32)
    assert '2 x 2 x 6' in reason and '4 x 4 x 8' in reason and 'full_features' in reason
    reason = stored.refusal_reason(READ, FP32)
    assert '2 x 2 x 6' in reason and '4 x 4 x 12' in reason


def test_another_module_grid_or_part_is_refused():
    stored = choose(READ, TOKENS)
    other = TeacherRead('blocks.2', is_tokens=True)
    assert "'blocks.3'" in stored.refusal_reason(other, FP32)
    other = TeacherRead('blocks.3', is_tokens=True, grid=(2, 8))
    assert '(4, 4)' in stored.refusal_reason(other, FP32)
    assert 'patch tokens' in stored.refusal_reason(TeacherRead('blocks.3'), FP32)


@pytest.mark.parametrize(
    ('options', 'codec'),
    [
        (CacheOptions(), Int8Tokens((16, 12))),
        (CacheOptions(features='fp16'), Floats((16, 12), 'float16')),
        (CacheOptions(features='fp32'), Floats((16, 12), 'float32')),
        (CacheOptions(rank=3), LowRankTokens((16, 12), 3)),
    ],
)
def test_numbers_of_features(options, codec):
    assert choose(READ, TOKENS, options).codec == codec


@pytest.mark.parametrize(
    ('top_k', 'classes', 'codec'),
    [
        (None, 5, Floats((5,))),
        (None, 20, Floats((20,))),
        (None, 21, TopKLogits(21, 20)),
        (3, 5, TopKLogits(5, 3)),
        (5, 5, Floats((5,))),
        ('all', 1000, Floats((1000,))),
    ],
)
def test_logits(top_k, classes, codec):
    options = CacheOptions(top_k=top_k)
    stored = choose(TeacherRead(''), torch.zeros(2, classes), options, classes)
    assert stored.codec == codec and stored.is_logits


def test_more_logits_than_classes():
    with pytest.raises(ValueError, match=r'teacher_cache.top_k=6: .* 5 classes'):
        choose(TeacherRead(''), torch.zeros(2, 5), CacheOptions(top_k=6))


def test_a_rank_that_is_too_large():
    with pytest.raises(ValueError, match=r'teacher_cache.rank=13: .* 12'):
        choose(READ, TOKENS, CacheOptions(rank=13))


def test_other_options_than_it_was_stored_with():
    stored = choose(READ, TOKENS, CacheOptions(rank=3))
    assert stored.refusal_reason(READ, CacheOptions(rank=3)) == ''
    reason = stored.refusal_reason(READ, INT8)
    assert '{teacher_cache.rank}=3' in reason and "{teacher_cache.features}='int8'" in reason
    logits = choose(TeacherRead(''), torch.zeros(2, 5), CacheOptions(top_k=3))
    reason = logits.refusal_reason(TeacherRead(''), FP32)
    assert '{teacher_cache.top_k}=3' in reason and "{teacher_cache.top_k}='all'" in reason


def test_the_whole_output_of_a_loss_of_ones_own():
    read = TeacherRead('blocks.3')
    stored = choose(read, TOKENS)
    assert stored.codec == Floats((18, 12)) and stored.grid is None
    assert torch.equal(stored.reduce(read, TOKENS), TOKENS)
    assert torch.equal(stored.restore(TOKENS), TOKENS)
    maps = torch.zeros(2, 3, 4, 4)
    assert choose(read, maps, INT8).codec == Floats((3, 4, 4), 'float16')
    assert choose(read, maps).codec == Floats((3, 4, 4), 'float32')


def test_half_precision_is_read_as_float32():
    assert (
        choose(READ, TOKENS.bfloat16()).reduce(READ, TOKENS.bfloat16()).dtype == torch.float32
    )


def test_what_is_no_tensor():
    with pytest.raises(ValueError, match='a tuple cannot be stored'):
        choose(TeacherRead('blocks.3'), (TOKENS, TOKENS))


@pytest.mark.parametrize('read', [READ, target((2, 2), 6), TeacherRead('blocks.3')])
def test_it_is_written_as_json(read):
    stored = choose(read, TOKENS, INT8)
    assert StoredTensor.from_dict(json.loads(json.dumps(stored.to_dict()))) == stored
