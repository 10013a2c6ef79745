"""nbval's kernels listen on sockets of the file system, and not on ports.

jupyter_client looks for free ports and lets go of them, and the kernel takes them a moment later.
Beside browsers and other kernels somebody else may have taken one by then; the kernel would die."""

from __future__ import annotations

from tempfile import mkdtemp
from typing import Any

import nbval.kernel
from jupyter_client.manager import KernelManager
from jupyter_core.paths import jupyter_runtime_dir


def by_ipc(**settings: Any) -> KernelManager:
    folder = mkdtemp(dir=jupyter_runtime_dir())
    return KernelManager(transport="ipc", ip=f"{folder}/kernel", **settings)


nbval.kernel.KernelManager = by_ipc
