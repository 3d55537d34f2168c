"""Bad input, and what each gets: one type of error that names the cause and the remedy, or the right answer."""

import codecs
import errno
import gzip
import math
import sys
import traceback
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler
from test_catalog import HEADER, ROWS, changed, text_of
from torch import nn
from torch.utils.data import DataLoader, Dataset, IterableDataset, Subset, TensorDataset

import sdss_lesson
from sdss_lesson import (
    CLASSES,
    FEATURES,
    Evaluation,
    NeuralNet,
    ParquetBatches,
    SDSSDataset,
    audit,
    audit_split,
    evaluate,
    fit,
    load_model,
    load_sdss,
    save_model,
    split_by_object,
)

GOOD = text_of()
PACKAGE = Path(sdss_lesson.__file__).parent


def export(content):
    """Reads a file of this text, these bytes or these rows. Every case has an empty folder of its own."""

    def read():
        text = text_of(content) if isinstance(content, list) else content
        Path("export.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
        return load_sdss("export.csv")

    return read


def field(column, value, row=1):
    """Reads a good export in which one field, on line 3, is another."""
    return export(changed(row, column, value))


def link(target):
    """Reads a file by a link to it."""

    def read():
        Path("export.csv").symlink_to(target)
        return load_sdss("export.csv")

    return read


def rows(n=12):
    """A small frame as `load_sdss` returns it: three classes, an object a row."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.uniform(15, 20, (n, 5)), columns=FEATURES)
    frame["objid"] = np.arange(n)
    return frame.assign(**{"class": np.resize(CLASSES, n)})


def split(frame=None, **options):
    return lambda: split_by_object(rows() if frame is None else frame, **options)


def dataset(frame=None, **options):
    return lambda: SDSSDataset(rows() if frame is None else frame, **options)


def scaler(columns=FEATURES, **options):
    return StandardScaler(**options).fit(rows()[columns])


SAY = nn.Identity()  # a "model" whose features are its logits
X = torch.randn(8, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
Y = torch.tensor([0, 1, 2, 0, 1, 2, 0, 1])
NAN, INF, OUT = (X.clone() for _ in range(3))
NAN[5, 1], INF[5, 1], OUT[5] = math.nan, math.inf, -math.inf
NET = NeuralNet(3, 4, 3).double()


class Gives(nn.Module):
    def __init__(self, change):
        super().__init__()
        self.change = change

    def forward(self, x):
        return self.change(x)


class Stream(IterableDataset):
    def __iter__(self):
        yield X[0], Y[0]


class Breaks(Dataset):
    """Its fourth row cannot be read."""

    def __len__(self):
        return 8

    def __getitem__(self, at):
        if at == 3:
            raise OSError("row 3 is damaged")
        return X[at], Y[at]


def half_way():
    yield X, Y
    raise OSError("the disk is gone")


def judge(*data, model=SAY, **options):
    """Evaluates one batch, or several."""
    return lambda: evaluate(model, list(data) if isinstance(data[0], tuple) else data[0], **options)


def train(data=((X, Y),), model=None, **options):
    return lambda: fit(NeuralNet(3, 4, 3).double() if model is None else model, data, **{"epochs": 1, **options})


def without_gradients():
    with torch.no_grad():
        return train()()


def leak(a, b, **options):
    return lambda: audit_split(a, b, **options)


def parquet(content, *, spoil=None, **options):
    """Reads a folder of one file: a frame or bytes; `spoil` then damages it where the first column lies."""

    def read():
        file = Path("rows.parquet")
        file.write_bytes(content) if isinstance(content, bytes) else content.to_parquet(file, compression="gzip")
        if spoil:
            file.write_bytes(file.read_bytes()[:4] + spoil + file.read_bytes()[4 + len(spoil) :])
        return list(ParquetBatches(".", **options))

    return read


def model_file(content):
    def read():
        torch.save(content, "model.pt")
        return load_model("model.pt")

    return read


def ends(model, loader):
    sys.exit(1)


def fails(model, loader):
    raise KeyError("x")


F = rows()
ONE = pd.DataFrame({"x": [0.5, 1.5]})
PAIRS = TensorDataset(X.float(), Y)
STATE = NeuralNet(5, 4, 3).state_dict()
QUOTE_OPEN = text_of([['"1', *ROWS[0][1:]]])
A_ROW_SHORT = GOOD.replace(",0.1,GALAXY,323,51615,541", "")
UTF8 = ("not a text file in UTF-8", "Unpack it if it is compressed or a spreadsheet, and export it as CSV")
BUSY = "<!DOCTYPE html><html>busy</html>"
PAIR = "must be a pair (features, labels)"
AUDITED = "Give a pandas DataFrame, a PyTorch dataset of known length"

# name: (what is called, the type of error, the cause, the remedy)
ERRORS = {
    # Files
    "a missing file": (lambda: load_sdss("no.csv"), FileNotFoundError, "no file no.csv", "Check the spelling"),
    "a folder": (lambda: load_sdss("."), ValueError, "is a folder", "Name the CSV file in it"),
    "a device without end": (link("/dev/zero"), ValueError, "is not an ordinary file", "Name the CSV file"),
    "a name too long": (lambda: load_sdss("x" * 300), ValueError, "cannot be read", "Copy it"),
    "a number for a path": (lambda: load_sdss(3), TypeError, "The path is an int", "give the name of a CSV file"),
    "a frame for a path": (lambda: load_sdss(F), TypeError, "is a DataFrame", "give the name of a CSV file"),
    "an empty file": (export(""), ValueError, "is empty", "Download the export once more"),
    "a blank file": (export(" \n\n\t\n"), ValueError, "is empty", "Download"),
    "a byte order mark alone": (export(codecs.BOM_UTF8), ValueError, "is empty", "Download"),
    "a header alone": (export(text_of([])), ValueError, "a header and no rows", "Check the query"),
    "#Table1, a header": (export("#Table1\n" + text_of([])), ValueError, "a header and no rows", "Check the query"),
    "#Table1 alone": (export("#Table1\n"), ValueError, "not begin with a header", "Export it as CSV"),
    "no header": (export(GOOD.partition("\n")[2]), ValueError, "no column 'objid'", "Export these columns"),
    "binary": (export(bytes(range(256))), ValueError, *UTF8),
    "gzip": (export(gzip.compress(GOOD.encode())), ValueError, *UTF8),
    "zip, or a spreadsheet": (export(b"PK\x03\x04" + bytes(200)), ValueError, *UTF8),
    "UTF-16": (export(GOOD.encode("utf-16")), ValueError, *UTF8),
    "UTF-16 without a mark": (export(GOOD.encode("utf-16-le")), ValueError, *UTF8),
    "Latin-1": (export(GOOD.encode() + b"\xb0"), ValueError, *UTF8),
    "a NUL": (field("class", "ST\0R"), ValueError, *UTF8),
    "HTML": (export("\n" + BUSY), ValueError, "a web page (HTML)", "download the export as CSV"),
    "a VOTable": (export("<?xml version='1.0'?><VOTABLE/>"), ValueError, "XML", "download the export as CSV"),
    "JSON": (export('[{"objid": 1, "ra": 2}]'), ValueError, "JSON", "download the export as CSV"),
    "cut off in a row": (export(GOOD[:-20]), ValueError, "line 5: the line is cut off", "Download the export"),
    "a short row": (export(A_ROW_SHORT), ValueError, "line 3: the line is cut off before column 'redshift", "Download"),
    "a long row": (field("plate", "3,23"), ValueError, "line 3: 15 fields under a header of 14", "Mend that line"),
    "semicolons": (export(GOOD.replace(",", ";")), ValueError, "separator is a semicolon", "as CSV, with commas"),
    "semicolons, decimal commas": (
        export(GOOD.replace(",", ";").replace(".", ",")), ValueError, "is a semicolon", "with commas"
    ),
    "tabs": (export(GOOD.replace(",", "\t")), ValueError, "separator is a tab", "as CSV, with commas"),
    "bars": (export("#Table1\n" + GOOD.replace(",", "|")), ValueError, "is a vertical bar", "with commas"),
    "spaces": (export(GOOD.replace(",", " ")), ValueError, "separator is a space", "as CSV, with commas"),
    "a column missing": (export(GOOD.replace("redshift", "zz")), ValueError, "no column 'redshift'", "Export these"),
    "two columns missing": (export(GOOD.replace("ra,dec", "x,y")), ValueError, "no column 'ra', 'dec'", "Export these"),
    "a column twice": (export(GOOD.replace("fiberid", "ALPHA")), ValueError, "more than one column 'ra'", "Keep one"),
    "commas at every end": (export(GOOD.replace("\n", ",,\n")), ValueError, "column without a name", "Keep one"),
    "a hundred thousand columns": (export("a," * 10**5 + "\n"), ValueError, "more than one column 'a'", "Keep one"),
    "an open quotation mark": (field("g", '"17.2'), ValueError, "line 3: a quotation mark", "Mend that line"),
    "an open one in a large file": (export(QUOTE_OPEN + GOOD * 800), ValueError, "line 2: a quotation", "Mend that"),
    "one closed too early": (field("g", '"17".2'), ValueError, "line 3: a quotation mark", "Mend that line"),
    "a line of a megabyte": (field("class", "S" * 2**20), ValueError, "line 3", "Mend that line"),
    "a second table": (export(GOOD + "#Table2\n" + GOOD), ValueError, "line 6: the line is cut off", "delete that"),
    "a fault after #Table1": (
        export("#Table1\n" + text_of(changed(1, "i", "?"))), ValueError, "line 4, column 'i': '?'", "Mend or delete"
    ),
    "a fault after blank lines": (
        export(GOOD.replace("\n", "\n\n", 2).replace("QSO", "COMET")), ValueError, "line 6, column 'class'", "Delete"
    ),
    "a fault after a wrapped field": (
        export(text_of([["19", *changed(1, "i", "?")[1]], ['"a\nb"', *ROWS[0]]][::-1], ["note", *HEADER])),
        ValueError, "line 4, column 'i': '?'", "Mend or delete",
    ),
    # Values
    "a word for a magnitude": (field("g", "bright"), ValueError, "line 3, column 'g': 'bright' is not a num", "Mend"),
    "a formula": (field("g", "=1+1"), ValueError, "line 3, column 'g': '=1+1' is not a number", "Mend or delete"),
    "a decimal comma": (field("g", '"17,2"'), ValueError, "column 'g': '17,2' is not a number", "Mend or delete"),
    "a per cent sign": (field("g", "17%"), ValueError, "'17%' is not a number", "Mend or delete that line"),
    "an underscore": (field("g", "1_7"), ValueError, "'1_7' is not a number", "Mend or delete that line"),
    "a word for a redshift": (field("redshift", "z=1"), ValueError, "column 'redshift': 'z=1' is not", "Mend"),
    "an endless field": (field("g", "x" * 10**5), ValueError, "xxx...' is not a number", "Mend or delete that line"),
    "off the sky": (field("dec", "-90.5"), ValueError, "column 'dec': '-90.5' is not a position", "Mend or delete"),
    "nowhere": (field("ra", ""), ValueError, "'nan' is not a position on the sky (degrees from 0", "Mend or delete"),
    "infinitely far round": (field("ra", "1e400"), ValueError, "'inf' is not a position", "Mend or delete that line"),
    "an unknown class": (field("class", "quasar"), ValueError, "'quasar' is an unknown class", "Delete rows of other"),
    "no class": (field("class", ""), ValueError, "column 'class': '' is an unknown", "Delete rows of other classes"),
    "no row with magnitudes": (
        export(changed(0, "u", "-9999")[:1]), ValueError, "none with all five magnitudes (u, g, r, i, z)", "Export rows"
    ),
    "no rows wanted": (lambda: load_sdss(max_rows=0), ValueError, "max_rows=0", "ask for at least 1 row"),
    "rows wanted by a word": (lambda: load_sdss(max_rows="9"), ValueError, "max_rows='9'", "by a whole number"),
    "a truth value of rows wanted": (lambda: load_sdss(max_rows=True), ValueError, "max_rows=True", "a whole number"),
    "half rows wanted": (lambda: load_sdss(max_rows=2.5), ValueError, "max_rows=2.5", "by a whole number"),
    # Splits
    "a class with one object": (split(F.drop([3, 6, 9])), ValueError, "Class GALAXY has 1 object(s)", "load more"),
    "a class with too few objects": (split(F[:4]), ValueError, "Class GALAXY has 2 object(s)", "load more rows"),
    "sizes that add up to one": (split(test_size=0.5, val_size=0.5), ValueError, "test_size=0.5", "together under 1"),
    "sizes that add up to over one": (split(test_size=0.9, val_size=0.2), ValueError, "=0.9", "together under 1"),
    "a negative size": (split(test_size=-0.1), ValueError, "test_size=-0.1", "none negative"),
    "a size that is a number of rows": (split(test_size=4), ValueError, "test_size=4", "shares of the whole"),
    "a size of NaN": (split(val_size=math.nan), ValueError, "val_size=nan", "shares of the whole"),
    "a size in words": (split(test_size="0.2"), ValueError, "test_size='0.2'", "shares of the whole"),
    "a negative seed": (split(seed=-1), ValueError, "seed=-1", "give a whole number from 0"),
    "no seed": (split(seed=None), ValueError, "seed=None", "give a whole number from 0"),
    "no rows to split": (split(F[:0]), ValueError, "The frame has no rows", "give some"),
    "an array to split": (split(F.to_numpy()), TypeError, "The frame is a ndarray", "as load_sdss() returns it"),
    "no ids to split by": (split(F.drop(columns="objid")), ValueError, "no column objid", "it has u, g, r"),
    "two columns of ids": (split(F[[*F, "objid"]]), ValueError, "more than one column objid", "Keep one"),
    "a row without an id": (split(F.assign(objid=[None, *range(11)])), ValueError, "rows have no objid", "dropna"),
    "a row without a class": (split(F.replace("STAR", np.nan)), ValueError, "no class", "Drop them: frame.dropna"),
    # Datasets
    "an empty frame": (dataset(F[:0]), ValueError, "The frame has no rows", "give some"),
    "no features": (dataset(features=[]), ValueError, "No features are named", "Give at least one"),
    "an array for a frame": (dataset(F.to_numpy()), TypeError, "is a ndarray", "as load_sdss() returns it"),
    "a feature missing": (dataset(F.drop(columns="g")), ValueError, "no column g", "it has u, r, i, z"),
    "a feature missing, columns numbered": (dataset(F.rename(columns={"g": 1})), ValueError, "no column g", "u, 1, r"),
    "classes missing": (dataset(F.drop(columns="class")), ValueError, "no column class", "it has u, g"),
    "a feature twice": (dataset(F[[*F, "u"]]), ValueError, "more than one column u", "Keep one of each"),
    "words for features": (dataset(features=["class"]), ValueError, "of class are numbers", "Name columns of numbers"),
    "a class of another survey": (dataset(F.replace("QSO", "AGN")), ValueError, "Unknown class 'AGN'", "known: GALAXY"),
    "NaN in a row": (dataset(F.assign(r=[1.0] * 3 + [np.nan] * 9)), ValueError, "'r' of row 3 is nan", "Drop rows"),
    "infinity in a row": (dataset(F.assign(r=[1.0] * 3 + [np.inf] * 9)), ValueError, "of row 3 is inf", "Drop rows"),
    "too large for float32": (dataset(F.assign(r=1e300)), ValueError, "'r' of row 0 is 1e+300", "Drop rows"),
    "a scaler not fitted": (dataset(scaler=StandardScaler()), ValueError, "is not fitted", "Fit it on the training"),
    "a scaler of other columns": (dataset(scaler=scaler(["u", "g"])), ValueError, "does not go with", "was fitted on"),
    "a class for a scaler": (dataset(scaler=StandardScaler), ValueError, "does not go with", "was fitted on"),
    "NaN in a scaler": (
        dataset(F.assign(r=np.nan), scaler=PCA(2).fit(F[FEATURES])), ValueError, "contains NaN", "training rows"
    ),
    # Tensors
    "no batch": (judge([]), ValueError, "no rows to evaluate", "the loader is empty"),
    "one column of logits": (judge((X[:, :1], Y)), ValueError, "the shape (8, 1)", "torch.cat("),
    "one column, labels too": (judge((X[:, :1], Y[:, None] % 2)), ValueError, "binary", "torch.cat("),
    "no column": (judge((X[:, :0], Y)), ValueError, "shape (8, 0)", "must be (N, C), C >= 2"),
    "flat logits": (judge((X[:, 0], Y)), ValueError, "logits have the shape (8,)", "must be (N, C), C >= 2"),
    "logits of an image": (judge((X[:, :, None], Y)), ValueError, "shape (8, 3, 1)", "must be (N, C)"),
    "whole logits": (judge((X.long(), Y)), TypeError, "The logits are torch.int64", "Return them before any argmax"),
    "a tuple of logits": (judge((X, Y), model=Gives(lambda x: (x,))), TypeError, "returned a tuple", "return logits"),
    "a label too large": (judge((X, Y + 2)), ValueError, "A label is 4", "need labels from 0 to 2"),
    "labels from 1": (judge((X, Y.clamp(1) + 1)), ValueError, "A label is 3; 3 columns", "need labels from 0 to 2"),
    "a negative label": (judge((X, -1 - Y)), ValueError, "A label is -", "need labels from 0 to 2"),
    "a label of -100": (judge((X, Y * 0 - 100)), ValueError, "A label is -100", "need labels from 0 to 2"),
    "float labels": (judge((X, Y.double())), TypeError, "torch.float64; they must be class", "labels.long()"),
    "float labels in a column": (judge((X, Y[:, None].float())), TypeError, "torch.float32", "labels.long()"),
    "Boolean labels": (judge((X[:, :2], Y > 1)), TypeError, "torch.bool", "labels.long()"),
    "complex labels": (judge((X, Y.to(torch.complex64))), TypeError, "torch.complex64", "must be class indices"),
    "one-hot labels": (judge((X, nn.functional.one_hot(Y, 3))), ValueError, "shape (8, 3)", "labels.argmax(1)"),
    "one-hot float labels": (
        judge((X, nn.functional.one_hot(Y, 3).double())), ValueError, "they are one-hot", "labels.argmax(1)"
    ),
    "a row of labels": (judge((X, Y[None])), ValueError, "labels have the shape (1, 8)", "must be (N,) or (N, 1)"),
    "a block of labels": (judge((X, Y[:, None, None])), ValueError, "shape (8, 1, 1)", "must be (N,) or (N, 1)"),
    "one label": (judge((X, Y[0])), ValueError, "shape ()", "must be (N,) or (N, 1)"),
    "a NaN logit": (judge((X, Y), (NAN, Y)), ValueError, "logits are NaN or infinite", "Check the features"),
    "an infinite logit": (judge((INF, Y)), ValueError, "logits are NaN or infinite", "Check the features"),
    "no class possible": (judge((OUT, Y)), ValueError, "logits are NaN or infinite", "Check the features"),
    "NaN features": (judge((NAN, Y), model=NET), ValueError, "NaN or infinite", "Check the features for missing"),
    "too few labels": (judge((X, Y[:7])), ValueError, "8 rows of logits and 7 labels", "must be as many"),
    "one label for all": (judge((X, Y[:1])), ValueError, "8 rows of logits and 1 labels", "must be as many"),
    "too few logits": (judge((X[:7], Y)), ValueError, "7 rows of logits and 8 labels", "must be as many"),
    "more classes in a later batch": (judge((X, Y), (X[:, :2], Y % 2)), ValueError, "3 and 2 classes", "same for all"),
    "single features": (judge((X.float(), Y), model=NET), TypeError, "are torch.float32", "features.to(torch.float64)"),
    "whole features": (judge((X.long(), Y), model=NET), TypeError, "are torch.int64", "features.to(torch.float64)"),
    "too few features": (
        judge((X[:, :2], Y), model=NET), RuntimeError, "features that the model got have the shape (8, 2)",
        "Does its first layer take such rows",
    ),
    "features on meta": (judge((X.to("meta"), Y), model=NET), ValueError, "is on the device meta", "on the CPU"),
    "labels on meta": (judge((X, Y.to("meta")), model=NET), ValueError, "is on the device meta", "on the CPU"),
    "weights on meta": (
        judge((X, Y), model=NeuralNet(3, 4, 3).to("meta")), ValueError, "meta, which holds no numbers", "on the CPU"
    ),
    "an unknown device": (judge((X, Y), device="gpu"), ValueError, "The device 'gpu' is not there", "Take 'cpu'"),
    "features alone": (judge([X]), TypeError, "A batch is a Tensor; it", PAIR),
    "three things": (judge((X, Y, Y)), TypeError, "A batch is a tuple of 3 parts", PAIR),
    "a dictionary": (judge([{"x": X, "y": Y}]), TypeError, "A batch is a dict", PAIR),
    "a frame to evaluate": (judge(F), TypeError, "A batch is a str", PAIR),
    "arrays": (judge((X.numpy(), Y.numpy())), TypeError, "features of a batch are a ndarray", "torch.as_tensor"),
    "a list of labels": (judge((X, Y.tolist())), TypeError, "labels of a batch are a list", "torch.as_tensor"),
    "no data": (judge(None), TypeError, "The data is a NoneType", "give a Dataset, a DataLoader"),
    "a function for a model": (judge((X, Y), model=torch.relu), TypeError, "The model is a", "torch.nn.Module"),
    "a class for a model": (judge((X, Y), model=NeuralNet), TypeError, "The model is a type", "torch.nn.Module"),
    "a batch of no rows": (judge(PAIRS, batch_size=0), ValueError, "batch_size=0", "whole number of rows, at least 1"),
    "a batch of half a row": (judge(PAIRS, batch_size=0.5), ValueError, "batch_size=0.5", "whole number of rows"),
    "batches in batches": (judge([(X, Y)], batch_size=2), TypeError, "batch_size goes with a Dataset", "leave it out"),
    "an accuracy of no rows": (
        lambda: Evaluation(np.zeros((2, 2), int), 0.0).accuracy, ValueError, "no rows", "Evaluate at least one"
    ),
    "a level in per cent": (
        lambda: Evaluation(np.eye(2, dtype=int), 0.0).interval(95), ValueError, "level=95", "a fraction between 0 and 1"
    ),
    # Loaders, and what `fit` is given
    "an empty loader": (judge(DataLoader(Subset(PAIRS, []))), ValueError, "no rows to evaluate", "the loader is empty"),
    "an empty dataset": (judge(Subset(PAIRS, [])), ValueError, "no rows to evaluate", "the loader is empty"),
    "an empty batch": (judge((X[:0], Y[:0])), ValueError, "no rows to evaluate", "the loader is empty"),
    "all rows dropped": (judge(DataLoader(PAIRS, 9, drop_last=True)), ValueError, "no rows", "the loader is empty"),
    "a loader that raises": (lambda: judge(half_way())(), OSError, "the disk is gone", "the disk is gone"),
    "a dataset that raises": (judge(Breaks()), OSError, "row 3 is damaged", "row 3 is damaged"),
    "an empty training loader": (train([]), ValueError, "no training rows in epoch 1", "is empty or used up"),
    "a training loader used up": (lambda: train(iter([(X, Y)]), epochs=2)(), ValueError, "in epoch 2", "or used up"),
    "a training loader that raises": (lambda: train(half_way())(), OSError, "the disk is gone", "the disk is gone"),
    "an empty validation loader": (train(val_data=[]), ValueError, "no rows to evaluate", "the loader is empty"),
    "a dataset to train on": (train(PAIRS), TypeError, "The training data is a TensorDataset", "DataLoader(dataset"),
    "nothing to train on": (train(None), TypeError, "The training data is a NoneType", "DataLoader(dataset"),
    "single features to train on": (train([(X.float(), Y)]), TypeError, "torch.float32", "features.to(torch.float64)"),
    "float labels to train on": (train([(X, Y.double())]), TypeError, "must be class indices", "labels.long()"),
    "a label too large to train on": (train([(X, Y + 1)]), ValueError, "A label is 3", "need labels from 0 to 2"),
    "NaN to train on": (train([(NAN, Y)]), ValueError, "The loss is nan in epoch 1, batch 1", "Lower the learning"),
    "no epoch": (train(epochs=0), ValueError, "epochs=0", "train for at least 1"),
    "half an epoch": (train(epochs=0.5), ValueError, "epochs=0.5", "train for at least 1"),
    "a negative learning rate": (train(lr=-1.0), ValueError, "lr=-1.0", "give a small positive number"),
    "a learning rate of NaN": (train(lr=math.nan), ValueError, "lr=nan", "give a small positive number"),
    "frozen weights": (
        train(model=NeuralNet(3, 4, 3).double().requires_grad_(False)), ValueError, "Nothing can be trained", "thaws"
    ),
    "a model without weights": (train(model=SAY), ValueError, "Nothing can be trained", "model.requires_grad_()"),
    "no gradients": (without_gradients, ValueError, "gradients are switched off", "Train outside of torch.no_grad"),
    "a function to train": (train(model=torch.relu), TypeError, "The model is a", "torch.nn.Module"),
    "weights on meta to train": (train(model=NeuralNet(3, 4, 3).to("meta")), ValueError, "meta", "on the CPU"),
    # Parquet and model files
    "no Parquet files": (lambda: ParquetBatches("."), ValueError, "no files *.parquet", "Check the name of the folder"),
    "text for Parquet": (parquet(b"u,g,r\n"), ValueError, "rows.parquet cannot be read", "Write that file once more"),
    "a damaged Parquet file": (parquet(F, spoil=b"\xff" * 30), ValueError, "rows.parquet cannot be read", "once more"),
    "a column missing in Parquet": (parquet(F.drop(columns="g")), ValueError, "has no column g", "It needs u, g, r"),
    "words in Parquet": (parquet(F.assign(u="a")), ValueError, "rows.parquet: Not all values", "Name columns of"),
    "NaN in Parquet": (parquet(F.assign(u=np.nan)), ValueError, "rows.parquet: Feature 'u' of row 0 is nan", "Drop"),
    "a Parquet batch of no rows": (parquet(F, batch_size=0), ValueError, "batch_size=0", "give a whole number"),
    "no model file": (lambda: load_model("no.pt"), ValueError, "no.pt cannot be read", "No such file"),
    "a folder for a model": (lambda: load_model("."), ValueError, "cannot be read", "a directory"),
    "another model file": (model_file({"weights": 1}), ValueError, "save_model has not written", "state_dict"),
    "a scaling of other features": (
        model_file({"state_dict": STATE, "mean": torch.ones(4), "scale": torch.ones(4)}), ValueError,
        "save_model has not written", "not those of 5 features",
    ),
    "a model for other classes": (
        model_file({"state_dict": NeuralNet(5, 4, 2).state_dict(), "mean": torch.ones(5), "scale": torch.ones(5)}),
        ValueError, "5 features and 2 classes", "it needs 5 (u, g, r, i, z) and 3",
    ),
    "another model to keep": (lambda: save_model("m.pt", SAY, scaler()), TypeError, "is an Identity", "a NeuralNet"),
    "no scaler to keep": (lambda: save_model("m.pt", NET, None), ValueError, "The scaler None", "Give a Standard"),
    "half a scaler to keep": (
        lambda: save_model("m.pt", NET, scaler(with_mean=False)), ValueError, "no mean and scale", "StandardScaler()"
    ),
    # Audits
    "a function that raises": (lambda: audit(fails), RuntimeError, "raises on every probe", "last line: KeyError: 'x'"),
    "a function that exits": (lambda: audit(ends), RuntimeError, "ended the program", "Let it return the accuracy"),
    "a function that gives nothing": (
        lambda: audit(lambda model, loader: print(0.5)), TypeError, "returned None", "is there a return at its end"
    ),
    "a function that gives a pair": (
        lambda: audit(lambda model, loader: (1.0, evaluate(model, loader).accuracy)), TypeError,
        "returned a tuple", "audit(lambda model, loader: evaluate(model, loader)[1])",
    ),
    "a function that gives NaN": (lambda: audit(lambda model, loader: math.nan), ValueError, "NaN", "divided by zero"),
    "a number to audit": (lambda: audit(0.7), TypeError, "this is a float", "a function evaluate(model, loader)"),
    "an unknown scale": (lambda: audit(evaluate, scale="%"), ValueError, "scale='%'", "say 'auto'"),
    "an empty test set": (leak(ONE, ONE[:0]), ValueError, "test has no rows", "Look at how the sets were cut"),
    "an empty training set": (leak(ONE[:0], ONE), ValueError, "train has no rows", "Look at how the sets were cut"),
    "an empty array": (leak(np.zeros((0, 3)), np.zeros((2, 3))), ValueError, "train has no rows", "give at least one"),
    "an empty subset": (leak(PAIRS, Subset(PAIRS, [])), ValueError, "test has no rows", "give at least one"),
    "rows of nothing": (leak(np.zeros((3, 0)), np.zeros((3, 0))), ValueError, "no feature", "Give at least one"),
    "nothing in common": (
        leak(ONE, ONE.set_axis(["y"], axis=1)), ValueError, "train has the columns x, and test y", "Give both the same"
    ),
    "no such column": (leak(ONE, ONE, columns="y"), ValueError, "train has no column 'y'", "it has x"),
    "no such column in the test set": (
        leak(ONE.assign(y=1), ONE, columns=["x", "y"]), ValueError, "test has no column 'y'", "it has x"
    ),
    "no such key": (leak(ONE, ONE, keys=3), ValueError, "keys: train has no column '3'", "it has x"),
    "no key": (leak(ONE, ONE, keys=[]), ValueError, "keys names no column", "or leave keys out"),
    "no column named": (leak(ONE, ONE, columns=[]), ValueError, "columns names no column", "or leave columns out"),
    "words to compare": (
        leak(F, F, columns=["u", "class"]), TypeError, "columns=u, class: not all are numbers", "encode the others"
    ),
    "a column twice to compare": (leak(ONE[["x", "x"]], ONE), ValueError, "more than one column 'x'", "Keep one"),
    "a frame and an array": (leak(ONE, ONE.to_numpy()), TypeError, "a DataFrame and test a ndarray", "frame.to_numpy"),
    "keys of datasets": (leak(PAIRS, PAIRS, keys="x"), ValueError, "name columns of frames", "or leave both out"),
    "columns of datasets": (leak(PAIRS, PAIRS, columns="x"), ValueError, "name columns of frames", "or leave both out"),
    "rows of other widths": (
        leak(np.zeros((2, 3)), np.zeros((2, 4))), ValueError, "shape (3,) and one of test (4,)", "the same features"
    ),
    "rows of other layouts": (
        leak(np.zeros((2, 3, 4)), np.zeros((2, 4, 3))), ValueError, "cannot be compared", "in the same layout"
    ),
    "lists": (leak([[1, 2]], [[1, 2]]), TypeError, "train is a list", AUDITED),
    "a file name": (leak(np.zeros(2), "test.csv"), TypeError, "test is a str", AUDITED),
    "a column for a frame": (leak(ONE["x"], ONE["x"]), TypeError, "train is a Series", AUDITED),
    "one number": (leak(np.float64(1), np.zeros(2)), TypeError, "train is a float64", AUDITED),
    "an array of words": (leak(np.array(["a"]), np.array(["a"])), TypeError, "an array of <U1", AUDITED),
    "complex numbers": (leak(np.ones(2) * 1j, np.ones(2)), TypeError, "array of complex128", "of real numbers"),
    "a complex tensor": (
        leak(torch.ones(2) * 1j, torch.ones(2)), TypeError, "train is a Tensor of torch.complex64", "of real numbers"
    ),
    "a tensor on meta": (leak(X.to("meta"), X), TypeError, "on meta", AUDITED),
    "a sparse tensor": (leak(X.to_sparse(), X), TypeError, "torch.sparse_coo", AUDITED),
    "a loader": (leak(DataLoader(PAIRS), PAIRS), TypeError, "train is a DataLoader", "of a loader: loader.dataset"),
    "a stream": (leak(Stream(), PAIRS), TypeError, "train is a Stream", "of known length"),
    "features without labels": (leak(TensorDataset(X), PAIRS), TypeError, "A batch is a", PAIR),
    "a set that raises": (leak(Breaks(), PAIRS), OSError, "row 3 is damaged", "row 3 is damaged"),
}  # fmt: skip


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SDSS_LESSON_QUIET", "1")


@pytest.mark.parametrize("name", ERRORS)
def test_an_error_names_the_cause_and_the_remedy(name):
    call, kind, cause, remedy = ERRORS[name]
    with pytest.raises(kind) as caught:
        call()
    error = caught.value
    message = " ".join([str(error), *getattr(error, "__notes__", [])])
    assert type(error) is kind
    assert cause in message and remedy in message, message
    assert "\n" not in message and "np.float64" not in message and len(message) < 900
    if kind is not OSError:  # which comes from the learner's own loader, as it is
        ours = [Path(frame.filename).is_relative_to(PACKAGE) for frame in traceback.extract_tb(error.__traceback__)]
        assert ours[-1] or error.__notes__


def keeps(*numbers):
    """The rows of these numbers are left, and each is what the file says."""
    redshifts, ids = ([float(ROWS[number][9]) for number in numbers], [int(ROWS[number][0]) for number in numbers])
    return lambda frame: frame["redshift"].tolist() == redshifts and frame["objid"].tolist() == ids


def tells_apart(frame):
    """Whatever the ids were: rows 1 and 3 are one object, and no two rows are one spectrum."""
    return frame.groupby("objid").indices.keys() == set(frame["objid"][:3]) and frame["specobjid"].is_unique


def crowd(n=3_000):
    """A damaged export of many rows in one place, which are millions of pairs."""
    return export(text_of([["1E+18", *ROWS[0][1:]]] * n))


def prints(model, loader):
    print("Accuracy:", found := evaluate(model, loader).accuracy)
    return found


def draws(model, loader):
    torch.manual_seed(3)
    np.random.seed(3)  # noqa: NPY002
    return evaluate(model, loader).accuracy


def states():
    return torch.get_rng_state().tolist(), np.random.get_state()[1].tolist()  # noqa: NPY002


def unseeded():
    before = states()
    report = audit(draws)
    return report.ok and states() == before


QUOTED = text_of([[f'"{word}"' for word in row] for row in ROWS], [f'"{word}"' for word in HEADER])
ROUNDED = [[f"{float(row[0]):.2E}", f"{float(row[1]):.2E}", *row[2:]] for row in ROWS]
ALL, DROPPED = keeps(0, 1, 2, 3), "dropped 1 of 4 rows, because a magnitude is missing or lies outside of 0 to 35"

# name: (what is called, the warning if there is one, whether the answer is right)
ANSWERS = {
    # Files
    "a byte order mark": (export(codecs.BOM_UTF8 + GOOD.encode()), None, ALL),
    "CR line ends": (export(GOOD.replace("\n", "\r")), None, ALL),
    "CRLF line ends": (export(GOOD.replace("\n", "\r\n")), None, ALL),
    "no end of the last line": (export(GOOD[:-1]), None, ALL),
    "blank lines": (export(GOOD.replace("\n", "\n\n") + "\n\n"), None, ALL),
    "quotes": (export(QUOTED), None, ALL),
    "spaces around the fields": (export(GOOD.replace(",", " , ")), None, ALL),
    "a comment above": (export("# from SkyServer\n" + GOOD), None, ALL),
    "columns in capitals": (export(text_of(header=[name.upper() for name in HEADER])), None, ALL),
    "a link to a file": (lambda: Path("a.csv").write_text(GOOD) and link("a.csv")(), None, ALL),
    # Values
    **{
        f"a magnitude of {value!r}": (field("g", value), DROPPED, keeps(0, 2, 3))
        for value in ["-9999", "", "NaN", "null", "inf", "-Infinity", "1e999", "-3", "35.01", "99", "9999"]
    },
    "a magnitude of 28.18": (field("g", "28.18"), None, ALL),
    "a magnitude of 35": (field("g", "35"), None, ALL),
    "a redshift of NaN": (field("redshift", "NaN"), None, lambda frame: frame["redshift"].isna().tolist()[1]),
    "lower-case classes": (export(GOOD.lower()), None, ALL),
    "ids that a spreadsheet rounded": (export(ROUNDED), "a spreadsheet has rounded them", tells_apart),
    "ids as formulas": (field("objid", '"=""1237648704577142859"""'), "identify nothing", tells_apart),
    "ids with a decimal point": (field("objid", "1237648704577142859.0"), "identify nothing", tells_apart),
    "an id of 30 digits": (field("objid", "1" * 30), "identify nothing", tells_apart),
    "a negative specobjid": (field("specobjid", "-5"), "is now the row number", tells_apart),
    "an id missing": (field("objid", ""), "are not complete", tells_apart),
    "an id that others have": (field("objid", ROWS[2][0]), "identify nothing", tells_apart),
    "damaged ids of many rows in one place": (
        crowd(), "identify nothing", lambda frame: (len(frame), frame["objid"].nunique()) == (3_000, 1)
    ),
    # What comes after
    "ids in the index, too": (split(F.set_index("objid", drop=False)), None, lambda parts: len(parts.train) == 6),
    "one name for the features": (dataset(features="r"), None, lambda data: data.features.shape == (12, 1)),
    "a batch size of NumPy": (judge(PAIRS, batch_size=np.int64(3)), None, lambda found: found.n_samples == 8),
    "an empty batch among others": (judge((X[:0], Y[:0]), (X, Y)), None, lambda found: found.n_samples == 8),
    "a function that prints": (lambda: audit(prints), None, lambda report: report.ok),
    "a function that changes the global seed": (unseeded, None, bool),
    "NaN and infinities to compare": (
        leak(pd.DataFrame({"x": [np.nan, np.inf]}), pd.DataFrame({"x": [-np.inf, 1.0]})), None, lambda report: report.ok
    ),
    "keys that are missing": (leak(ONE.assign(k=np.nan), ONE.assign(k=np.nan), keys="k", columns="x"), None,
                              lambda report: "shared object" not in report.findings.index),
    "a column that is a number": (
        leak(ONE.set_axis([3], axis=1), ONE.set_axis([3], axis=1), columns=3), None, lambda report: report.share == 1
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ANSWERS)
def test_the_answer_is_right_and_a_warning_says_what_was_done(name, capsys):
    call, warning, right = ANSWERS[name]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        answer = call()
    messages = [str(each.message) for each in caught]
    assert right(answer)
    assert all(each.category is UserWarning for each in caught)
    assert any(warning in message for message in messages) if warning else not messages, messages
    assert capsys.readouterr() == ("", "")


def test_a_file_that_may_not_be_read(monkeypatch):
    def refuse(file):
        raise PermissionError(errno.EACCES, "Permission denied")

    Path("export.csv").write_text(GOOD)
    monkeypatch.setattr(Path, "read_bytes", refuse)  # whoever runs the tests may read everything
    with pytest.raises(ValueError, match=r"export\.csv cannot be read .*Permission denied.*Copy it"):
        load_sdss("export.csv")
