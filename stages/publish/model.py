"""Answers with this release: python model.py "A text" ["Its description" [LANGUAGE]]

Needs numpy, safetensors and tokenizers. As a module: Model("FOLDER").answer("A text"). Rules
answer beside the model where it was published so; --alone, or Model("FOLDER", alone=True),
gives the model's own answers. onnxruntime can compute in the place of network.py where there
is a model.onnx: --onnx, or Model("FOLDER", onnx=True).
"""
import json, os, sys
import numpy as np
from tokenizers import Tokenizer

from titles import normalize


class Model:
    def __init__(self, folder, alone=False, onnx=False):
        read = lambda name: json.load(open(os.path.join(folder, name), encoding="utf-8"))
        self.thresholds, config = read("thresholds.json"), read("config.json")
        self.sprint = s = config["sprint"]
        if s["format"] > 4:
            raise ValueError(f"config.json is of format {s['format']}; this file knows 4")
        self.tokenizer, self.rules = Tokenizer.from_file(os.path.join(folder, "tokenizer.json")), None
        self.tokenizer.enable_truncation(s["max_length"])
        if not alone and (s.get("with_rules") or s.get("rules_bonus") or s.get("rules_alone")):
            from rules import Rules

            self.rules = Rules(os.path.join(folder, "rules.json"))
        if onnx:
            import onnxruntime

            self.session, self.network = onnxruntime.InferenceSession(os.path.join(folder, "model.onnx")), self.by_onnx
        else:
            from network import Network

            self.network = Network(folder, config).predict

    def by_onnx(self, ids, types):
        have = {"input_ids": ids, "attention_mask": [1] * len(ids), "token_type_ids": types}
        results = self.session.run(None, {i.name: np.array([have[i.name]], np.int64) for i in self.session.get_inputs()})
        got = {o.name: r[0] for o, r in zip(self.session.get_outputs(), results)}
        return got["scores"], float(got.get("none", 0)), [int(t) for t in got["tags"]]

    def predict(self, title, description="", language=""):
        """Scores in [-1,1], the probability of none, and the numbers of tags."""
        title = normalize(title)
        if not title:
            raise ValueError("no title")
        pair = description.strip() and "description" in self.sprint["text"]
        e = self.tokenizer.encode(self.sprint.get("prompt", "") + title, description if pair else None)
        scores, none, tags = self.network(e.ids, e.type_ids)
        scores = [float(x) for x in scores]
        if self.rules:
            texts = [title] + ([description] if description and len(self.sprint["text"]) > 1 else [])
            scores, none, tags = self.rules.answer(self.sprint, scores, none, tags, texts, language)
        return scores, none, tags

    def answer(self, title, description="", language=""):
        """{"categories": {name: {"score", "tag"}}, "top": name or None}, as `sprint classify --all`."""
        scores, none, tags = self.predict(title, description, language)
        categories, rounded = self.sprint["categories"], [round(x, 4) + 0.0 for x in scores]
        if self.sprint.get("labels") == "single":
            top = int(np.argmax([(x + 1) / 2 for x in scores] + [none]))
        else:
            passes = [x >= self.thresholds.get(c["name"], 0.5) for x, c in zip(rounded, categories)]
            top = int(np.where(passes, rounded, -2).argmax()) if any(passes) else len(categories)
        out = {c["name"]: {"score": x, "tag": c["tags"][t]} for c, x, t in zip(categories, rounded, tags)}
        return {"categories": out, "top": categories[top]["name"] if top < len(categories) else None}


if __name__ == "__main__":
    flags, folder = ("--alone", "--onnx"), os.path.dirname(os.path.abspath(__file__))
    texts = [x for x in sys.argv[1:] if x not in flags][:3]
    print(json.dumps(Model(folder, *(f in sys.argv for f in flags)).answer(*texts), ensure_ascii=False))
