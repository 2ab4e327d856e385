"""The field that the network learns of an object's shape: 0 at its outline, 1 at its middle."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.sparse.linalg import cg

_TOLERANCE = 1e-2  # relative residual
_ITERATIONS = 150
_LEAK = 1e-4  # of the heat: so that an object that fills the array has a solution

Labels = npt.NDArray[np.int32]
Field = npt.NDArray[np.float32]


def shape_field(objects: Labels) -> Field:
    """Return how warm objects are that are heated evenly and cold around, in shares of the warmest.

    Parameters
    ----------
    objects
        (Y, X), one number per object, each of one connected part; 0 = background.

    Returns
    -------
    (Y, X) float32
        0 in the background. Objects are taken to go on beyond the rim of the array.

    Notes
    -----
    Solves Poisson's equation ∇²u = -1 in each object with u = 0 outside of it (Gorelick et al.
    2006; the centres of Cellpose, Stringer et al. 2021, are found in a like way), by conjugate
    gradients. It is smoother than the distance to the outline, which has a ridge to every corner.
    """
    inside = objects > 0
    count = int(inside.sum())
    if count == 0:
        return np.zeros(objects.shape, np.float32)
    solved, _ = cg(_laplacian(objects), np.ones(count), rtol=_TOLERANCE, maxiter=_ITERATIONS)
    warmth = np.zeros(objects.shape)
    warmth[inside] = np.maximum(solved, 0)
    warmest = np.zeros(int(objects.max()) + 1)
    np.maximum.at(warmest, objects[inside], warmth[inside])
    return (warmth / np.maximum(warmest, 1e-9)[objects]).astype(np.float32)


def _laplacian(objects: Labels) -> Any:
    """Return the negative Laplacian of the objects' pixels in reading order, sparse."""
    inside = objects > 0
    count = int(inside.sum())
    place = np.full(objects.shape, -1)
    place[inside] = np.arange(count)
    beside = np.full(objects.shape, 4.0)
    beside[[0, -1]] -= 1  # nothing flows over the rim of the array
    beside[:, [0, -1]] -= 1
    rows, columns = [], []
    every, first, last = slice(None), slice(1, None), slice(None, -1)
    for one, other in (((last, every), (first, every)), ((every, last), (every, first))):
        same = inside[one] & (objects[one] == objects[other])
        rows += [place[one][same], place[other][same]]
        columns += [place[other][same], place[one][same]]
    places = np.concatenate(rows), np.concatenate(columns)
    links = sparse.coo_array((np.ones(len(places[0])), places), shape=(count, count))
    return (sparse.diags_array(beside[inside] + _LEAK) - links).tocsr()
