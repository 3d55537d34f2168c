"""Build the site out of the executed notebooks and docs/, into build/site: python tasks.py site"""

import ast
import hashlib
import inspect
import os
import re
import shutil
import site
import subprocess
import sys
import venv
from collections.abc import Sequence
from pathlib import Path

import nbformat

from sdss_lesson.mistakes import MISTAKES, Mistake
from tools import ROOT, address

BUILD = ROOT / "build"
SITE, SOURCE, VENV = BUILD / "site", BUILD / "site-src", BUILD / "site-venv"
REQUIREMENTS = ROOT / "docs" / "requirements.txt"
TWO_LINES = """predictions = model(inputs).argmax(1)
n_correct += (predictions == labels.flatten()).sum().item()"""
"""Some write the line that counts like this, and are right, too."""

SYMPTOMS = {
    "too_low": (
        "My accuracy is below random",
        ["Why is my accuracy below random guessing?", "accuracy stuck at 0", "accuracy worse than chance"],
        r"guessing|far too low|near 0|is 0 ",
    ),
    "over_one": (
        "My accuracy is over 100 %",
        ["accuracy over 100 %", "Why is my accuracy above 100 percent?", "accuracy greater than 1"],
        r"over 1\b",
    ),
    "moves_with_batch_size": (
        "My accuracy moves with the batch size",
        ["Why does my accuracy change with the batch size?", "accuracy depends on batch size"],
        r"batch size|uneven batches",
    ),
    "changes_between_calls": (
        "My accuracy changes between calls",
        ["Why is my test accuracy different every time?", "accuracy changes when I run it again"],
        r"each call|call to call",
    ),
    "looks_right": (
        "My accuracy looks right, or too good",
        ["Is my accuracy right?", "accuracy too good to be true", "validation runs out of memory"],
        r"is right;",
    ),
}
"""For each file of mistakes: its title, what else people type who look for it, and what shows in the others' words."""


def layout(root: Path) -> dict[Path, Path]:
    """Where each page lies in the repository, and where on the site: what docs/ holds moves to the top."""
    docs = {page: page.relative_to(root / "docs") for page in (root / "docs").glob("*.md")}
    rest = [root / "data" / "README.md", *(root / "notebooks").glob("*.ipynb")]
    return docs | {page: page.relative_to(root) for page in rest}


def slug(heading: str) -> str:
    """The anchor of a heading as GitHub and MyST make it; Jupyter's anchor of the same heading gives the same."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def relink(text: str, page: Path, pages: dict[Path, Path], root: Path) -> str:
    """Let the relative links of a page lead on: to a page of the site where there is one, else to the repository."""

    def lead_on(match: re.Match[str]) -> str:
        file, _, anchor = match[1].partition("#")
        target = Path(os.path.normpath(page.parent / file)) if file else page
        if target in pages:
            there = os.path.relpath(pages[target], pages[page].parent).replace(os.sep, "/")
            return f"]({there if file else ''}{'#' + slug(anchor) if anchor else ''})"
        if target.is_file() and target.suffix != ".png":  # pictures come along
            there = target.relative_to(root).as_posix()
            return f"](https://github.com/{address.current(root)}/blob/main/{there}{'#' + anchor if anchor else ''})"
        return match[0]

    text = re.sub(r"\]\(((?!https?:)[^)\s]+)\)", lead_on, text)
    # A moving picture and its still stand in HTML; docs/conf.py takes them along.
    up = os.path.relpath(".", pages[page].parent).replace(os.sep, "/")
    return re.sub(r'(src|srcset)="\.\./docs/([\w.-]+)"', rf'\1="{up}/\2"', text)


def for_the_site(text: str) -> str:
    """No badges, whose pictures lie on other hosts; no box that cannot be ticked."""
    text = re.sub(r"\) \[!\[", ") · [![", text)
    text = re.sub(r"\[!\[([^\]]*)\]\([^)]*\)\]", r"[\1]", text)
    return text.replace("- [ ] ", "- ☐ ")


def code(mistake: Mistake) -> str:
    """The first evaluator that makes the mistake, and the functions of its own that it calls."""
    first = mistake.variants[0]
    parts = [inspect.getsource(first if inspect.isfunction(first) else type(first))]
    module = sys.modules[first.__module__]
    for name in re.findall(r"\b_[a-z]\w*(?=\()", parts[0]):
        parts.insert(0, inspect.getsource(getattr(module, name)))
    text = "\n\n".join(parts)
    text = re.sub(r"  # (type: ignore|noqa)(\[[\w-]+\]|: \w+)", "", text)  # those are for our tools
    return re.sub(r": nn\.Module|: DataLoader\[Any\]|: torch\.dtype|: int(?=,)| -> .*(?=:\n)", "", text).strip()


def gallery(symptom: str, right: str) -> str:
    """The page of the mistakes that show one symptom. `right` is the code of a loop that is right."""
    title, asked, others = SYMPTOMS[symptom]
    typed = dict.fromkeys(phrase.replace(" %", sign) for phrase in (title, *asked) for sign in (" %", "%"))
    module = sys.modules[f"sdss_lesson.mistakes.{symptom}"]
    pages = {m.slug: m.variants[0].__module__.rpartition(".")[2] for m in MISTAKES.values()}
    lines = [
        f"# {title}",
        module.__doc__ or "",
        f"*Also asked as: {' · '.join(asked)}*",
        # The search takes no notice of words like "over", save in titles and in the index.
        "\n".join(["```{eval-rst}", ".. index::", *(f"   ! single: {phrase}" for phrase in typed), "```"]),
        "In what is printed, n is all rows, n_b the rows of a batch, and hits_b the right answers in it. Marked are "
        "the lines that [the loop that is right](../mistakes.md#the-loop-that-is-right) has not. They need not be "
        "wrong themselves: something may be missing in them. `eval_mode(model)` is "
        "`model.eval()`, undone after the loop.",
    ]
    known = {line.strip() for line in f"{right}\n{TWO_LINES}".splitlines()} | {""}
    for mistake in of(symptom):
        text = code(mistake)
        other = [not (line in known or line.startswith(("def ", '"""'))) for line in map(str.strip, text.splitlines())]
        marked = [number for number, differs in enumerate(other, 1) if differs]
        lines += [
            f"## {mistake.slug}",
            f"**What you see.** {plain(mistake.symptom)}",
            f"**What is printed.** {plain(mistake.formula)}",
            f"```{{code-block}} python\n:emphasize-lines: {','.join(map(str, marked))}\n\n{text}\n```",
            f"**How to mend it.** {plain(mistake.fix)}",
            f"**Explained in** [`{mistake.notebook}`](../notebooks/{mistake.notebook}.ipynb)",
        ]
        if mistake.seen_in:
            lines.append(f"**Met in public.** {plain(mistake.seen_in)}")
    more = [m for m in MISTAKES.values() if pages[m.slug] != symptom and re.search(others, f"{m.symptom} {m.formula}")]
    if more:
        lines.append("Others may show it, too:")
        lines.append("\n".join(f"- [{m.slug}]({pages[m.slug]}.md#{m.slug}): {plain(m.symptom)}" for m in more))
    return "\n\n".join(lines) + "\n"


def by_symptom() -> str:
    """Every mistake with what is seen of it, under the symptom that it is kept with."""
    lines = []
    for symptom, (title, _, _) in SYMPTOMS.items():
        lines.append(f"**[{title}](mistakes/{symptom}.md)**\n")
        lines += [f"- {plain(m.symptom)} [{m.slug}](mistakes/{symptom}.md#{m.slug})" for m in of(symptom)]
        lines.append("")
    return "\n".join(lines)


def of(symptom: str) -> list[Mistake]:
    """The mistakes of one file."""
    return [m for m in MISTAKES.values() if m.variants[0].__module__.endswith(f".{symptom}")]


def plain(text: str) -> str:
    """Text in which Markdown finds nothing but links."""
    text = re.sub(r"([\\`*_\[\]<])", r"\\\1", text)
    return re.sub(r"https://[\w./\\-]+\w", lambda match: f"<{match[0].replace(chr(92), '')}>", text)


def draw_counters(bug: str, folder: Path) -> None:
    """The counter of the ten-line bug, and what it should have been: two pictures of equal axes."""
    import matplotlib.pyplot as plt

    from sdss_lesson.plots.style import BROKEN, RIGHT, dots, new_axes, note

    (line,) = re.findall(r"^hits = (\[.*?\])", bug, flags=re.MULTILINE)
    hits: list[int] = ast.literal_eval(line)
    sums = [sum(hits[: i + 1]) for i in range(len(hits))]
    batches = range(1, len(hits) + 1)
    for name, sign, counter, colour, marker in [("broken", "=", hits, BROKEN, "s"), ("fixed", "+=", sums, RIGHT, "o")]:
        axes = new_axes(f"{name}: n_correct {sign} ...", "batch", "n_correct")
        figure = plt.gcf()
        figure.set_size_inches(4, 3)
        axes.set(xlim=(0.5, len(hits) + 0.5), ylim=(0, 1.15 * sums[-1]), xticks=batches)
        axes.plot(batches, counter, "-", color=colour, linewidth=2)
        dots(axes, batches, counter, colour, marker, 8)
        note(axes, f"ends at {counter[-1]}", (batches[-1], max(counter[-2:])), colour, (4, 10), ha="right")
        figure.savefig(folder / f"counter-{name}.png", dpi=200, facecolor="white")
        plt.close(figure)


def block(page: Path, word: str) -> str:
    """The one block of Python on a page that holds a word."""
    (found,) = (b for b in re.findall(r"```python\n(.*?)```", page.read_text("utf-8"), re.DOTALL) if word in b)
    return found


def write_sources(root: Path, folder: Path) -> None:
    """Lay out in `folder` what Sphinx reads."""
    pages = layout(root)
    for page, place in pages.items():
        copy = folder / place
        copy.parent.mkdir(parents=True, exist_ok=True)
        if page.suffix == ".ipynb":
            notebook = nbformat.read(page, as_version=4)  # type: ignore[no-untyped-call]
            for cell in notebook.cells:
                if cell.cell_type == "markdown":
                    cell.source = relink(for_the_site(cell.source), page, pages, root)
                elif title := re.match("# @title (.+)", cell.source):  # a folded cell shows its title here, too
                    prompts = dict.fromkeys(["code_prompt_show", "code_prompt_hide"], title[1])
                    cell.metadata["mystnb"] = {**cell.metadata.get("mystnb", {}), **prompts}
            nbformat.write(notebook, copy)  # type: ignore[no-untyped-call]
        else:
            copy.write_text(relink(for_the_site(page.read_text("utf-8")), page, pages, root), "utf-8")
    (folder / "mistakes").mkdir()
    for symptom in SYMPTOMS:
        text = gallery(symptom, block(root / "docs" / "mistakes.md", "def right"))
        (folder / "mistakes" / f"{symptom}.md").write_text(text, "utf-8")
    (folder / "mistakes" / "by-symptom.txt").write_text(by_symptom(), "utf-8")  # no page: mistakes.md takes it in
    for picture in (root / "docs").glob("*.png"):
        shutil.copyfile(picture, folder / picture.name)
    draw_counters(block(root / "docs" / "index.md", "# the bug"), folder)


def site_python() -> Path:
    """The Python of the site's own environment, which is made or brought up to date where need be."""
    python = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    stamp, wanted = VENV / "below-random.txt", hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()
    wanted += f" {sys.version} {VENV}"  # moved, it would still point to where it was
    if not (python.exists() and stamp.is_file() and stamp.read_text("utf-8") == wanted):
        print("Site: makes build/site-venv. This takes a minute.", flush=True)
        venv.create(VENV, clear=True, with_pip=True)
        pip = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "-q"]
        if subprocess.call([*pip, "-r", str(REQUIREMENTS)]) != 0:
            sys.exit("Site: pip stopped, see above. When that is mended, run the same command again.")
        stamp.write_text(wanted, "utf-8")
    return python


def main(options: Sequence[str]) -> int:
    python = site_python()
    for folder in (SITE, SOURCE):
        shutil.rmtree(folder, ignore_errors=True)
    write_sources(ROOT, SOURCE)
    environment = {**os.environ, "SITE_IMPORTS": os.pathsep.join(site.getsitepackages())}
    sphinx = [str(python), "-m", "sphinx", "-b", "html", "-W", "--keep-going", "-q", "-E", *options]
    sphinx += ["-c", str(ROOT / "docs"), "-d", str(BUILD / "site-doctrees"), str(SOURCE), str(SITE)]
    code = subprocess.call(sphinx, cwd=ROOT, env=environment)
    if code == 0:
        for notebook in (ROOT / "notebooks").glob("*.ipynb"):  # the download button hands out what is in the repository
            shutil.copyfile(notebook, SITE / "_sources" / "notebooks" / notebook.name)
        print(f"Site: {SITE.relative_to(ROOT)}/index.html")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
