"""The model card of an exported student."""

import mmvitkd  # noqa: F401
from mmvitkd.analysis import Cost
from mmvitkd.config.provenance import Provenance
from mmvitkd.export.export_dir import MARK
from mmvitkd.export.model_card import Facts, model_card
from mmvitkd.export.score import Score

import pytest
from toy import MEAN, STD


@pytest.fixture
def card(read, tmp_path):
    """The card of a student; keywords change what it says."""

    def make(kind='lift', changes=None, labels=True, **facts):
        defaults = dict(
            name='tiny',
            config='tiny_from_vit.py',
            differs=False,
            ema=False,
            cost=Cost(7_313_896, 1_544_700_000),
            provenance=Provenance('cait_s24_224 (timm)', 'cait.pth', ['labels: CE', 'KD']),
            score=Score({'accuracy/top1': 78.234}, 'the validation of epoch 300'),
            formats=['mmpretrain'],
        )
        student = read(kind, labels=labels)._replace(**(changes or {}))
        return model_card(student, Facts(**{**defaults, **facts}), tmp_path)

    return make


def test_properties_cost_and_score(card):
    text = card()
    assert text.startswith(f'{MARK}\n\n# tiny\n')
    for line in (
        'An image classifier (VisionTransformer and LiftProjector) of 5 classes, distilled '
        'from cait_s24_224 (timm).',
        '| parameters | 7,313,896 |',
        '| MACs | 1.545 G |',
        '| GFLOPs (2 x MACs) | 3.089 |',
        '| score | top-1 78.23 % (the validation of epoch 300) |',
        '| weights | as trained, not averaged |',
        '| input | 32 x 32 (H x W), RGB |',
        f'| mean, std of pixels in [0, 255] | {MEAN}, {STD} |',
        '| resizing | short edge to 40 (bicubic), centre crop 32 x 32 |',
        '| classes | 5: ant; bee; cat; dog; elk |',
        'Config: `tiny_from_vit.py`. Teacher: cait_s24_224 (timm), weights from cait.pth. '
        'Losses:',
        '- labels: CE',
        '- KD',
    ):
        assert line in text.splitlines()
    assert 'inherit the terms' in text and 'torch ' in text.splitlines()[-1]


def test_an_encoder(card):
    pairs = ('student block 2 and teacher block 3',)
    errors = dict(rel_error=0.2, mean_token=0.9, r2=0.77777)
    score = {f'feature/pair_0/val_{name}': value for name, value in errors.items()}
    text = card(
        labels=False,
        provenance=Provenance('dinov2', None, ['KD'], pairs=pairs),
        score=Score(score, 'the validation of epoch 3'),
        formats=['mmpretrain', 'onnx'],
    )
    for line in (
        'An image encoder (VisionTransformer and LiftProjector) without a head, distilled '
        'from dinov2.',
        '| `embedding` | 32 numbers: the mean of the features |',
        f'| {pairs[0]} | 0.2000 | 0.9000 | 0.7778 |',
    ):
        assert line in text.splitlines()
    for word in ('classes', 'labels', 'logits', 'predict('):
        assert word not in text
    for call in ('embed(', 'FeatureExtractor(', "run(['embedding', 'features']"):
        assert call in text


def test_unknown_facts(card):
    text = card(
        changes=dict(classes=None), score=None, provenance=Provenance(None, None, ['labels'])
    )
    assert '| score | not measured |' in text
    assert '| classes | 5, names not known |' in text
    assert 'trained without a teacher' in text and 'Teacher: none.' in text


def test_the_start_is_named(card):
    provenance = Provenance('cait', None, ['labels'], 'deit_tiny.pth')
    assert 'Teacher: cait. The student started from deit_tiny.pth.' in card(
        provenance=provenance
    )


def test_only_a_few_of_many_classes_are_named(card):
    text = card(changes=dict(classes=tuple(f'c{i}' for i in range(37)), num_classes=37))
    assert '| classes | 37: c0; c1; c2; c3; c4; ... |' in text


@pytest.mark.parametrize('formats', [['mmpretrain'], ['timm'], ['onnx'], ['timm', 'onnx']])
def test_usage_of_the_written_formats(card, formats):
    text = card(formats=formats)
    calls = dict(
        mmpretrain='load_student(', timm='timm.create_model(', onnx='InferenceSession('
    )
    for name, call in calls.items():
        assert (call in text) == (name in formats)


def test_only_accuracies_are_percentages(card):
    metrics = {'accuracy/top5': 93, 'single-label/precision': 0.5, 'accuracy/top1_thr-0.50': 7}
    assert (
        '| score | top-5 93.00 %, single-label/precision 0.50, accuracy/top1_thr-0.50 7.00 (a'
    ) in card(score=Score(metrics, 'a separate test'))


def test_a_config_of_another_run_is_noted(card):
    line = "The run's model config differs from `tiny_from_vit.py`: the teacher and losses"
    assert line in card(differs=True) and line not in card()


@pytest.mark.parametrize(
    ('kind', 'imports', 'heading'),
    [
        ('ours', [], 'With MMPretrain alone:'),
        ('lift', [], 'With MMPretrain (mmvitkd must be installed):'),
        ('lift', ['my_blocks'], 'With MMPretrain (mmvitkd and my_blocks must be installed):'),
    ],
)
def test_required_packages_are_named(card, read, kind, imports, heading):
    config = read(kind).config
    if imports:
        config = {**config, 'custom_imports': dict(imports=['mmvitkd', *imports])}
    assert heading in card(kind, changes=dict(config=config)).splitlines()


def test_the_onnx_snippet_uses_the_channel_order(card, read):
    reversed_input = read('lift').image_input._replace(channel_order='BGR')
    text = card(changes=dict(image_input=reversed_input), formats=['onnx'])
    assert 'numpy.float32(image)[..., ::-1]' in text
    assert '[..., ::-1]' not in card(formats=['onnx'])


def test_files_are_listed_with_their_sizes(card, tmp_path):
    (tmp_path / 'student.onnx').write_bytes(bytes(2_500_000))
    (tmp_path / 'timm').mkdir()
    (tmp_path / 'timm' / 'config.json').write_bytes(bytes(1200))
    text = card()
    assert "| `timm/` | timm's `local-dir` layout | 1.2 kB |" in text
    assert '| 2.5 MB |' in text and '`student.py`' not in text
