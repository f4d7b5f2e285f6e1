"""Views of a console for Jupyter. The only part of the package that imports ipywidgets and anywidget.

Nothing is imported here, so that `invoke_widgets` can be used without a notebook: `Console` imports what it needs.
"""
