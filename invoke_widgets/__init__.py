"""Watch, cancel and debug InvokeAI jobs from a Jupyter notebook."""

from invoke_widgets._version import __version__
from invoke_widgets.client import InvokeClient

__all__ = ["InvokeClient", "__version__"]
