"""Run a tool without a clone: ``python -m mmvitkd TOOL [ARGUMENTS]``.

An argument ``mmvitkd::mnist5k/vit_32.py`` becomes the path of that config of ours.
"""

import ast
import os
import sys
import types
from collections.abc import Sequence
from pathlib import Path

from .package_data import PREFIX, data_folder, packaged_config
from .suggestions import did_you_mean

USAGE = 'usage: python -m mmvitkd TOOL [ARGUMENTS]   (TOOL --help: the arguments of a tool)'


def find_tools() -> dict[str, Path]:
    """The tools, by the names of their files, in the order of their folders and names."""
    tools = data_folder() / 'tools'
    files = [path for path in tools.rglob('*') if path.suffix in ('.py', '.sh')]
    return {path.stem: path for path in sorted(files, key=lambda p: (len(p.parts), p))}


def summary(tool: Path) -> str:
    """The first line of a tool's docstring, or of a shell script's comment."""
    text = tool.read_text(encoding='utf-8')
    if tool.suffix == '.py':
        return (ast.get_docstring(ast.parse(text)) or '').partition('\n')[0]
    return next((line[2:] for line in text.splitlines() if line.startswith('# ')), '')


def run_python(tool: Path, arguments: Sequence[str]) -> None:
    """Run a script in this process, which has imported torch already, as ``__main__``."""
    script = types.ModuleType('__main__')
    script.__file__ = str(tool)
    # runpy would put the path of the file here, and every usage line starts with it.
    sys.argv = [f'python -m mmvitkd {tool.stem}', *arguments]
    sys.modules['__main__'] = script
    exec(compile(tool.read_bytes(), tool, 'exec'), script.__dict__)


def run_shell(tool: Path, arguments: Sequence[str]) -> None:
    """Become a shell script, which runs its Python scripts with this interpreter."""
    os.environ.setdefault('PYTHON', sys.executable)
    os.execvp('bash', ['bash', str(tool), *arguments])


def main(arguments: Sequence[str]) -> None:
    """List the tools, or run one."""
    tools = find_tools()
    if not arguments or arguments[0] in ('-h', '--help'):
        width = max(map(len, tools))
        rows = [f'  {name:{width}}  {summary(path)}' for name, path in tools.items()]
        print(USAGE, '', *rows, sep='\n')
        return
    name, *rest = arguments
    if name not in tools:
        sys.exit(f'mmvitkd: there is no tool {name!r}{did_you_mean(name, list(tools))}')
    try:
        rest = [str(packaged_config(a)) if a.startswith(PREFIX) else a for a in rest]
    except FileNotFoundError as error:
        sys.exit(f'mmvitkd: {error}')
    run = run_shell if tools[name].suffix == '.sh' else run_python
    run(tools[name], rest)


if __name__ == '__main__':
    main(sys.argv[1:])
