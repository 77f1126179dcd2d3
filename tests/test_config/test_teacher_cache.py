"""The key ``teacher_cache`` of a config: what it sets, and each wrong value by its name."""

import mmvitkd  # noqa: F401
from mmvitkd.config.teacher_cache import apply_teacher_cache, merge_options

import pytest
from mmengine.config import Config


def config(**changes):
    model = dict(type='mmvitkd.FeatureDistill', teacher='timm:cait_s24_224')
    content = dict(
        teacher_cache='cache',
        model=model,
        train_cfg=dict(by_epoch=True, max_epochs=20),
        randomness=dict(seed=3),
    )
    return Config({**content, **changes})


def applied(**changes):
    cfg = config(**changes)
    apply_teacher_cache(cfg)
    return cfg


def refusal(**changes):
    with pytest.raises(ValueError) as found:
        applied(**changes)
    return str(found.value)


def test_a_folder_is_enough():
    cfg = applied()
    assert cfg.model.teacher_cache == dict(dir='cache')
    assert cfg.sample_views == 20


def test_options_go_to_the_model_and_views_to_the_samples():
    cfg = applied(teacher_cache=dict(dir='cache', views=5, features='fp16'))
    assert cfg.model.teacher_cache == dict(dir='cache', features='fp16')
    assert cfg.sample_views == 5


@pytest.mark.parametrize('kind', ['RepeatAugSampler', 'mmvitkd.RepeatAugSampler'])
def test_a_long_training_has_fifty_augmentations_of_an_image(kind):
    cfg = applied(train_cfg=dict(max_epochs=300))
    assert cfg.sample_views == 50
    loader = dict(sampler=dict(type=kind))  # which repeats an image three times
    assert applied(train_cfg=dict(max_epochs=300), train_dataloader=loader).sample_views == 16
    loader['sampler']['num_repeats'] = 100
    assert applied(train_cfg=dict(max_epochs=300), train_dataloader=loader).sample_views == 1


def test_sample_views_decides_where_it_is_set():
    assert applied(sample_views=7).sample_views == 7


def test_a_training_by_iterations_has_fifty_views():
    assert applied(train_cfg=dict(by_epoch=False, max_iters=10)).sample_views == 50


def test_applying_it_twice_changes_nothing():
    for given in ('cache', dict(dir='cache', views=4, top_k=7)):
        cfg = applied(teacher_cache=given)
        once = cfg.to_dict()
        apply_teacher_cache(cfg)
        assert cfg.to_dict() == once


def test_none_turns_it_off():
    cfg = config(teacher_cache=None)
    cfg.model.teacher_cache = dict(dir='of the file')
    apply_teacher_cache(cfg)
    assert 'teacher_cache' not in cfg.model
    assert 'sample_views' not in cfg


def test_a_config_without_the_key_does_not_change():
    cfg = config()
    cfg.pop('teacher_cache')
    before = cfg.to_dict()
    apply_teacher_cache(cfg)
    assert cfg.to_dict() == before


@pytest.mark.parametrize('value', ['', 3, True, [], dict(), dict(views=3), dict(dir='')])
def test_no_folder(value):
    assert f'teacher_cache={value!r}' in refusal(teacher_cache=value)


@pytest.mark.parametrize('views', [0, -1, True, 2.0, '3'])
def test_views_of_the_wrong_kind(views):
    message = refusal(teacher_cache=dict(dir='cache', views=views))
    assert f'teacher_cache.views={views!r}' in message


def test_more_views_than_epochs():
    message = refusal(teacher_cache=dict(dir='cache', views=21))
    assert 'teacher_cache.views=21' in message and '20 epochs' in message


def test_two_numbers_of_views():
    message = refusal(teacher_cache=dict(dir='cache', views=5), sample_views=6)
    assert 'teacher_cache.views=5' in message and 'sample_views=6' in message


@pytest.mark.parametrize(
    'model', [dict(type='mmpretrain.ImageClassifier'), dict(type='mmvitkd.FeatureDistill')]
)
def test_nothing_to_cache(model):
    assert "teacher_cache='cache'" in refusal(model=model)


def test_samples_without_seeds():
    assert 'sample_seeds=True' in refusal(sample_seeds=False)


def test_no_seed():
    assert 'randomness.seed' in refusal(randomness=dict(seed=None))
    assert applied(randomness=dict(), sample_seed=0).sample_views == 20


@pytest.mark.parametrize('key', ['steps.2.prob', 'steps.1.inner.1'])
def test_an_option_beyond_a_list_is_named(key):
    cfg = Config(dict(steps=[dict(prob=1), dict(inner=[1])]))
    with pytest.raises(ValueError, match=rf'^{key}: there is no item'):
        merge_options(cfg, {key: 0.5})
    merge_options(cfg, {'steps.1.prob': 0.5})
    assert cfg.steps[1].prob == 0.5
