"""Writes modern.json beside it: what transformers makes of texts with the encoder in a folder.

    pip install torch transformers==5.* && python modern.py FOLDER        (encodertest.ModernBERT's; `go test -update` makes it)
"""
import json, os, sys

os.environ["HF_HUB_OFFLINE"] = "1"
import torch, transformers
from tokenizers import Tokenizer

folder = sys.argv[1]
model = transformers.AutoModel.from_pretrained(folder, attn_implementation="eager", dtype=torch.float64).eval()
tokenizer = Tokenizer.from_file(os.path.join(folder, "tokenizer.json"))
tokenizer.enable_truncation(192)
out = {"model": type(model).__name__, "texts": []}
words = "brand i centrala stockholm polisen söker vittnen och att det som en på är av för med till den har de inte".split()
for text in ["brand i centrala stockholm", "Polisen  söker   vittnen", " ".join(words), "ü 新 ﬁ " + " ".join(words * 8), "", "x" * 100]:
    ids = tokenizer.encode(text).ids
    with torch.no_grad():
        y = model(input_ids=torch.tensor([ids]), attention_mask=torch.ones(1, len(ids), dtype=torch.long)).last_hidden_state[0]
    short = lambda v: [round(x, 8) for x in v.tolist()]
    out["texts"].append({"text": text, "ids": ids, "mean": short(y.mean(0)), "cls": short(y[0]), "last": short(y[-1]), "token": short(y[len(ids) // 2])})
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "modern.json"), "w") as f:
    json.dump(out, f, separators=(",", ":"))
    f.write("\n")
