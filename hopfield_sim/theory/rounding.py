"""Errors of attention whose keys, values and queries are rounded, to first order.

Rounding to multiples of a step D moves an entry by a random number of variance D^2/12. The score
z_mu = beta k_mu . q moves by beta (q . dk_mu + k_mu . dq), and through the Jacobian of softmax and
of Softmax_1 alike, dw_mu/dz_nu = w_mu (delta_mu_nu - w_nu), the output o = sum w_mu v_mu moves by

    do = sum_mu w_mu [(v_mu - o) beta (q . dk_mu + k_mu . dq) + dv_mu].

Source: derived here, checked by sampling.
"""

import numpy as np


def squared_error(keys, values, queries, weights, beta, key_step, query_step):
    """E |do|^2 for rounded keys and queries; values are the first features of the keys, or zero.

        E |do|^2 = D_q^2/12 beta^2 |sum_mu w_mu (v_mu - o) k_mu^T|^2
                 + D_k^2/12 sum_mu w_mu^2 [beta^2 |q|^2 |v_mu - o|^2 + 2 beta q . (v_mu - o) + d]

    as keys and values are rounded together. Entries that are zero, or the largest of their table,
    are multiples of the step, which is a part of the largest: they have no error and are left out
    of the sums over features.

    Args:
        keys: (pattern, feature), before rounding.
        values: (pattern, value), keys[:, :d] or zero row by row.
        queries: (query, feature).
        weights: (query, pattern), of the unrounded retrieval.
        beta: factor of the scores.
        key_step, query_step: D_k and D_q.

    Returns:
        (query,), the mean squared length of the error of the output.
    """
    n_values = values.shape[1]
    rounded = _rounded(keys).astype(float)
    own = rounded[:, :n_values] * (values != 0)
    output = weights @ values
    apart = (values**2).sum(axis=1) - 2 * output @ values.T + (output**2).sum(axis=1)[:, None]
    along = queries[:, :n_values] @ (own * values).T - (queries[:, :n_values] * output) @ own.T
    each = beta**2 * (queries**2 @ rounded.T) * apart + 2 * beta * along + own.sum(axis=1)
    of_keys = (weights**2 * each).sum(axis=1)

    centre = weights @ keys
    together = ((weights @ ((values @ values.T) * (keys @ keys.T))) * weights).sum(axis=1)
    mixed = (weights * (output @ values.T) * (centre @ keys.T)).sum(axis=1)
    of_query = together - 2 * mixed + (output**2).sum(axis=1) * (centre**2).sum(axis=1)
    # without the terms of the entries of queries that have no error
    query, feature = np.nonzero(~_rounded(queries))
    each = weights[query] * keys[:, feature].T
    exact = each @ values - each.sum(axis=1)[:, None] * output[query]
    of_query -= np.bincount(query, (exact**2).sum(axis=1), minlength=len(queries))
    return (query_step**2 * beta**2 * of_query + key_step**2 * of_keys) / 12


def _rounded(table):
    size = np.abs(table)
    return (size > 0) & (size < size.max())
