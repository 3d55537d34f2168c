"""Objects by their ids, and by their place on the sky where a spreadsheet has spoilt the ids."""

import re

import numpy as np
import pandas as pd

from sdss_lesson._checks import short

ARCSECOND = np.deg2rad(1 / 3600)
_INTEGER = re.compile(r"-?\d{1,20}")


def on_the_sphere(table: pd.DataFrame) -> np.ndarray:
    """Unit vectors: distances between them know nothing of the seam at 0 and 360 degrees, nor of the poles."""
    ra, dec = np.deg2rad(table["ra"].to_numpy()), np.deg2rad(table["dec"].to_numpy())
    return np.column_stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)])


def identifies(ids: np.ndarray, table: pd.DataFrame) -> bool:
    """Whether rows that share an id also share a place on the sky (within one arcsecond of the first of them)."""
    xyz = on_the_sphere(table)
    _, first, which = np.unique(ids, return_index=True, return_inverse=True)
    return bool((np.linalg.norm(xyz - xyz[first[which]], axis=1) <= ARCSECOND).all())


def whole_ids(table: pd.DataFrame, name: str, dtype: type[np.int64] | type[np.uint64]) -> np.ndarray | None:
    """The ids as integers of 64 bits, or None where they are not, or are shared by rows that lie far apart."""
    words = [word.strip() for word in table[name]]
    if not all(map(_INTEGER.fullmatch, words)):
        return None
    ids, limits = [int(word) for word in words], np.iinfo(dtype)
    if min(ids) < limits.min or max(ids) > limits.max:
        return None
    found = np.array(ids, dtype=dtype)
    return found if identifies(found, table) else None


def damage(ids: pd.Series) -> str:
    """What is wrong with ids that `whole_ids` refuses."""
    example = next((word for word in ids if not _INTEGER.fullmatch(word.strip())), ids[0])
    if not example.strip():
        return f"the ids in {ids.name!r} are not complete: some rows have none."
    return f"the ids in {ids.name!r} (such as {short(example)!r}) identify nothing: a spreadsheet has rounded them."


def objid_from_position(table: pd.DataFrame) -> np.ndarray:
    """One integer for all rows within an arcsecond: the first such position in tenths of an arcsecond."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components
    from scipy.spatial import cKDTree

    # A place counts once: thousands of rows in one would be millions of pairs.
    places, place = np.unique(on_the_sphere(table), axis=0, return_inverse=True)
    pairs = cKDTree(places).query_pairs(ARCSECOND, output_type="ndarray")
    links = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(len(places), len(places)))
    _, group = connected_components(links, directed=False)
    tenths_ra = np.rint(table["ra"].to_numpy() * 36_000).astype(np.int64) % (360 * 36_000)
    tenths_dec = np.rint((table["dec"].to_numpy() + 90) * 36_000).astype(np.int64)
    ids = pd.Series(tenths_ra * 10_000_000 + tenths_dec)
    return ids.groupby(group[place.ravel()]).transform("min").to_numpy()
