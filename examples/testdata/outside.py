"""Answers of a release's own model.py: outside.py RELEASE reads a JSON list of texts, and writes
what network.py and ONNX Runtime make of each: scores, probability of none, tags."""
import json, os, sys
import onnx

folder = sys.argv[1]
sys.path.insert(0, folder)
from model import Model

file = onnx.load(os.path.join(folder, "model.onnx"))
onnx.checker.check_model(file, full_check=True)
texts = json.load(sys.stdin)
models = Model(folder), Model(folder, onnx=True)
print(json.dumps([[m.predict(t) for t in texts] for m in models]))
