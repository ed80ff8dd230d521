"""What recommendations are held against: four lists that anybody would make, of the same events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from shared.features import Profiles
from shared.features.columns import PURCHASE
from shared.recommending.products import NEIGHBOURS, Products
from training.recommending.neighbours import tf_idf

AT_ONCE = 500

type Places = NDArray[np.int64]


@dataclass(frozen=True)
class Baselines:
    """Purchases before an instant, by customer and product, and what each baseline makes of them."""

    counts: sparse.csr_matrix
    """Lines bought [n_profiles, n_products]."""
    likeness: Mapping[str, sparse.csr_matrix]
    """By baseline, of products the NEIGHBOURS that are most alike [n_products, n_products]."""
    taste: Mapping[str, sparse.csr_matrix]
    """By baseline, what customers are known by [n_profiles, n_products]."""
    popular: Places
    """All products, those bought most often first."""
    available: NDArray[np.bool_]
    """Which products may be shown, as of ours."""

    @classmethod
    def at(cls, profiles: Profiles, products: Products, as_of_ms: int) -> Baselines:
        """As of an instant in UTC milliseconds."""
        rows = profiles.rows
        some = (rows.kind == PURCHASE) & (rows.time_ms < as_of_ms)
        place = products.places(rows.product[some])
        owner = profiles.owner[some][place >= 0]
        shape = (len(profiles), len(products))
        counts = sparse.coo_matrix((np.ones(len(owner), np.float32), (owner, place[place >= 0])), shape).tocsr()
        counts.sum_duplicates()
        taste = {"item cosine": _unit(counts), "TF-IDF neighbours": tf_idf(counts)}
        likeness = {name: _nearest(one) for name, one in taste.items()}
        bought = np.asarray(counts.sum(axis=0)).ravel()
        return cls(
            counts, likeness, dict.fromkeys(taste, counts), np.argsort(-bought, kind="stable"), products.available
        )

    def lists(self, customer: int, known: Places, most: int) -> dict[str, tuple[Places, Places]]:
        """By baseline, the best products for a customer: of all, and of those that are not `known` to them."""
        scores = {name: self.taste[name][customer] @ one for name, one in self.likeness.items()}
        lists = {"popularity": self.popular, "own frequency": _best(self.counts[customer])}
        lists |= {name: _best(score) for name, score in scores.items()}
        shown = {name: places[self.available[places]] for name, places in lists.items()}
        popular = shown["popularity"][: most + len(known)]
        return {
            name: (_filled(places, popular, most), places[~np.isin(places, known)][:most])
            for name, places in (shown | {"popularity": popular}).items()
        }


def _filled(places: Places, popular: Places, most: int) -> Places:
    """As many as a page has room for: what is missing are those that are popular."""
    if len(places) >= most:
        return places[:most]
    return np.concatenate([places, popular[~np.isin(popular, places)]])[:most]


def _best(row: sparse.csr_matrix) -> Places:
    places: Places = row.indices[np.lexsort((row.indices, -row.data))].astype(np.int64)
    return places


def _unit(counts: sparse.csr_matrix) -> sparse.csr_matrix:
    length = np.sqrt(np.bincount(counts.indices, counts.data.astype(np.float64) ** 2, minlength=counts.shape[1]))
    out = counts.copy()
    out.data = (out.data / length[out.indices]).astype(np.float32)
    return out


def _nearest(columns: sparse.csr_matrix) -> sparse.csr_matrix:
    by_product, n = columns.T.tocsr(), columns.shape[1]
    parts = []
    for begin in range(0, n, AT_ONCE):
        part = (by_product[begin : begin + AT_ONCE] @ columns).tocsr()
        for row in range(part.shape[0]):
            own = slice(part.indptr[row], part.indptr[row + 1])
            data = part.data[own]
            if len(data) > NEIGHBOURS:
                data[data < np.partition(data, len(data) - NEIGHBOURS)[len(data) - NEIGHBOURS]] = 0
        part.eliminate_zeros()
        parts.append(part)
    return sparse.vstack(parts).tocsr() if parts else sparse.csr_matrix((n, n), dtype=np.float32)
