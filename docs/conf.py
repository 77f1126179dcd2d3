"""Settings of Sphinx; `make docs` builds the site in docs/_build/html."""

import mmvitkd

project = 'mmvitkd'
author = 'mmvitkd contributors'
copyright = '2026, mmvitkd contributors'
release = mmvitkd.__version__

extensions = ['myst_parser', 'sphinx.ext.autodoc', 'sphinx.ext.napoleon']
exclude_patterns = ['_build']
myst_heading_anchors = 3
myst_enable_extensions = ['colon_fence']
# Links to folders and files of the repository work where the pages are read there.
suppress_warnings = ['myst.xref_missing']

autodoc_default_options = {'members': True, 'show-inheritance': True}
autodoc_member_order = 'bysource'
autodoc_typehints = 'description'
autodoc_typehints_description_target = 'documented'
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True  # attributes are documented with their class

html_theme = 'furo'
html_title = f'mmvitkd {release}'


def setup(app):
    """Leave out the fields of named tuples, which the docstring of the class describes."""
    alias = 'Alias for field number'

    def skip(app, what, name, member, skip, options):
        return skip or (getattr(member, '__doc__', None) or '').startswith(alias)

    app.connect('autodoc-skip-member', skip)
