"""The hub is asked once; without it, files come from its cache at once."""

import mmvitkd  # noqa: F401
from mmvitkd.checkpoint import hub_access

import pytest
from huggingface_hub import constants, hf_hub_download


class Client:
    """Stands for the hub's HTTP client."""

    def __init__(self, error=None):
        self.error, self.asked = error, []

    def head(self, url, timeout):
        self.asked.append(url)
        if self.error:
            raise self.error


def test_a_hub_that_answers_is_used(monkeypatch):
    client = Client()
    monkeypatch.setattr(hub_access, 'get_session', lambda: client)
    with hub_access.hub_access() as reason:
        assert reason is None and not constants.HF_HUB_OFFLINE
    assert client.asked == [constants.ENDPOINT]


def test_without_a_connection_no_file_is_tried(monkeypatch, tmp_path):
    error = ConnectionError('no route\nto the host')
    monkeypatch.setattr(hub_access, 'get_session', lambda: Client(error))
    monkeypatch.setattr('time.sleep', lambda seconds: pytest.fail('it waits to try again'))
    with hub_access.hub_access() as reason:
        assert reason == f'{constants.ENDPOINT} cannot be reached: no route'
        with pytest.raises(Exception, match='cache'):
            hf_hub_download('timm/none', 'model.safetensors', cache_dir=tmp_path)
    assert not constants.HF_HUB_OFFLINE
