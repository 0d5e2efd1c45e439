"""Attention as its definition reads, in double, one number at a time: what the tests compare with."""

import math


def attend(q, k, v, scale, window=None):
    """Lists or arrays [tokens][heads][dim] -> (out, lse) as nested lists."""
    tokens, q_heads, group = len(q), len(q[0]), len(q[0]) // len(k[0])
    out = [[None] * q_heads for _ in range(tokens)]
    lse = [[0.0] * q_heads for _ in range(tokens)]
    for i in range(tokens):
        first = 0 if window is None else max(0, i - window + 1)
        for head in range(q_heads):
            keys = range(first, i + 1)
            scores = [scale * math.fsum(float(a) * float(b) for a, b in zip(q[i][head], k[j][head // group])) for j in keys]
            highest = max(scores)
            total = math.fsum(math.exp(score - highest) for score in scores)
            lse[i][head] = highest + math.log(total)
            weights = [math.exp(score - lse[i][head]) for score in scores]
            values = [v[j][head // group] for j in keys]
            out[i][head] = [math.fsum(w * float(x[d]) for w, x in zip(weights, values)) for d in range(len(v[0][0]))]
    return out, lse
