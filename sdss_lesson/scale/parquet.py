"""Stream a catalogue that is larger than memory from a folder of Parquet files. Needs pyarrow."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sdss_lesson.catalog import CLASSES, FEATURES
from sdss_lesson.dataset import Scaler, SDSSDataset
from sdss_lesson.scale.distributed import share


class ParquetBatches:
    """Batches of ``(features, labels)``, as `evaluate` takes them, from all Parquet files of a folder.

    Parameters
    ----------
    folder
        Its files ``*.parquet`` are read in the order of their names. Each has the columns `FEATURES` and ``class``,
        with the values that `load_sdss` returns.
    scaler
        As for `SDSSDataset`: fitted on the training rows.
    rank, world_size
        Which of how many shares of the rows to read. The shares are cut by rows: every row is in exactly one, and no
        share has two rows more than another, however many files there are.
    batch_size
        Rows at a time. Memory holds about a row group of one file, or less.

    Attributes
    ----------
    classes : tuple of str
        The names of labels 0, 1 and 2.

    Raises
    ------
    ValueError
        When there are no such files, one is no Parquet file or has not all columns, or `batch_size` is no such number;
        while it is read, when a file is damaged or rows cannot be learned from, as for `SDSSDataset`. The message
        names the file.
    ModuleNotFoundError
        When pyarrow is not installed.

    Examples
    --------
    A folder is made from a table, or from many, with ``frame.to_parquet("rows/part-0.parquet")``, and then::

        evaluate(model, ParquetBatches("rows", scaler=scaler))
    """

    classes = CLASSES

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        scaler: Scaler | None = None,
        rank: int = 0,
        world_size: int = 1,
        batch_size: int = 8192,
    ) -> None:
        if not isinstance(batch_size, int | np.integer) or batch_size < 1:
            raise ValueError(f"batch_size={batch_size!r}: give a whole number of rows, at least 1.")
        self.scaler, self.batch_size = scaler, int(batch_size)
        self._files = sorted(Path(folder).glob("*.parquet"))
        if not self._files:
            raise ValueError(f"There are no files *.parquet in {folder}. Check the name of the folder.")
        self._rows = []
        for file in self._files:
            with _opened(file) as opened:
                missing = [name for name in _COLUMNS if name not in opened.schema_arrow.names]
                if missing:
                    raise ValueError(f"{file} has no column {', '.join(missing)}. It needs {', '.join(_COLUMNS)}.")
                groups = range(opened.metadata.num_row_groups)
                self._rows.append([opened.metadata.row_group(group).num_rows for group in groups])
        self._share = share(sum(map(sum, self._rows)), rank, world_size)

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        first = 0
        for file, groups in zip(self._files, self._rows, strict=True):
            wanted = range(max(self._share.start - first, 0), min(self._share.stop - first, sum(groups)))
            if wanted:
                yield from self._read(file, groups, wanted)
            first += sum(groups)

    def _read(self, file: Path, groups: list[int], wanted: range) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """The wanted rows of one file, from the row groups that they lie in."""
        ends = [sum(groups[: group + 1]) for group in range(len(groups))]
        needed = [group for group, end in enumerate(ends) if end > wanted.start and end - groups[group] < wanted.stop]
        row = ends[needed[0]] - groups[needed[0]]
        # Each class's name is kept once, and not for each row.
        with _opened(file, read_dictionary=["class"]) as opened:
            for batch in opened.iter_batches(self.batch_size, row_groups=needed, columns=_COLUMNS):
                frame = batch.to_pandas(ignore_metadata=True)  # else a frame's old index comes back, too
                frame.index += row
                row += len(frame)
                frame = frame.loc[wanted.start : wanted.stop - 1]
                if len(frame):
                    try:
                        rows = SDSSDataset(frame, scaler=self.scaler)
                    except ValueError as error:
                        raise ValueError(f"{file}: {error}") from None
                    yield rows.features, rows.labels


_COLUMNS = [*FEATURES, "class"]


@contextmanager
def _opened(file: Path, **options: Any) -> Iterator[Any]:
    """A file whose pages are read as they are needed."""
    try:
        from pyarrow import ArrowException
        from pyarrow.parquet import ParquetFile
    except ModuleNotFoundError:
        raise ModuleNotFoundError("Parquet files are read by pyarrow, which is not here: pip install pyarrow") from None
    try:
        with ParquetFile(file, buffer_size=2**20, pre_buffer=False, **options) as opened:
            yield opened
    except (ArrowException, OSError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{file} cannot be read as Parquet: {reason}. Write that file once more.") from None
