"""The image is built by the README's commands, from what git tracks."""

from fnmatch import fnmatch

from wheels import ROOT

DOCKERFILE = (ROOT / 'Dockerfile').read_text()


def lines_of(name):
    lines = (ROOT / name).read_text().splitlines()
    return [line.strip('/') for line in lines if line and line[0] != '#']


def test_it_installs_as_the_readme_does():
    (command,) = [line for line in lines_of('README.md') if 'pinned.txt' in line]
    run = [line[4:] for line in DOCKERFILE.splitlines() if line.startswith('RUN pip')]
    assert [line.replace(' --no-cache-dir', '') for line in run] == command.strip().split(
        ' && '
    )


def test_what_git_ignores_is_left_out():
    left_out = [pattern.removeprefix('**/') for pattern in lines_of('.dockerignore')]
    for name in lines_of('.gitignore'):
        assert any(fnmatch(name, pattern) for pattern in left_out), name
