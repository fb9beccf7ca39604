"""What a reference implementation of the recipe makes of rows: python live.py RECIPE < case.json > answers.json

RECIPE is a file with Space, train, temperature, cuts, answer, macro, softmax and sigmoid.
"""
import importlib.util, json, sys
from types import SimpleNamespace
import numpy as np

found = importlib.util.spec_from_file_location("recipe", sys.argv[1])
recipe = importlib.util.module_from_spec(found)
found.loader.exec_module(recipe)

case = json.load(sys.stdin)
single = case["Single"]
s = SimpleNamespace(multi=not single)
X, asked = (np.array(case[name], np.float32).astype(float) for name in ("Vectors", "Ask"))
Y, named, fold = np.array(case["Labels"], float), np.array(case["Named"], float), np.array(case["Fold"])
known, fired = Y.max(1) > 0, named.max(1) > 0
space = recipe.Space(X)
Z, Zg = space(X), space(asked)
W = recipe.train(s, Z, Y, known)
O = np.zeros(Y.shape)
for f in range(fold.max() + 1):
    out = fold == f
    O[out] = Z[out] @ recipe.train(s, Z[~out], Y[~out], known[~out])
t = recipe.temperature(O[known], Y[known], False) if single else 1.0
cuts = recipe.cuts(s, O, Y)
agree = recipe.macro(recipe.answer(s, O, None, None, "model", cut=recipe.cuts(s, O, Y, 0))[known], Y[known], 20)
A = Zg @ W
json.dump({
    "Temperature": float(t), "Cuts": [float(c) for c in np.atleast_1d(cuts)] if s.multi else [], "Agreement": float(agree), "Logits": A.tolist(),
    "Probabilities": (recipe.softmax(A / t) if single else recipe.sigmoid(A)).tolist(), "out_of_fold": O.tolist(),
    "Answers": recipe.answer(s, A, named, fired, t=t, cut=cuts).astype(int).tolist(),
}, sys.stdout, allow_nan=True)
