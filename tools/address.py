"""Write the repository's address everywhere it stands: python tasks.py address OWNER/NAME

The one place that it is read from is `Repository` in pyproject's `[project.urls]`.
"""

import re
import sys
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path

from tools import ROOT

HOLDERS = ("pyproject.toml", "README.md", "CITATION.cff", "notebooks/*.ipynb", "docs/**/*")
ADDRESS = re.compile(
    r"(?:https://github\.com/)?([A-Za-z0-9](?:[A-Za-z0-9-]{0,38}))/(\.*[A-Za-z0-9_-][A-Za-z0-9._-]*?)(?:\.git)?/?"
)


def parse(text: str) -> str:
    """OWNER/NAME from that or from the full address."""
    match = ADDRESS.fullmatch(text.strip())
    if match is None:
        raise ValueError(
            f"{text!r} is no address of a repository. Give OWNER/NAME or https://github.com/OWNER/NAME; the launch "
            "links to Binder and Colab know no other host."
        )
    return f"{match[1]}/{match[2]}"


def current(root: Path) -> str:
    urls = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]["urls"]
    return parse(urls["Repository"])


def pattern(address: str) -> re.Pattern[bytes]:
    """Where `address` stands as a whole: not as the end or the beginning of a longer name."""
    return re.compile(rb"(?<![\w.-])" + re.escape(address).encode() + rb"(?![\w-]|\.(?!git\b)\w)")


def on_pages(address: str) -> str:
    """Where GitHub Pages serves the site of a repository, without https://."""
    return address.replace("/", ".github.io/")


def rewrite(root: Path, new: str) -> list[Path]:
    """Replace the address in every file that holds it; the files that changed."""
    old = current(root)

    def replace(text: bytes) -> bytes:
        text = pattern(old).sub(new.encode(), text)
        return pattern(on_pages(old)).sub(on_pages(new).encode(), text)

    return change_holders(root, replace)


def change_holders(root: Path, change: Callable[[bytes], bytes]) -> list[Path]:
    """Change the files that may hold the address, all of them or none; those that are another now."""
    before, after = {}, {}
    for holder in HOLDERS:
        for path in sorted(root.glob(holder)):
            if path.is_file():
                text = path.read_bytes()
                if (changed := change(text)) != text:
                    before[path], after[path] = text, changed
    written = []
    try:
        for path, text in after.items():
            written.append(path)
            path.write_bytes(text)
    except OSError:
        for path in written:
            path.write_bytes(before[path])
        raise
    return written


def main(arguments: Sequence[str]) -> int:
    if len(arguments) != 1 or not arguments[0]:
        print("address takes the new address: python tasks.py address OWNER/NAME", file=sys.stderr)
        return 2
    try:
        changed = rewrite(ROOT, parse(arguments[0]))
    except (ValueError, OSError) as error:
        print(f"address: {error}", file=sys.stderr)
        return 1
    for path in changed:
        print(path.relative_to(ROOT))
    print(f"The address is {current(ROOT)}; {len(changed)} files changed.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
