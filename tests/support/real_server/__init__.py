"""The real InvokeAI server for the tests: on a CPU, without models, installed from PyPI into a cache folder."""
