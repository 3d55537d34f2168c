"""A plugin for pytest: the kernels that nbval starts are spoken to as those of `make lesson` are."""

from pathlib import Path
from typing import Any
from uuid import uuid4

import nbval.kernel  # type: ignore[import-untyped]
from jupyter_client.manager import KernelManager
from jupyter_core.paths import jupyter_runtime_dir

from tools.kernel import transport


def kernel_manager(**options: Any) -> KernelManager:
    folder = Path(jupyter_runtime_dir())
    # The sockets lie beside this file. Without a name for it they would lie in the folder that a process happens to
    # run in, which is not the same for nbval and for the kernel.
    file = folder / f"{uuid4().hex[:8]}.json"
    return KernelManager(connection_file=str(file), transport=transport(folder), **options)


# nbval has no option for it, and reads no configuration file of Jupyter's.
nbval.kernel.KernelManager = kernel_manager
