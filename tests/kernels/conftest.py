"""The kernels: each version of `tests.kernels.install` with --slow, or the installed one."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kernels.driver import Kernel, KernelStuckError, running
from tests.kernels.install import VERSIONS, kernel_folder
from tests.support.servers import EmbeddedServer
from tests.support.wire import Wire

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
    try:
        shared_kernel.run("%reset -f")
    except KernelStuckError:
        shared_kernel.restart()


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a test again in a new kernel if the kernel itself got stuck, which is not tested here."""
    kernel = pyfuncitem.funcargs.get("kernel", pyfuncitem.funcargs.get("own_kernel"))
    if not isinstance(kernel, Kernel):
        return None
    arguments = {name: pyfuncitem.funcargs[name] for name in inspect.signature(pyfuncitem.obj).parameters}
    for _ in range(2):
        try:
            pyfuncitem.obj(**arguments)
        except KernelStuckError:
            kernel.restart()
            if isinstance(wire := arguments.get("wire"), Wire):
                wire.clean()  # the next run's jobs would wait behind this one's
        else:
            return True
    pyfuncitem.obj(**arguments)
    return True


@pytest.fixture
def wire(embedded_server: EmbeddedServer) -> Iterator[Wire]:
    """Bare requests to an embedded server with an empty queue: the kernel is what is tested here."""
    with Wire(embedded_server) as wire:
        wire.clean()
        yield wire
        wire.clean()


@pytest.fixture
def own_kernel(ipykernel_path: Path | None, tmp_path: Path) -> Iterator[Kernel]:
    """A kernel for this test alone."""
    with running(tmp_path, ipykernel_path) as kernel:
        yield kernel
