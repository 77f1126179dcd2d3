"""Checkpoints from a URL: only with a SHA-256, which the file must have."""

import functools
import hashlib
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import mmvitkd  # noqa: F401
from mmvitkd.checkpoint.download import download

import pytest
import torch


class Quiet(SimpleHTTPRequestHandler):
    """Logs nothing."""

    def log_message(self, *args):
        pass


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A folder with a checkpoint, its URL, and the file's SHA-256."""
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'home'))
    folder = tmp_path / 'www'
    folder.mkdir()
    torch.save({'a': torch.ones(3)}, folder / 'a.pth')
    digest = hashlib.sha256((folder / 'a.pth').read_bytes()).hexdigest()
    (folder / 'a.pth').rename(folder / f'a-{digest[:8]}.pth')
    (folder / 'plain.pth').write_bytes((folder / f'a-{digest[:8]}.pth').read_bytes())
    handler = functools.partial(Quiet, directory=str(folder))
    with ThreadingHTTPServer(('127.0.0.1', 0), handler) as running:
        serve = functools.partial(running.serve_forever, poll_interval=0.01)
        threading.Thread(target=serve, daemon=True).start()
        yield f'http://127.0.0.1:{running.server_port}', digest
        running.shutdown()


def _assert_right(path):
    assert torch.equal(torch.load(path, weights_only=True)['a'], torch.ones(3))


def test_a_name_with_the_digits(server, tmp_path):
    url, digest = server
    path = download(f'{url}/a-{digest[:8]}.pth')
    assert path == str(tmp_path / 'home' / 'hub' / 'checkpoints' / f'a-{digest[:8]}.pth')
    _assert_right(path)


@pytest.mark.parametrize('digits', [8, 64])
def test_digits_after_the_url(server, digits):
    url, digest = server
    _assert_right(download(f'{url}/plain.pth#sha256={digest[:digits]}'))


@pytest.mark.parametrize('end', ['', '#sha256=', '#sha256=12', '?sha256=' + 64 * '0'])
def test_without_digits_nothing_is_downloaded(server, tmp_path, end):
    url, _ = server
    with pytest.raises(ValueError, match=r'plain\.pth.* names no SHA-256.*#sha256='):
        download(f'{url}/plain.pth{end}')
    assert not (tmp_path / 'home').exists()


def test_another_file_is_refused(server, tmp_path):
    url, _ = server
    with pytest.raises(RuntimeError, match='invalid hash value'):
        download(f'{url}/plain.pth#sha256={8 * "0"}')
    assert list((tmp_path / 'home' / 'hub' / 'checkpoints').iterdir()) == []


def test_a_file_that_is_there_is_used_if_it_is_right(server, tmp_path):
    url, digest = server
    url = f'{url}/plain.pth#sha256={digest}'
    path = download(url)
    (tmp_path / 'www' / 'plain.pth').rename(tmp_path / 'www' / 'away.pth')
    assert download(url) == path
    (tmp_path / 'www' / 'away.pth').rename(tmp_path / 'www' / 'plain.pth')
    with open(path, 'r+b') as file:
        file.write(b'damage')
    _assert_right(download(url))
