"""Run a tool without a clone: ``python -m mmvitkd TOOL [ARGUMENTS]``.

An argument such as ``mmvitkd::mnist5k/vit_32.py`` is replaced by the path of that config.
"""

import ast
import importlib.util
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from .package_data import PREFIX, data_folder, packaged_config
from .suggestions import did_you_mean

USAGE = 'usage: python -m mmvitkd TOOL [ARGUMENTS]   (TOOL --help: the arguments of a tool)'


def find_tools() -> dict[str, Path]:
    """Return the tools by the names of their files, sorted by folder and name.

    Python files without a ``main()`` are helpers of other tools, and are left out.
    """
    tools = data_folder() / 'tools'
    files = [path for path in tools.rglob('*.py') if 'def main(' in path.read_text('utf-8')]
    files += tools.rglob('*.sh')
    return {path.stem: path for path in sorted(files, key=lambda p: (len(p.parts), p))}


def summary(tool: Path) -> str:
    """Return the first line of a tool's docstring, or of a shell script's comment."""
    text = tool.read_text(encoding='utf-8')
    if tool.suffix == '.py':
        return (ast.get_docstring(ast.parse(text)) or '').partition('\n')[0]
    return next((line[2:] for line in text.splitlines() if line.startswith('# ')), '')


def run_python(tool: Path, arguments: Sequence[str]) -> None:
    """Call the ``main()`` of a Python tool."""
    # argparse begins the usage line with this.
    sys.argv = [f'python -m mmvitkd {tool.stem}', *arguments]
    sys.path.insert(0, str(tool.parent))  # as Python does for a script
    spec = importlib.util.spec_from_file_location(f'mmvitkd_tool_{tool.stem}', tool)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.main()


def run_shell(tool: Path, arguments: Sequence[str]) -> None:
    """Replace this process with a shell script that uses the same Python."""
    os.environ.setdefault('PYTHON', sys.executable)
    os.execvp('bash', ['bash', str(tool), *arguments])


def main(arguments: Sequence[str] | None = None) -> None:
    """List the tools, or run one.

    Args:
        arguments: By default those of the command line.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
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
    main()
