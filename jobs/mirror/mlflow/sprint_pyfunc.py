"""Lets mlflow.pyfunc answer with the release that lies beside: rows with title, description
and language come in, a column `top` and the score of each category go out.

Needs numpy, safetensors and tokenizers, as model.py does.
"""
import importlib, sys

import pandas

MODULES = "model", "titles", "rules", "network"  # of the release: those of another are not its own


def _load_pyfunc(folder):
    others = {name: sys.modules.pop(name) for name in MODULES if name in sys.modules}
    sys.path.insert(0, folder)
    try:
        return Answers(importlib.import_module("model").Model(folder))
    finally:
        sys.path.remove(folder)
        for name in MODULES:
            sys.modules.pop(name, None)
        sys.modules.update(others)


class Answers:
    def __init__(self, model):
        self.model = model

    def predict(self, data, params=None):
        out = []
        for row in pandas.DataFrame(data).to_dict("records"):
            texts = [row.get(name) for name in ("title", "description", "language")]
            answer = self.model.answer(*(text if isinstance(text, str) else "" for text in texts))
            out.append({**{name: c["score"] for name, c in answer["categories"].items()}, "top": answer["top"]})
        return pandas.DataFrame(out)
