"""Writes roberta.json beside it: what transformers makes of texts with the encoder in a folder.

    pip install torch transformers==5.* && python roberta.py FOLDER        (encodertest.XLMRoberta's; `go test -update` makes it)
"""
import json, os, sys

os.environ["HF_HUB_OFFLINE"] = "1"
import torch, transformers
from tokenizers import Tokenizer

folder = sys.argv[1]
model = transformers.AutoModel.from_pretrained(folder, attn_implementation="eager", dtype=torch.float64).eval()
tokenizer = Tokenizer.from_file(os.path.join(folder, "tokenizer.json"))
tokenizer.enable_truncation(32)
out = {"model": type(model).__name__, "texts": []}
for text in ["brand i centrala stockholm", "polisen", "och att det som en på är av för med till den har de inte om ett han men var jag sig från vi så kan när år säger hon under också efter eller nu", "skogen brinner ﬁ 新"]:
    ids = tokenizer.encode(text).ids
    with torch.no_grad():
        y = model(input_ids=torch.tensor([ids]), attention_mask=torch.ones(1, len(ids), dtype=torch.long))
    out["texts"].append({"text": text, "ids": ids, "mean": y.last_hidden_state[0].mean(0).tolist(), "cls": y.last_hidden_state[0, 0].tolist(), "pooler": y.pooler_output[0].tolist()})
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "roberta.json"), "w") as f:
    json.dump(out, f, separators=(",", ":"))
    f.write("\n")
