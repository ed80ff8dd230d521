"""Which products go with which: those that the same customers took to, by the cosine of TF-IDF weights."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from shared.recommending.products import NEIGHBOURS, NOWHERE

LEAST_CUSTOMERS = 3
"""Of fewer, a product has no neighbours: it would tell of persons and not of products."""
MOST_OF_ONE = 500
"""Products of one customer that count, the strongest: beyond, all would go with all."""
AT_ONCE = 500
"""Products whose neighbours are looked for at once."""

type Ints = NDArray[np.int64]


def neighbours(
    owner: Ints, place: Ints, weight: NDArray[np.float64], n_owners: int, n_products: int
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """The neighbours of each product, the nearest first, and how alike they are [n_products, NEIGHBOURS each].

    Somebody of number `owner` dealt with the product at `place`, which says so much of their liking as `weight` [n
    each]. J. Ramos, Using TF-IDF to determine word relevance in document queries, 2003, with customers as documents.
    """
    near = np.full((n_products, NEIGHBOURS), NOWHERE, np.int32)
    alike = np.zeros((n_products, NEIGHBOURS), np.float32)
    liked = sparse.coo_matrix((weight, (owner, place)), (n_owners, n_products)).tocsr()
    liked = _strongest(liked)
    customers = np.bincount(liked.indices, minlength=n_products)
    kept = np.flatnonzero(customers >= LEAST_CUSTOMERS)
    columns = tf_idf(liked[:, kept])
    rows = columns.T.tocsr()
    for begin in range(0, len(kept), AT_ONCE):
        together = (rows[begin : begin + AT_ONCE] @ columns).tocsr()
        for row, (first, last) in enumerate(pairwise(together.indptr.tolist())):
            others, likeness = together.indices[first:last], together.data[first:last]
            likeness[others == begin + row] = 0.0
            best = strongest(likeness, NEIGHBOURS)
            at = kept[begin + row]
            near[at, : len(best)] = kept[others[best]]
            alike[at, : len(best)] = likeness[best]
    return near, alike


def strongest(likeness: NDArray[np.float32], most: int) -> NDArray[np.intp]:
    """Positions of the greatest numbers above 0, the greatest first [at most `most`]."""
    at = np.argpartition(-likeness, most - 1)[:most] if len(likeness) > most else np.arange(len(likeness))
    at = at[likeness[at] > 0]
    return at[np.lexsort((at, -likeness[at]))]


def tf_idf(liked: sparse.csr_matrix) -> sparse.csr_matrix:
    """Square roots of weights times the logarithm of how rare a product is, each product's column of length 1."""
    customers = np.bincount(liked.indices, minlength=liked.shape[1])
    rare = np.log((1 + liked.shape[0]) / (1 + customers))
    out = liked.astype(np.float32)
    out.data = np.sqrt(out.data) * rare[out.indices].astype(np.float32)
    length = np.sqrt(np.bincount(out.indices, out.data.astype(np.float64) ** 2, minlength=out.shape[1]))
    out.data /= np.maximum(length, 1e-9)[out.indices].astype(np.float32)
    return out


def _strongest(liked: sparse.csr_matrix) -> sparse.csr_matrix:
    """The same with at most MOST_OF_ONE products a customer."""
    for row in np.flatnonzero(np.diff(liked.indptr) > MOST_OF_ONE).tolist():
        own = slice(liked.indptr[row], liked.indptr[row + 1])
        data = liked.data[own]
        limit = np.partition(data, len(data) - MOST_OF_ONE)[len(data) - MOST_OF_ONE]
        data[data < limit] = 0.0
    liked.eliminate_zeros()
    return liked
