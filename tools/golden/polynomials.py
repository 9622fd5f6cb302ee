# Prints the float32 coefficients in ref/kernels/elementary.h: minimax fits by Lawson's reweighted least squares,
# rounded to float32 one at a time from the lowest power, the others fitted again after each. Versions:
# tools/requirements.txt.
import mpmath as mp
import numpy as np

mp.mp.dps = 40


def fit(name, f, scale, low, high, powers, points=2001):
    """sum_i c_i x^powers[i] ~ f(x) on [low, high]; scale(x) turns a difference into the error to be minimised"""
    x = (low + high) / 2 - (high - low) / 2 * np.cos(np.pi * (np.arange(points) + 0.5) / points)
    target = np.array([f(mp.mpf(v)) for v in x], dtype=object)
    size = np.array([float(scale(mp.mpf(v))) for v in x])
    basis = np.stack([x ** p for p in powers], axis=1)
    fixed = []
    while len(fixed) < len(powers):
        rest = np.array([float(t - sum(mp.mpf(float(c)) * mp.mpf(v) ** p for c, p in zip(fixed, powers)))
                         for t, v in zip(target, x)])
        weight = np.ones(points)
        left = basis[:, len(fixed):]
        best, error = None, np.inf
        for _ in range(60):
            root = np.sqrt(weight) * size
            column = np.linalg.norm(left * root[:, None], axis=0)
            c = np.linalg.lstsq(left * root[:, None] / column, rest * root, rcond=None)[0] / column
            residual = np.abs((left @ c - rest) * size)
            if residual.max() < error:
                best, error = c, residual.max()
            weight *= residual / residual.max() + 1e-9
            weight /= weight.mean()
        fixed.append(np.float32(best[0]))
    print(f"{name}: x in [{low:.6g}, {high:.6g}], largest error 2^{np.log2(error):.2f}")
    for power, c in zip(powers, fixed):
        print(f"    x^{power}: {float(c).hex()}f")


third = np.log(2) / 2 * 1.0001
# e^x = 1 + x + x^2 P(x)
fit("exp", lambda x: (mp.expm1(x) - x) / x**2, lambda x: x**2, -third, third, range(5))
# expm1(x) = x + x^2 P(x)
fit("expm1", lambda x: (mp.expm1(x) - x) / x**2, lambda x: x, -third, third, range(6))
# tanh(x) = x + x^3 P(x^2)
fit("tanh", lambda s: (mp.tanh(mp.sqrt(s)) / mp.sqrt(s) - 1) / s, lambda s: s, 1e-9, 0.5626**2, range(5))
# log(1 + x) = x + x^2 P(x)
fit("log", lambda x: (mp.log1p(x) - x) / x**2 if x else mp.mpf(-0.5), lambda x: x**2 / (mp.log1p(x) if x else 1),
    -1 / 3, 1 / 3, range(9))
# sin(x) = x + x^3 P(x^2), cos(x) = 1 + x^2 P(x^2)
quarter = (np.pi / 4 * 1.03) ** 2
fit("sin", lambda s: (mp.sin(mp.sqrt(s)) / mp.sqrt(s) - 1) / s, lambda s: s, 1e-9, quarter, range(3))
fit("cos", lambda s: (mp.cos(mp.sqrt(s)) - 1) / s, lambda s: s / mp.cos(mp.sqrt(s)), 1e-9, quarter, range(4))
# erf(x) = x + x P(x^2) below 1; erf(x) = 1 - exp(-x P(x)) from 1 on
fit("erf below 1", lambda s: mp.erf(mp.sqrt(s)) / mp.sqrt(s) - 1, lambda s: 1, 1e-9, 1.0, range(7))
fit("erf from 1", lambda x: -mp.log(mp.erfc(x)) / x, lambda x: x * mp.erfc(x) / mp.erf(x), 0.99, 4.0, range(8))
