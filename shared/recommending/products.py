"""What is known of the products that may be recommended: numbers by the column, made by training."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

type Floats = NDArray[np.float32]
type Places = NDArray[np.int32]
"""Positions of products; -1 for none."""

MOST_PRODUCTS = 50_000
"""Of which anything is kept: those that most people dealt with lately."""
NEIGHBOURS = 20
"""Of a product, at most: those most often with the same customers."""
FAVOURITES = 50
"""Of all customers together, at most, of a segment and of a category."""
IN_DEMAND = 45
"""Places of a category's favourites for those in most demand; the others are for the newest."""
NOWHERE = -1


@dataclass(frozen=True)
class Products:
    """The products [n], sorted by code, and what they are to each other as of an instant."""

    code: NDArray[np.uint32]
    """As events have it in `Rows.product`: ascending [n]."""
    category: NDArray[np.uint32]
    """As events have it in `Rows.category`; 0 for none [n]."""
    available: NDArray[np.bool_]
    """Whether it may be recommended: what is not in the catalogue, where there is one, never is [n]."""
    demand: Floats
    """Logarithm of the customers who would buy it in 30 days if it sells on as it did lately: of what is new, and so
    has sold little yet, drawn to what its category sells of a product [n]."""
    trend: Floats
    """Logarithm of how much faster it sold in the last 30 days than in the 90 before [n]."""
    week: Floats
    """Logarithm of how much faster it sold in the last 7 days than in the last 30 [n]."""
    age_days: Floats
    """Since it was first seen [n]."""
    gap_days: Floats
    """Between two purchases of one customer, as a rule [n]."""
    repeats: Floats
    """Share of its buyers who bought it again [n]."""
    price: Floats
    """Logarithm of what a line of it is worth; NaN where that is not known [n]."""
    near: Places
    """Its neighbours, the nearest first, with NOWHERE for those that it lacks [n, NEIGHBOURS]."""
    alike: Floats
    """How much the customers of both are the same, from 0 to 1 [n, NEIGHBOURS]."""
    categories: NDArray[np.uint32]
    """All categories, ascending [n_categories]."""
    of_category: Places
    """Of each category those in most demand, and then the newest [n_categories, FAVOURITES]."""
    of_all: Places
    """Those in most demand [FAVOURITES]."""
    segments: NDArray[np.int32]
    """Ids of the segments, ascending [n_segments]."""
    of_segment: Places
    """Of each segment those that stand out the most by demand [n_segments, FAVOURITES]."""
    lift: Floats
    """Logarithm of how much more a segment buys of each of these than all customers do [n_segments, FAVOURITES]."""

    def __len__(self) -> int:
        return len(self.code)

    @cached_property
    def category_place(self) -> NDArray[np.int64]:
        """Where each product's category is among the categories; NOWHERE where it has none [n]."""
        at = np.minimum(np.searchsorted(self.categories, self.category), max(len(self.categories) - 1, 0))
        known = self.categories[at] == self.category if len(self.categories) else np.zeros(len(self), bool)
        return np.where(known & (self.category > 0), at, NOWHERE)

    def places(self, codes: NDArray[np.uint32]) -> NDArray[np.int64]:
        """Where the products with `codes` are, NOWHERE for those that are not known [m]."""
        if not len(self.code):
            return np.full(len(codes), NOWHERE)
        at = np.minimum(np.searchsorted(self.code, codes), len(self.code) - 1)
        return np.where((self.code[at] == codes) & (codes > 0), at, NOWHERE)
