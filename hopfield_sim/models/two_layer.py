"""Feature and memory neurons: the two-layer system of differential equations of Krotov, Hopfield.

Everything else in `models` follows from it: memory neurons that are fast can be slaved, and what
remains is a dense network (model A), attention (model B) or a spherical memory (model C).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr
from scipy.integrate import solve_ivp

from hopfield_sim.models.continuous import checked_positive
from hopfield_sim.models.lagrangians import (
    Identity,
    Lagrangian,
    RectifiedPower,
    Softmax,
    Spherical,
    Tanh,
)

METHODS = ("LSODA", "Radau", "BDF")
"""SciPy's solvers of stiff equations: fast memory neurons, tau_h << tau_f, are stiff."""


@dataclass(frozen=True, eq=False)
class TwoLayer:
    """Feature neurons v and memory neurons h, each layer seen by the other alone.

        tau_f dv_i/dt  = sum_mu xi_mu,i f_mu - v_i + I_i       f = dL_h/dh
        tau_h dh_mu/dt = sum_i  xi_mu,i g_i  - h_mu            g = dL_v/dv

        E = [(v - I).g - L_v] + [h.f - L_h] - f.xi g
        dE/dt = -tau_f v'.(d^2 L_v/dv^2) v' - tau_h h'.(d^2 L_h/dh^2) h'

    E never rises where both Lagrangians are convex, as all in `lagrangians` are. It is proved for
    the flow alone, and for slaved memory neurons: explicit steps as long as tau of both layers at
    once (`euler`, step = tau_f = tau_h) may cycle between two states for ever.

    memories: xi, (memory, feature), finite numbers.
    features, memory_units: L_v and L_h, see `lagrangians`.
    input: I, (feature,), or None for 0.
    tau_features, tau_memories: time constants tau_f, tau_h > 0, in the unit of time.

    States are float64 (..., feature) and (..., memory). Ready for use are `model_a`, `model_b` and
    `model_c`.

    Raises ValueError for memories that are not a 2-d array of finite numbers with at least one row,
    an input that does not fit, a time constant that is not positive; its methods for states of the
    wrong length or with NaN.
    Source: D. Krotov, J. J. Hopfield, ICLR 2021 (arXiv:2008.06996).
    """

    memories: np.ndarray
    features: Lagrangian = Identity()
    memory_units: Lagrangian = Softmax()
    input: np.ndarray | None = None
    tau_features: float = 1.0
    tau_memories: float = 1.0

    def __post_init__(self):
        memories = _finite("memories", self.memories)
        if memories.ndim != 2 or 0 in memories.shape:
            raise ValueError(
                f"memories have shape {memories.shape}; give an array (memory, feature) with at "
                "least one memory and one feature."
            )
        object.__setattr__(self, "memories", memories)
        given = np.zeros(self.n_features) if self.input is None else _finite("input", self.input)
        if given.shape != (self.n_features,):
            raise ValueError(
                f"input has shape {given.shape}; it must be ({self.n_features},), one number a "
                "feature neuron."
            )
        object.__setattr__(self, "input", given)
        for name in ("tau_features", "tau_memories"):
            object.__setattr__(self, name, checked_positive(name, getattr(self, name)))

    @classmethod
    def model_a(cls, memories, sharpness: float = 1.0, power: float = 2.0, **options) -> TwoLayer:
        """Model A, dense associative memory: g = tanh(a v), f = max(h, 0)^n.

        With slaved memory neurons E_eff = -sum_mu F(sum_i xi_mu,i g_i) and terms of single
        neurons, F' = f: an (n+1)-body interaction. `options`: input and time constants.
        """
        return cls(memories, Tanh(sharpness), RectifiedPower(power), **options)

    @classmethod
    def model_b(cls, memories, beta: float = 1.0, **options) -> TwoLayer:
        """Model B, attention: g = v, f = softmax(beta h).

        With slaved memory neurons E_eff = |v|^2/2 - I.v - (1/beta) ln sum_mu exp(beta xi_mu.v),
        and a step of length tau_f (`slaved_step`) is the update of `LogSumExp`.
        """
        return cls(memories, Identity(), Softmax(beta), **options)

    @classmethod
    def model_c(cls, memories, power: float = 2.0, **options) -> TwoLayer:
        """Model C, spherical memory: g = v/|v|, f = max(h, 0)^n.

        E depends on the direction of v alone (and on h): its length follows without being seen.
        """
        return cls(memories, Spherical(), RectifiedPower(power), **options)

    @property
    def n_memories(self) -> int:
        """Number of memory neurons."""
        return len(self.memories)

    @property
    def n_features(self) -> int:
        """Number of feature neurons."""
        return self.memories.shape[1]

    def energy(self, v, h) -> np.ndarray:
        """E of the class's docstring: float64 (...)."""
        v, h = self._states(v, h)
        g, f = self.features.activation(v), self.memory_units.activation(h)
        alone = ((v - self.input) * g).sum(-1) - self.features.value(v)
        alone = alone + (h * f).sum(-1) - self.memory_units.value(h)
        return alone - (f * (g @ self.memories.T)).sum(-1)

    def gradient(self, v, h) -> tuple[np.ndarray, np.ndarray]:
        """dE/dv = -tau_f (d^2 L_v) v' and dE/dh = -tau_h (d^2 L_h) h', shaped as v and as h.

        The system is no gradient descent of E; the curvatures stand between.
        """
        v, h = self._states(v, h)
        dv, dh = self.velocity(v, h)
        return (
            -self.tau_features * self.features.curvature(v, dv),
            -self.tau_memories * self.memory_units.curvature(h, dh),
        )

    def velocity(self, v, h) -> tuple[np.ndarray, np.ndarray]:
        """dv/dt and dh/dt: (..., feature) and (..., memory)."""
        return self._velocity(*self._states(v, h))

    def dissipation(self, v, h) -> np.ndarray:
        """-dE/dt along the flow, which is not negative: (...)."""
        v, h = self._states(v, h)
        dv, dh = self.velocity(v, h)
        by_features = (dv * self.features.curvature(v, dv)).sum(-1)
        by_memories = (dh * self.memory_units.curvature(h, dh)).sum(-1)
        return self.tau_features * by_features + self.tau_memories * by_memories

    def slaved(self, v) -> np.ndarray:
        """h = xi g(v), where infinitely fast memory neurons are: (..., memory)."""
        return self.features.activation(self._state("v", v, self.n_features)) @ self.memories.T

    def effective_energy(self, v) -> np.ndarray:
        """E_eff = (v - I).g - L_v - L_h(xi g), that of slaved memory neurons: (...)."""
        v = self._state("v", v, self.n_features)
        alone = ((v - self.input) * self.features.activation(v)).sum(-1) - self.features.value(v)
        return alone - self.memory_units.value(self.slaved(v))

    def slaved_step(self, v, step: float | None = None) -> np.ndarray:
        """v + (step/tau_f) [xi^T f(xi g(v)) - v + I], the explicit Euler step: (..., feature).

        step: > 0; None: tau_f, with which E_eff never rises where both Lagrangians are convex: as a
        function of g, E_eff is convex (the Legendre transform of L_v, minus I.g) minus convex
        (L_h(xi g)), and the step minimises it with the latter part linearised.
        """
        step = self.tau_features if step is None else checked_positive("step", step)
        v = self._state("v", v, self.n_features)
        drive = self.memory_units.activation(self.slaved(v)) @ self.memories + self.input
        part = step / self.tau_features
        return drive if part == 1 else v + part * (drive - v)

    def euler(self, v, h, step: float) -> tuple[np.ndarray, np.ndarray]:
        """One explicit step of both layers at once: v + step dv/dt, h + step dh/dt.

        Only short steps follow the flow. With step = tau_f = tau_h the layers swap what they
        know, v' = xi^T f(h) + I and h' = xi g(v): two interleaved retrievals, each of which
        settles in its own state, so that both together may alternate for ever.
        """
        step = checked_positive("step", step)
        v, h = self._states(v, h)
        dv, dh = self.velocity(v, h)
        return v + step * dv, h + step * dh

    def flow(
        self,
        v,
        h=None,
        *,
        times,
        method: str = "LSODA",
        rtol: float = 1e-10,
        atol: float = 1e-12,
    ) -> xr.Dataset:
        """The solution of the differential equations from given states, at given times.

        v: (feature,) or (state, feature) at the first time; h: likewise, None for 0. Every state
        is solved by itself: none depends on which others are in the batch.
        times: (time,), increasing. method: one of `METHODS`. rtol, atol: error of a step in each
        component, relative and absolute.
        Returns `v` (time, [state,] feature), `h` (time, [state,] memory), `energy` (time, [state]).

        Raises ValueError for states that do not fit, times that do not increase, an unknown
        method; RuntimeError where the solver gives up, as it does where E has no lower bound and
        states run away.
        """
        times = _finite("times", times)
        if times.ndim != 1 or len(times) < 2 or not (np.diff(times) > 0).all():
            raise ValueError("times must be at least two increasing numbers.")
        v, h, dims = self._starts(v, h)
        solved = [
            self._solved(*start, times[[0, -1]], method, rtol, atol, t_eval=times).y
            for start in zip(v, h, strict=True)
        ]
        states = np.moveaxis(np.array(solved), -1, 0)
        found = self._labelled(states, ("time", "state"))
        coordinate = {"long_name": "time", "units": "unit of tau_f and tau_h"}
        found = found.assign_coords(time=("time", times, coordinate))
        return found if dims else found.isel(state=0)

    def fixed_point(
        self,
        v,
        h=None,
        *,
        tolerance: float = 1e-8,
        longest: float = 1e4,
        method: str = "LSODA",
        rtol: float = 1e-10,
        atol: float = 1e-12,
    ) -> xr.Dataset:
        """Where the flow from given states ends.

        It is followed until residual = max(|tau_f dv/dt|, |tau_h dh/dt|), the largest component, is
        `tolerance`, or to the time `longest` times the larger tau, which a slow state (near a
        bifurcation) may exceed: see `converged`. A tolerance near rtol times the states is below
        the solver's own noise.
        v, h, method, rtol, atol: as for `flow`.
        Returns `v` ([state,] feature), `h` ([state,] memory), and over ([state]): `energy`,
        `residual`, `converged`, `time` (at which the solution ended).

        Raises as `flow`; ValueError for a tolerance or time that is not positive.
        """
        tolerance, longest = (
            checked_positive("tolerance", tolerance),
            checked_positive("longest", longest),
        )
        span = (0.0, longest * max(self.tau_features, self.tau_memories))

        def settled(_, state):
            return self._residual(state) - tolerance

        settled.terminal = True
        v, h, dims = self._starts(v, h)
        ends, ended_at = [], []
        for start in zip(v, h, strict=True):
            both = np.concatenate(start)
            if self._residual(both) <= tolerance:
                ends.append(both)
                ended_at.append(0.0)
                continue
            solution = self._solved(*start, span, method, rtol, atol, events=settled)
            ends.append(solution.y[:, -1])
            ended_at.append(solution.t[-1])
        found = self._labelled(np.array(ends), ("state",))
        residual = self._residual(np.array(ends))
        # the event is located to the rounding of the time: its residual may exceed the tolerance
        more = {
            "residual": (residual, "largest component of tau_f dv/dt, tau_h dh/dt"),
            "converged": (residual <= 1.01 * tolerance, "whether the residual is within tolerance"),
            "time": (np.array(ended_at), "time at which the flow was ended"),
        }
        for name, (values, long_name) in more.items():
            unit = "unit of tau_f and tau_h" if name == "time" else "1"
            found[name] = ("state", values, {"long_name": long_name, "units": unit})
        return found if dims else found.isel(state=0)

    def _solved(self, v, h, span, method, rtol, atol, **options):
        if method not in METHODS:
            raise ValueError(f"method={method!r} is not known; allowed are {', '.join(METHODS)}.")
        cut = self.n_features

        def right_side(_, state):
            return np.concatenate(self._velocity(state[:cut], state[cut:]))

        solution = solve_ivp(
            right_side,
            tuple(span),
            np.concatenate([v, h]),
            method=method,
            jac=lambda _, state: self._jacobian(state[:cut], state[cut:]),
            rtol=rtol,
            atol=atol,
            **options,
        )
        if solution.status < 0 or not np.isfinite(solution.y).all():
            raise RuntimeError(
                f"{method} gave up at time {solution.t[-1]:.4g}: {solution.message} States run "
                "away where E has no lower bound: bounded activations (Tanh, Spherical, Softmax) "
                "prevent it."
            )
        return solution

    def _velocity(self, v, h):
        to_features = self.memory_units.activation(h) @ self.memories
        to_memories = self.features.activation(v) @ self.memories.T
        return (
            (to_features - v + self.input) / self.tau_features,
            (to_memories - h) / self.tau_memories,
        )

    def _jacobian(self, v, h):
        """Of the right side: (feature + memory, feature + memory)."""
        from_memories = self.memory_units.curvature(h, np.eye(self.n_memories)) @ self.memories
        from_features = self.features.curvature(v, np.eye(self.n_features)) @ self.memories.T
        return np.block(
            [
                [-np.eye(self.n_features) / self.tau_features, from_memories.T / self.tau_features],
                [from_features.T / self.tau_memories, -np.eye(self.n_memories) / self.tau_memories],
            ]
        )

    def _residual(self, state):
        dv, dh = self._velocity(state[..., : self.n_features], state[..., self.n_features :])
        of_features = np.abs(self.tau_features * dv).max(-1)
        return np.maximum(of_features, np.abs(self.tau_memories * dh).max(-1))

    def _starts(self, v, h):
        v = self._state("v", v, self.n_features)
        if v.ndim > 2:
            raise ValueError(f"v has shape {v.shape}; give (feature,) or (state, feature).")
        if not v.size:
            raise ValueError(f"v has shape {v.shape}: there is no state to start from.")
        h = np.zeros((*v.shape[:-1], self.n_memories)) if h is None else h
        v, h = self._states(v, h)
        if v.shape[:-1] != h.shape[:-1]:
            raise ValueError(f"v and h are {v.shape} and {h.shape}: as many states are needed.")
        return np.atleast_2d(v), np.atleast_2d(h), v.ndim - 1

    def _labelled(self, states, dims):
        v, h = states[..., : self.n_features], states[..., self.n_features :]
        variables = {
            "v": ((*dims, "feature"), v, "states of the feature neurons"),
            "h": ((*dims, "memory"), h, "states of the memory neurons"),
            "energy": (dims, self.energy(v, h), "energy E of both layers"),
        }
        return xr.Dataset(
            {
                name: (where, values, {"long_name": long_name, "units": "1"})
                for name, (where, values, long_name) in variables.items()
            },
            attrs={"title": "two-layer associative memory"},
        )

    def _states(self, v, h):
        return self._state("v", v, self.n_features), self._state("h", h, self.n_memories)

    @staticmethod
    def _state(name, values, length):
        values = _finite(name, values)
        if values.ndim == 0 or values.shape[-1] != length:
            raise ValueError(
                f"{name} has shape {values.shape}; its last axis must be the {length} neurons of "
                "that layer."
            )
        return values


def _finite(name, values):
    try:
        values = np.asarray(values, dtype=float)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must be an array of numbers ({error}).") from error
    if not np.isfinite(values).all():
        raise ValueError(f"{name} contain NaN or infinity; give finite numbers.")
    return values
