"""Nearest neighbours by cosine, against numpy."""

import mmvitkd  # noqa: F401
from mmvitkd.apis import embed, nearest_neighbours

import numpy as np
import pytest
from folders import touch, write_noise


@pytest.fixture
def student(export):
    return export('ours', labels=False)[0]


@pytest.fixture
def photos(tmp_path):
    names = [f'{i}.png' for i in range(6)] + ['below/6.png']
    return write_noise(tmp_path / 'photos', *names, size=(40, 40, 3))


def test_they_have_the_largest_cosines(student, photos, tmp_path):
    touch(photos, 'broken.png')
    query = write_noise(tmp_path, 'x.png', 'y.png', size=(44, 40, 3)) / 'y.png'
    found = nearest_neighbours(student, query, photos, k=3)
    bank = embed(student, photos)
    directions = bank.embeddings / np.linalg.norm(bank.embeddings, axis=1, keepdims=True)
    (own,) = embed(student, query).embeddings
    cosines = directions @ own / np.linalg.norm(own)
    order = np.argsort(-cosines)[:3]
    ((name, paths, values),) = found.neighbours
    assert name == str(query) and paths == [bank.paths[i] for i in order]
    np.testing.assert_allclose(values, cosines[order], atol=1e-6)
    assert found.num_images == 7
    assert found.unreadable == {str(photos / 'broken.png'): 'the file is empty'}


def test_a_query_in_the_folder_is_not_its_own_neighbour(student, photos, monkeypatch):
    monkeypatch.chdir(photos)
    found = nearest_neighbours(student, ['2.png', photos / 'below/../3.png'], photos, k=20)
    for (_, paths, cosines), own in zip(found.neighbours, ('2.png', '3.png'), strict=True):
        assert len(paths) == 6 and str(photos / own) not in paths
        assert cosines == sorted(cosines, reverse=True) and cosines[0] < 0.99999


@pytest.mark.parametrize(
    ('queries', 'folder', 'k', 'error', 'message'),
    [
        ('photos/0.png', 'gone', 3, FileNotFoundError, r"'gone': there is no such folder"),
        ('photos/0.png', 'photos', 0, ValueError, r'k=0: wanted 1'),
        ('photos/0.png', 'empty', 3, ValueError, r"'empty': there is no image"),
        ('single/0.png', 'single', 3, ValueError, r"no other image than the query 'single/0"),
        (
            ['photos/0.png', 'empty/no.png.txt'],
            'photos',
            3,
            ValueError,
            r"query 'empty/no\.png\.txt' cannot be read: the file is empty",
        ),
    ],
)
def test_what_cannot_be_searched_is_named(
    student, photos, monkeypatch, queries, folder, k, error, message
):
    root = photos.parent
    touch(root, 'empty/no.png.txt')
    write_noise(root / 'single', '0.png', size=(40, 40, 3))
    monkeypatch.chdir(root)
    with pytest.raises(error, match=message):
        nearest_neighbours(student, queries, folder, k)
