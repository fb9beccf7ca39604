"""Answers of a release's own model.py: outside.py RELEASE reads a JSON list of texts, and writes
what network.py, and ONNX Runtime where there is a model.onnx, make of each: scores, probability
of none, tags."""
import json, os, sys

folder = sys.argv[1]
sys.path.insert(0, folder)
from model import Model

models = [Model(folder)]
path = os.path.join(folder, "model.onnx")
if os.path.exists(path):
    import onnx

    onnx.checker.check_model(onnx.load(path), full_check=True)
    models.append(Model(folder, onnx=True))
texts = json.load(sys.stdin)
print(json.dumps([[m.predict(t["title"], t.get("description", ""), t.get("language", "")) for t in texts] for m in models]))
