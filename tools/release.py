"""Make a release ready: python tasks.py release VERSION

Writes the version wherever it stands. When that is committed, the same command builds the archives into `dist/`, checks
them, and prints what is left to do by hand. It uploads nothing.
"""

import re
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from tools import ROOT, address

PLACEHOLDER = "OWNER/"


def git(root: Path, *words: str) -> str:
    return subprocess.run(["git", *words], cwd=root, capture_output=True, text=True, check=True).stdout


def refusal(root: Path, version: str) -> str | None:
    """Why there can be no release of this version now, and the way out; None where there can be one."""
    if not re.fullmatch(r"\d+\.\d+\.\d+", version):
        return f"{version!r} is no version. Give three numbers: python tasks.py release 0.2.0"
    if address.current(root).startswith(PLACEHOLDER):
        return (
            f"the address is still the placeholder {address.current(root)}. "
            "Write the real one first: python tasks.py address OWNER/NAME"
        )
    if git(root, "status", "--porcelain"):
        return "there are changes that are not committed. Commit them, or put them away."
    if git(root, "tag", "--list", f"v{version}"):
        return f"there is a tag v{version} already. Give the next version."
    heading = rf"^## {re.escape(version)} \(\d{{4}}-\d\d-\d\d\)$"
    if not re.search(heading, (root / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE):
        return f"CHANGELOG.md lacks the line: ## {version} ({date.today()})"
    return None


def write(root: Path, new: str) -> list[Path]:
    """Replace the version by itself, and behind the address, as the tag that a link opens; the files that changed."""
    old = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]["version"].encode()
    place = re.escape(address.current(root).encode()) + rb"(?:@|/blob/|/)v"
    pattern = re.compile(rb'(^version(?: = "|: )|' + place + rb")" + re.escape(old) + rb"(?![\w.-])", re.MULTILINE)
    return address.change_holders(root, lambda text: pattern.sub(lambda found: found[1] + new.encode(), text))


def build(root: Path, version: str) -> int:
    """Both archives, as PyPI takes them."""
    python = [sys.executable, "-m"]
    if subprocess.call([*python, "build", "--no-isolation"], cwd=root):
        return 1
    archives = sorted(str(path.relative_to(root)) for path in (root / "dist").glob(f"sdss_lesson-{version}[-.]*"))
    if subprocess.call([*python, "twine", "check", "--strict", *archives], cwd=root):
        return 1
    print(f"\nBuilt and checked. What is left:\n  git tag v{version} && git push origin v{version}")
    print(f"  twine upload {' '.join(archives)}")
    return 0


def main(arguments: Sequence[str]) -> int:
    if len(arguments) != 1:
        print("release takes the version: python tasks.py release 0.2.0", file=sys.stderr)
        return 2
    (version,) = arguments
    try:
        why = refusal(ROOT, version)
    except (OSError, subprocess.CalledProcessError) as error:
        why = f"git cannot be asked ({error}). A release is made from a clone of the repository."
    if why:
        print(f"release: {why}", file=sys.stderr)
        return 1
    changed = write(ROOT, version)
    if not changed:
        return build(ROOT, version)
    for path in changed:
        print(path.relative_to(ROOT))
    print(f"{len(changed)} files say {version} now. Commit them, and run the same command again.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
