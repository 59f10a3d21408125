"""Memories of the log-sum-ReLU (Epanechnikov) energy, stored and emergent, by enumeration.

    E(x) = -(1/beta) ln(eps + sum_mu max(0, 1 - beta |x - x_mu|^2/2))

Where the same patterns B are active, |x - x_mu|^2 < 2/beta, the sum is a concave paraboloid with
its maximum at the centroid c_B. At the edge of a pattern's support its slope only grows with the
pattern, so that there is no maximum: the minima of E are exactly the centroids c_B that lie inside
their own region. |B| = 1 is a stored pattern, |B| > 1 an emergent memory.

Source: B. Hoover et al., arXiv:2506.10801 (the energy and its emergent memories); the enumeration
derived here, checked by searches on a grid.
"""

import numpy as np

from hopfield_sim.theory.labels import dataset, parameter

_ABOUT = {
    "convention": "E = -(1/beta) ln(eps + sum max(0, 1 - beta |x - x_mu|^2/2)); any eps >= 0",
    "source": "Hoover et al. 2025 (arXiv:2506.10801), enumeration derived here",
}


def minima(points, inverse_temperature):
    """All minima of the energy of patterns on a line.

    The active patterns are neighbours on the line, so M (M + 1)/2 sets are all that is possible.

    Args:
        points: x_mu, real numbers (pattern,), in any order; equal ones count as several.
        inverse_temperature: beta > 0, a number, a 1-D array or a DataArray.

    Returns:
        xarray.Dataset on the coordinate inverse_temperature with `n_minima` and `n_emergent`
        (those of more than one pattern), and on the axes (inverse_temperature, set) with
        `is_minimum` (1 or 0). The sets are those that are a minimum at some beta, from left to
        right, with the coordinates `position`, `n_active` = |B| and the range
        `lowest` <= beta < `highest` in which it is one.

    Raises:
        ValueError: points that are no list of finite numbers; a bad inverse temperature.

    Source: Hoover et al. 2025; derived here.
    """
    points = np.sort(_checked_points(points, 1))
    beta = parameter(inverse_temperature, "inverse_temperature")
    sums = np.concatenate([[0.0], np.cumsum(points)])
    first, last = np.triu_indices(points.size)  # the active ones are first, ..., last
    number = last - first + 1
    centre = (sums[last + 1] - sums[first]) / number
    wide = np.concatenate([[-np.inf], points, [np.inf]])
    farthest = np.maximum(centre - points[first], points[last] - centre)
    nearest = np.minimum(centre - wide[first], wide[last + 2] - centre)
    place = np.flatnonzero(farthest < nearest)
    place = place[np.argsort(centre[place], kind="stable")]
    with np.errstate(divide="ignore"):
        lowest, highest = 2 / nearest[place] ** 2, 2 / farthest[place] ** 2
    here = beta.values[..., None]
    there = (lowest <= here) & (here < highest)
    number = number[place]
    found = {
        "n_minima": (there.sum(axis=-1), "number of minima"),
        "n_emergent": ((there & (number > 1)).sum(axis=-1), "number of emergent minima"),
        "is_minimum": (there.astype(float), "whether the centroid of the set is a minimum"),
    }
    found = dataset(
        [beta],
        found,
        "log-sum-ReLU energy, minima of patterns on a line",
        {"is_minimum": ("set",)},
        **_ABOUT,
    )
    about = {
        "position": (centre[place], "centroid of the set"),
        "n_active": (number, "number of patterns of the set"),
        "lowest": (lowest, "inverse temperature from which it is a minimum"),
        "highest": (highest, "inverse temperature up to which it is a minimum"),
    }
    return found.assign_coords(
        {
            name: ("set", values, {"long_name": long_name, "units": "1"})
            for name, (values, long_name) in about.items()
        }
    )


def memory(patterns, inverse_temperature, members):
    """Whether a set of patterns makes a minimum of the energy: c_B inside its own region.

        |c_B - x_mu|^2 < 2/beta for mu in B and for no other mu

    Args:
        patterns: real numbers (pattern, dimension).
        inverse_temperature: beta > 0, a number, a 1-D array or a DataArray.
        members: numbers of the patterns in B, each once.

    Returns:
        xarray.Dataset on the coordinate inverse_temperature with `is_minimum` (1 or 0), and
        `lowest` and `highest`, the range lowest < beta < highest in which it is one: from the
        nearest pattern outside of B and the farthest one in it (empty where highest < lowest;
        `lowest` itself belongs to it).

    Raises:
        ValueError: patterns that are no table of finite numbers, members that are no different
            numbers of patterns, a bad inverse temperature.

    Source: Hoover et al. 2025; the range derived here.
    """
    patterns = _checked_points(patterns, 2)
    beta = parameter(inverse_temperature, "inverse_temperature")
    members = np.asarray(members)
    if (
        members.ndim != 1
        or members.size == 0
        or members.dtype.kind not in "iu"
        or members.min() < 0
        or members.max() >= len(patterns)
        or np.unique(members).size != members.size
    ):
        raise ValueError(
            f"members = {members.tolist()!r} is not allowed; it must be a list of different whole "
            f"numbers from 0 to {len(patterns) - 1}"
        )
    squares = ((patterns - patterns[members].mean(axis=0)) ** 2).sum(axis=1)
    inside = np.zeros(len(patterns), bool)
    inside[members] = True
    with np.errstate(divide="ignore"):
        highest = 2 / squares[inside].max()
        lowest = 2 / squares[~inside].min() if not inside.all() else 0.0
    shape = beta.shape
    found = {
        "is_minimum": (
            ((lowest <= beta.values) & (beta.values < highest)).astype(float),
            "whether the centroid of the set is a minimum",
        ),
        "lowest": (np.full(shape, lowest), "inverse temperature from which it is a minimum"),
        "highest": (np.full(shape, highest), "inverse temperature up to which it is a minimum"),
    }
    return dataset([beta], found, "log-sum-ReLU energy, one set of patterns", **_ABOUT)


def _checked_points(values, ndim):
    name = ("points", "patterns")[ndim - 1]
    try:
        values = np.asarray(values, dtype=float)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} are no numbers: {error}") from error
    if values.ndim != ndim or values.size == 0 or not np.isfinite(values).all():
        shape = ("(pattern,)", "(pattern, dimension)")[ndim - 1]
        raise ValueError(
            f"{name} have shape {values.shape} and must be finite numbers of shape {shape}, at "
            "least one"
        )
    return values
