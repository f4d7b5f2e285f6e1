"""The kernels: each version of `tests.kernels.install` with --slow; the installed one where a test asks for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kernels.driver import Kernel, running
from tests.kernels.install import VERSIONS, kernel_folder

_MARKS = [pytest.mark.slow, pytest.mark.timeout(300)]  # the first test waits for an installation too


@pytest.fixture(scope="package", params=[pytest.param(version, marks=_MARKS) for version in VERSIONS])
def ipykernel_path(request: pytest.FixtureRequest) -> Path | None:
    """The folder of an ipykernel; None for the installed one."""
    return None if request.param == "installed" else kernel_folder(request.param)


@pytest.fixture(scope="package")
def shared_kernel(ipykernel_path: Path | None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    with running(tmp_path_factory.mktemp("kernel"), ipykernel_path) as kernel:
        yield kernel


@pytest.fixture
def kernel(shared_kernel: Kernel) -> Iterator[Kernel]:
    """A kernel for all tests of its version, with the names of this test only."""
    yield shared_kernel
    shared_kernel.run("%reset -f")


@pytest.fixture
def own_kernel(ipykernel_path: Path | None, tmp_path: Path) -> Iterator[Kernel]:
    """A kernel for this test alone."""
    with running(tmp_path, ipykernel_path) as kernel:
        yield kernel
