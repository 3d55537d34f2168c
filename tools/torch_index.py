"""Where torch is to be downloaded from: a decision, taken from facts that `tasks.py` looks up.

On Linux the wheel of torch that pip finds by itself brings gigabytes of CUDA, also to machines that cannot use it.
Only the standard library is imported here, because this runs before anything is installed.
"""

import os
import platform
import shutil

CPU_INDEX = "https://download.pytorch.org/whl/cpu"
SETTINGS = ("index-url", "extra-index-url", "find-links", "no-index")


def own_settings(pip_config: str) -> list[str]:
    """The settings in the text of ``pip config list`` that say where packages come from.

    A line reads ``global.find-links='/some/folder'``, or ``:env:.find-links=...`` for an environment variable. pip
    takes no notice of an empty one, and neither do we.
    """
    names = []
    for line in pip_config.splitlines():
        key, _, value = line.partition("=")
        name = key.rpartition(".")[2].strip().replace("_", "-")
        if name in SETTINGS and value.strip().strip("'\"").strip():
            names.append(name)
    return sorted(set(names))


def decide(
    *, system: str, machine: str, nvidia: bool, installed: bool, own: list[str], torch_index: str | None
) -> tuple[str | None, str]:
    """The index to take torch from, or None where pip's own settings decide; and why."""
    if installed:
        return None, "torch is installed already"
    if system != "Linux":
        return None, f"on {system} {machine} the usual wheel of torch brings no CUDA"
    if nvidia:
        return None, "there is an nvidia-smi, so this machine may use CUDA"
    if own:
        return None, f"pip has settings of its own ({', '.join(own)})"
    if torch_index is None:
        return CPU_INDEX, "no nvidia-smi here, and the usual wheel would bring gigabytes of CUDA"
    if not torch_index.strip():
        return None, "TORCH_INDEX is set to nothing"
    return torch_index.strip(), "TORCH_INDEX says so"


def decide_here(pip_config: str, installed: bool) -> tuple[str | None, str]:
    """`decide` for this machine."""
    return decide(
        system=platform.system(),
        machine=platform.machine(),
        nvidia=shutil.which("nvidia-smi") is not None,
        installed=installed,
        own=own_settings(pip_config),
        torch_index=os.environ.get("TORCH_INDEX"),
    )
