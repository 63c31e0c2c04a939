"""SciPy fits, integrates, optimizes and solves with callbacks in Python, on small arrays."""

import numpy as np
from scipy import integrate, interpolate, optimize, sparse, stats

ROUNDS = 120


def rosenbrock(x: np.ndarray) -> float:
    return float(np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2))


def pendulum(t: float, y: np.ndarray) -> list[float]:
    return [y[1], -0.25 * y[1] - 5.0 * np.sin(y[0])]


def decay(x: np.ndarray, a: float, b: float, c: float) -> np.ndarray:
    return a * np.exp(-b * x) + c


def main() -> None:
    random = np.random.default_rng(7)
    x = np.linspace(0, 4, 60)
    total = 0.0
    for turn in range(ROUNDS):
        noisy = decay(x, 2.5, 1.3, 0.5) + 0.05 * random.normal(size=x.size)
        found, _ = optimize.curve_fit(decay, x, noisy, p0=(1, 1, 1))
        total += float(found.sum())
        total += optimize.minimize(rosenbrock, np.full(5, turn / ROUNDS), method="Nelder-Mead").fun
        total += optimize.minimize(rosenbrock, np.full(4, 0.5), method="BFGS").fun
        total += float(integrate.solve_ivp(pendulum, (0, 10), [np.pi - 0.1, 0.0], rtol=1e-6).y[0, -1])
        total += integrate.quad(lambda t: np.exp(-t * t), 0, 1 + turn)[0]
        spline = interpolate.make_interp_spline(x, noisy)
        total += float(spline(1.5))
        matrix = sparse.diags_array([np.full(49, -1.0), np.full(50, 2.0), np.full(49, -1.0)], offsets=[-1, 0, 1])
        total += float((matrix.tocsr() @ np.ones(50)).sum())
        total += stats.ttest_ind(noisy, noisy[::-1] + 0.01).pvalue + stats.norm.cdf(turn / ROUNDS)
    print(ROUNDS, "rounds, total", f"{total:.3f}")


main()
