"""The repository's address stands in one place, and one command rewrites it everywhere."""

import shutil
from pathlib import Path

import pytest

from tools import address

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """The files that hold the address, copied."""
    for holder in address.HOLDERS:
        for path in ROOT.glob(holder):
            if path.is_file():
                copy = tmp_path / path.relative_to(ROOT)
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, copy)
    return tmp_path


def contents(tree: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in tree.rglob("*") if path.is_file()}


def test_there_and_back_again(tree: Path) -> None:
    before, old = contents(tree), address.current(tree)
    changed = address.rewrite(tree, "star-school/sdss.lesson")
    assert {"pyproject.toml", "README.md", "CITATION.cff"} <= {path.name for path in changed}
    stored = {path.name for path in (ROOT / "notebooks").glob("*.ipynb")}
    assert stored and stored == {path.name for path in changed if path.suffix == ".ipynb"}
    assert address.current(tree) == "star-school/sdss.lesson"
    assert not any(name.encode() in text for text in contents(tree).values() for name in (old, address.on_pages(old)))
    address.rewrite(tree, old)
    assert contents(tree) == before


def test_a_longer_name_is_another_repository(tree: Path) -> None:
    old = address.current(tree)
    kept = [f"github.com/{old}-extra", f"github.com/{old}2", f"gh/NOT{old}/HEAD", f"gh/NOT-{old}/HEAD", f"{old}.io"]
    pages = address.on_pages(old)
    kept += [f"https://{pages}-extra/", f"https://not-{pages}/"]
    gone = [
        f"https://github.com/{old}.",
        f"git+https://github.com/{old}.git@v1",
        f"v2/gh/{old}/HEAD",
        f"github/{old}/b",
    ]
    moved = [f"https://{pages}/playground.html", f"https://{pages}/."]
    (tree / "docs" / "links.md").write_text("\n".join([*kept, *gone, *moved]))
    address.rewrite(tree, "me/it")
    lines = (tree / "docs" / "links.md").read_text().splitlines()
    assert lines[: len(kept)] == kept
    assert lines[len(kept) :] == [
        *(line.replace(old, "me/it") for line in gone),
        *(line.replace(pages, "me.github.io/it") for line in moved),
    ]


def test_all_files_or_none(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before, write_bytes = contents(tree), Path.write_bytes

    def full_disk(path: Path, text: bytes) -> int:
        if path.name == "CITATION.cff" and b"me/it" in text:
            write_bytes(path, text[:10])
            raise OSError("no space left")
        return write_bytes(path, text)

    monkeypatch.setattr(Path, "write_bytes", full_disk)
    with pytest.raises(OSError, match="no space"):
        address.rewrite(tree, "me/it")
    assert contents(tree) == before


@pytest.mark.parametrize("text", ["me/it", "https://github.com/me/it", "https://github.com/me/it.git", " me/it/ "])
def test_both_ways_of_writing_it(text: str) -> None:
    assert address.parse(text) == "me/it"


@pytest.mark.parametrize("text", ["", "it", "me/it/more", "https://example.org/me/it", "me/i t", "-me/it", "me/.."])
def test_what_is_no_address(
    text: str, tree: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(address, "ROOT", tree)
    before = contents(tree)
    assert address.main([text]) != 0
    printed = capsys.readouterr().err
    assert "OWNER/NAME" in printed and printed.count("\n") == 1
    assert contents(tree) == before
