"""Writes recipe.json: what a plain numpy implementation makes of small random sets.

    python recipe.py > recipe.json
"""
import json
import numpy as np

C, ROUNDS, POWER, BONUS, SURE = 3.0, 3, 2.0, 2.0, 0.6


def sigmoid(a):
    return 1 / (1 + np.exp(-np.clip(a, -40, 40)))


def softmax(a):
    a = np.exp(a - a.max(1, keepdims=True))
    return a / a.sum(1, keepdims=True)


def fit(Z, T, w, single, steps=60):
    n, d = Z.shape
    r = np.full((d, 1), 1 / C)
    r[-1] = 1e-4
    inv = np.linalg.inv((Z * w[:, None]).T @ Z * (0.5 if single else 0.25) + np.diag(r[:, 0]))
    W = V = np.zeros((d, T.shape[1]))
    t = 1.0
    for _ in range(steps):
        new = V - inv @ (Z.T @ (w[:, None] * ((softmax if single else sigmoid)(Z @ V) - T)) + r * V)
        if ((V - new) * (new - W)).sum() > 0:
            t = 1.0
        u = (1 + np.sqrt(1 + 4 * t * t)) / 2
        V, step, W, t = new + (t - 1) / u * (new - W), np.abs(new - W).max(), new, u
        if step < 1e-4:
            break
    return W


def train(Z, Y, known, single):
    A, T = Z[known], Y[known]
    if not single:
        return fit(A, T, np.ones(len(A)), False)
    n = T.sum(0)
    W = fit(A, T, (n.sum() / len(n) / np.maximum(n, 1))[T.argmax(1)], True)
    for _ in range(ROUNDS):
        U = softmax(Z @ W)
        S = U**POWER / U.sum(0)
        W = fit(Z, S / S.sum(1, keepdims=True), np.ones(len(Z)), True)
    return W


def out_of_fold(Z, Y, known, fold, single):
    A = np.zeros(Y.shape)
    for f in range(fold.max() + 1):
        A[fold == f] = Z[fold == f] @ train(Z[fold != f], Y[fold != f], known[fold != f], single)
    return A


def temperature(A, Y):
    loss = lambda t: -np.mean(np.log((softmax(A / t) * Y).sum(1) + 1e-9))
    return min(np.exp(np.linspace(np.log(0.1), np.log(10), 81)), key=loss)


def cuts(A, Y, sure):
    out = np.full(Y.shape[1], np.inf)
    for j in range(Y.shape[1]):
        i = np.argsort(-A[:, j], kind="stable")[: max(int(Y[:, j].sum()), 1)]
        right = np.cumsum(Y[i, j]) / np.arange(1, len(i) + 1) >= sure
        if right.any():
            out[j] = A[i[np.where(right)[0].max()], j] - 1e-9
    return out


def pick(B, single):
    return np.eye(B.shape[1])[B.argmax(1)] if single else (B > 0) * 1.0


def macro(P, G, least):
    tp, n, ok = (P * G).sum(0), P.sum(0) + G.sum(0), G.sum(0) >= least
    return float((2 * tp[ok] / np.maximum(n[ok], 1)).mean())


def case(seed, rows, dim, k, single):
    """Noisy clusters far from the origin, weak labels of some rows, and rows to answer for."""
    rnd = np.random.RandomState(seed)
    n, c = rows + 30, rnd.randn(k, dim)
    G = np.eye(k)[rnd.choice(k, n, p=np.arange(1, k + 1) / (k * (k + 1) / 2))]
    if not single:
        G = np.maximum(G, rnd.rand(n, k) < 0.1)
    X = G @ c + 1.2 * rnd.randn(n, dim) + 2
    X = np.round(X / np.linalg.norm(X, axis=1, keepdims=True), 6).astype(np.float32).astype(float)
    wrong = rnd.rand(n, 1) < 0.1
    R = np.where(wrong, np.eye(k)[rnd.randint(k, size=n)], G)
    spoke = rnd.rand(n) < 0.6
    R = R * spoke[:, None]
    spoke = R.sum(1) > 0
    x, y, known, q, yq, sq = X[:rows], R[:rows], spoke[:rows], X[rows:], R[rows:], spoke[rows:]
    fold = np.zeros(rows, int)
    fold[rnd.permutation(rows)] = np.arange(rows) % 5
    m = x.mean(0)
    scale = 1 / np.sqrt(((x - m) ** 2).sum(1).mean())
    space = lambda v: np.hstack([(v - m) * scale, np.ones((len(v), 1))])
    Z, Q = space(x), space(q)
    W, A = train(Z, y, known, single), out_of_fold(Z, y, known, fold, single)
    t = temperature(A[known], y[known]) if single else 1.0
    cut = 0.0 if single else cuts(A, y, SURE)
    count = 0.0 if single else cuts(A, y, 0)
    B = (Q @ W - cut) / t
    B = B + BONUS * yq - (0 if single else BONUS * (sq[:, None] & (yq == 0)))
    P = (softmax if single else sigmoid)(Q @ W / t)
    return {
        "single": single, "vectors": x.tolist(), "labels": y.tolist(), "fold": fold.tolist(),
        "ask": q.tolist(), "named": yq.tolist(), "logits": (Q @ W).tolist(), "probabilities": P.tolist(),
        "out_of_fold": A.tolist(), "temperature": float(t), "cuts": [] if single else cut.tolist(),
        "agreement": macro(pick(A - count, single)[known], y[known], 20), "answers": pick(B, single).astype(int).tolist(),
    }


def short(x):
    if isinstance(x, dict):
        return {k: short(v) for k, v in x.items()}
    if isinstance(x, list):
        return [short(v) for v in x]
    return float(f"{x:.9g}") if isinstance(x, float) else x


if __name__ == "__main__":
    for args in ((1, 150, 22, 3, True), (2, 240, 22, 5, False)):
        print(json.dumps(short(case(*args)), separators=(",", ":")))
