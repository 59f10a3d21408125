"""Models with continuous states: patterns and states are real vectors of d entries.

An energy is made of the scores of a state with the stored patterns, z_i = x_i . x, and has one of
two forms,

    E(x) = |x|^2 / 2 - Phi(z) + const        states in R^d
    E(x) = - Phi(z) + const                  states on the sphere |x| = radius

with Phi convex, so that Phi lies above its tangents. One step of retrieval minimises the bound of E
that the tangent at the present state gives,

    x' = X^T p,  or  radius X^T p / |X^T p|,     p = dPhi/dz,

and E never rises (concave-convex procedure: Yuille and Rangarajan 2003). In R^d it falls by at
least |x' - x|^2 / 2. p are the weights that attention gives to the patterns: the patterns are the
keys, a state the query, and what is recalled are the values, where there are any.
"""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass

import numpy as np
import xarray as xr

from hopfield_sim import device


@dataclass(frozen=True, eq=False)
class Continuous:
    """What models with continuous states share; a model adds `_recalled` and `_weights`.

    patterns: the keys, real (pattern, dimension); float32 and float64 are kept, other numbers
        become float64. Arrays of CuPy stay on their GPU, and so does all that is made of them.
    values: what the keys stand for, (pattern, feature); None: the patterns themselves.
    radius: |x| of all states, for models on the sphere; None: states in R^d.
    """

    patterns: np.ndarray
    _: KW_ONLY
    values: np.ndarray | None = None
    radius: float | None = None

    def __post_init__(self):
        object.__setattr__(self, "patterns", _checked_table("patterns", self.patterns))
        if self.values is not None:
            values = _checked_table("values", self.values)
            if len(values) != len(self.patterns):
                raise ValueError(
                    f"there are {len(values)} values for {len(self.patterns)} patterns; each "
                    "pattern (key) needs one row of values."
                )
            object.__setattr__(self, "values", values.astype(self.patterns.dtype, copy=False))
        if self.radius is not None:
            object.__setattr__(self, "radius", checked_positive("radius", self.radius))

    @property
    def n_patterns(self) -> int:
        """Number of stored patterns."""
        return self.patterns.shape[0]

    @property
    def dimension(self) -> int:
        """Number d of entries of a state."""
        return self.patterns.shape[1]

    def energy(self, states: np.ndarray) -> np.ndarray:
        """E(x), (...), of states (..., dimension).

        Any state of R^d is allowed, also by models on the sphere: their formula is evaluated there.
        """
        rows, shape = self._rows(states)
        return self._known(self._recalled(rows, None)[1]).reshape(shape)

    def gradient(self, states: np.ndarray) -> np.ndarray:
        """dE/dx, (..., dimension), of the formula in R^d (not projected onto the sphere)."""
        return self.energy_and_gradient(states)[1]

    def energy_and_gradient(self, states: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """E, (...), and dE/dx, (..., dimension), by one pass over the patterns."""
        rows, shape = self._rows(states)
        mean, energy = self._recalled(rows, self.patterns)
        gradient = -mean if self.radius is not None else rows - mean
        return self._known(energy).reshape(shape), gradient.reshape(*shape, self.dimension)

    def update(self, states: np.ndarray) -> np.ndarray:
        """The next state, (..., dimension): X^T p, on the sphere scaled to its radius.

        A state without any weight (all scores of a model that allows it vanish) stays.
        """
        rows, shape = self._rows(states)
        return self._stepped(rows)[0].reshape(*shape, self.dimension)

    def weights(self, states: np.ndarray) -> np.ndarray:
        """p = dPhi/dz, (..., pattern): the attention that a state pays to each pattern.

        Makes an array of queries times patterns: for looking at, retrieval does without.
        """
        rows, shape = self._rows(states)
        return self._weights(rows).reshape(*shape, self.n_patterns)

    def recall(self, states: np.ndarray) -> np.ndarray:
        """V^T p, (..., feature): one look at the values; at the patterns where there are none.

        With keys and values this is attention: query x, keys X, values V.
        """
        rows, shape = self._rows(states)
        values = self.patterns if self.values is None else self.values
        return self._recalled(rows, values)[0].reshape(*shape, values.shape[1])

    def retrieve(
        self, cues: np.ndarray, steps: int = 100, tolerance: float | None = None
    ) -> xr.Dataset:
        """Retrieval from cues to fixed points, each until it stands still.

        cues: (dimension,) or (query, dimension); on the sphere they are scaled to the radius.
        steps: updates at most. tolerance: a query has converged when |f(x) - x| is at most this
        times the largest norm of a pattern; 1e-10 in float64 and 1e-5 in float32 if none is given.

        Returns a Dataset on the axes of the cues: `state` (..., dimension), the last x; `energy`
        (step, ...) along the way, from the cue to the last state, which repeats where a query has
        stopped before the others (models without an energy leave it out); `steps` done,
        `converged`, and `residual`, |f(x) - x| of the last update. With values also `output`
        (..., feature), the values recalled at the last state.

        Raises ValueError for cues of another dimension or with NaN, and for fewer than one step.
        """
        xp = device.module(self.patterns)
        if isinstance(steps, bool) or not isinstance(steps, int | np.integer) or steps < 1:
            raise ValueError(f"steps={steps!r} is not possible; at least one is needed.")
        if tolerance is None:
            tolerance = 1e-10 if self.patterns.dtype == np.float64 else 1e-5
        if not tolerance >= 0:
            raise ValueError(f"tolerance={tolerance!r} is not possible; it must be at least 0.")
        rows, shape = self._rows(cues)
        if len(shape) > 1:
            raise ValueError(
                f"cues of shape {np.shape(cues)} are not possible; give (dimension,) or "
                "(query, dimension), e.g. cues.reshape(-1, cues.shape[-1])."
            )
        rows = self._on_sphere(rows.copy())
        limit = tolerance * float(xp.linalg.norm(self.patterns, axis=1).max())
        n_queries = len(rows)
        done, residual = xp.zeros(n_queries, int), xp.full(n_queries, np.inf)
        energies = []
        moving = xp.arange(n_queries)
        for _ in range(steps):
            new, energy = self._stepped(rows[moving])
            if energy is not None:
                energies.append(_copied(energies, moving, energy, n_queries, xp))
            residual[moving] = xp.linalg.norm(new - rows[moving], axis=1)
            rows[moving] = new
            done[moving] += 1
            moving = moving[residual[moving] > limit]
            if not len(moving):
                break
        axes = ("query",) * len(shape)
        found = {
            "state": ((*axes, "dimension"), rows, "Last state"),
            "steps": (axes, done, "Updates done"),
            "converged": (axes, residual <= limit, "Whether the last update moved it no more"),
            "residual": (axes, residual, "Distance that the last update moved it"),
        }
        if energies:
            energies = xp.stack([*energies, self.energy(rows)])
            found["energy"] = (("step", *axes), energies, "Energy after each step")
        if self.values is not None:
            found["output"] = (
                (*axes, "feature"),
                self._recalled(rows, self.values)[0],
                "Recalled values",
            )
        return _dataset(found, shape)

    def _energy(self, rows, potential):
        """|x|^2/2 - Phi, on the sphere -Phi, (query,)."""
        if self.radius is not None:
            return -potential
        return device.module(rows).sum(rows * rows, axis=1) / 2 - potential

    def _known(self, energy):
        if energy is None:
            raise TypeError(
                f"{type(self).__name__} has no energy: its retrieval is no descent. Dot products "
                "with a softmax are LogSumExp, which has one."
            )
        return energy

    def _stepped(self, rows):
        """Next states and the energies of the present ones."""
        mean, energy = self._recalled(rows, self.patterns)
        return (mean if self.radius is None else self._on_sphere(mean, rows)), energy

    def _on_sphere(self, rows, otherwise=None):
        """Rows scaled to the radius, if there is one; those of length 0 as `otherwise`."""
        if self.radius is None:
            return rows
        xp = device.module(rows)
        length = xp.linalg.norm(rows, axis=1, keepdims=True)
        if otherwise is None and not bool((length > 0).all()):
            raise ValueError("a cue is zero: it has no direction, and states lie on a sphere.")
        scaled = rows * (self.radius / xp.where(length > 0, length, 1))
        return scaled if otherwise is None else xp.where(length > 0, scaled, otherwise)

    def _rows(self, states):
        """States as (query, dimension) of the patterns' type, checked, and their shape before."""
        xp = device.module(self.patterns)
        device.module(self.patterns, states)  # both in one place
        states = xp.asarray(states)
        if states.ndim == 0 or states.shape[-1] != self.dimension:
            raise ValueError(
                f"states have shape {states.shape}, but the patterns have dimension "
                f"{self.dimension}: the last axis must be that, e.g. ({self.dimension},) or "
                f"(n_queries, {self.dimension})."
            )
        if states.dtype.kind not in "fiub":
            raise ValueError(f"states of type {states.dtype} are not possible; give real numbers.")
        rows = states.reshape(-1, self.dimension).astype(self.patterns.dtype, copy=False)
        if not bool(xp.isfinite(rows).all()):
            raise ValueError("states contain NaN or infinity.")
        return rows, states.shape[:-1]

    def _recalled(self, rows, values):
        """V^T p, (query, feature), or None where values is None; and E, (query,)."""
        raise NotImplementedError

    def _weights(self, rows):
        """p = dPhi/dz, (query, pattern)."""
        raise NotImplementedError


def checked_positive(name: str, value: float, hint: str = "") -> float:
    """`plain(value)`; ValueError, naming the argument, where it is not positive and finite."""
    number = plain(value)
    if not 0 < number < np.inf:
        raise ValueError(f"{name}={value!r} is not possible; it must be a number > 0{hint}.")
    return number


def plain(value: float) -> float:
    """A float of Python's, NaN for what is no real number.

    NumPy's own float64, such as np.sqrt gives, would make float32 arrays float64.
    """
    if isinstance(value, bool | np.bool_ | str | bytes) or np.ndim(value):
        return float("nan")
    try:
        return float(value)
    except TypeError:
        return float("nan")


def _checked_table(name: str, table: np.ndarray) -> np.ndarray:
    xp = device.module(table)
    table = xp.asarray(table)
    if table.ndim != 2 or not table.size:
        raise ValueError(
            f"{name} have shape {table.shape}; a 2-d array with at least one row (a stored "
            "pattern) and one column is needed (a single vector x goes in as x[None, :])."
        )
    if table.dtype.kind not in "fiub":
        raise ValueError(f"{name} of type {table.dtype} are not possible; give real numbers.")
    if table.dtype not in (np.float32, np.float64):
        table = table.astype(np.float64)
    if not bool(xp.isfinite(table).all()):
        raise ValueError(f"{name} contain NaN or infinity.")
    return xp.ascontiguousarray(table)


def _copied(before, where, energy, n_queries, xp):
    """Energies of all queries, those that did not move as before."""
    all_of_them = before[-1].copy() if before else xp.empty(n_queries, energy.dtype)
    all_of_them[where] = energy
    return all_of_them


def _dataset(found, shape):
    """Labelled arrays in main memory, without the query axis where there was a single cue."""
    variables = {}
    for name, (dims, array, long_name) in found.items():
        array = array.get() if hasattr(array, "get") else array
        dims = tuple(dims)
        if not shape:
            array = array[:, 0] if name == "energy" else array[0]
        variables[name] = (dims, array, {"long_name": long_name, "units": "1"})
    return xr.Dataset(variables)
