"""A release of sprint in Python: safetensors, tokenizers and numpy are enough.

    python exchange.py RELEASE [--transformers] < texts.jsonl > answers.jsonl

A text is {"first": ..., "second": ...}; the answer is its token ids, its pooled
vector, and per category a score and a tag; a model of one label per row (labels
in config.json) says its category too. With --transformers the vector
is that of BertModel.from_pretrained and the ids are AutoTokenizer's.
"""
import json, math, os, sys
import numpy as np
from safetensors.numpy import load_file
from tokenizers import Tokenizer

release = sys.argv[1]
config = json.load(open(os.path.join(release, "config.json"), encoding="utf-8"))
sprint = config["sprint"]
w = load_file(os.path.join(release, "model.safetensors"))
prefix = sprint.get("prefix", "")
tokenizer = Tokenizer.from_file(os.path.join(release, "tokenizer.json"))
tokenizer.enable_truncation(sprint["max_length"])
erf = np.vectorize(math.erf, otypes=[np.float32])
activation = {
    "gelu": lambda x: x * (1 + erf(x / math.sqrt(2))) / 2,
    "relu": lambda x: np.maximum(x, 0),
    "gelu_new": lambda x: x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))) / 2,
}[config["hidden_act"]]


def linear(x, name):
    return x @ w[name + ".weight"].T + w[name + ".bias"]


def norm(x, name):
    x = x - x.mean(-1, keepdims=True)
    x = x / np.sqrt((x * x).mean(-1, keepdims=True) + config["layer_norm_eps"])
    return x * w[name + ".weight"] + w[name + ".bias"]


def softmax(x):
    x = np.exp(x - x.max(-1, keepdims=True))
    return x / x.sum(-1, keepdims=True)


def states(ids, types):
    """BertModel's last_hidden_state of one text: [tokens, hidden]."""
    e, heads = prefix + "embeddings.", config["num_attention_heads"]
    x = w[e + "word_embeddings.weight"][ids] + w[e + "position_embeddings.weight"][: len(ids)] + w[e + "token_type_embeddings.weight"][types]
    x = norm(x, e + "LayerNorm")
    split = lambda y: y.reshape(len(ids), heads, -1).swapaxes(0, 1)
    for i in range(config["num_hidden_layers"]):
        layer = f"{prefix}encoder.layer.{i}."
        q, k, v = (split(linear(x, f"{layer}attention.self.{part}")) for part in ("query", "key", "value"))
        a = softmax(q @ k.swapaxes(1, 2) / math.sqrt(q.shape[-1])) @ v
        x = norm(x + linear(a.swapaxes(0, 1).reshape(x.shape), layer + "attention.output.dense"), layer + "attention.output.LayerNorm")
        f = linear(activation(linear(x, layer + "intermediate.dense")), layer + "output.dense")
        x = norm(x + f, layer + "output.LayerNorm")
    return x


def pool(x):
    if sprint["pooling"] == "mean":
        return x.mean(0)
    return np.tanh(linear(x[0], prefix + "pooler.dense")) if sprint["pooling"] == "pooler" else x[0]


def by_numpy(first, second):
    e = tokenizer.encode(first, second) if second else tokenizer.encode(first)
    return e.ids, pool(states(e.ids, e.type_ids))


def with_transformers():
    import torch, transformers

    auto = transformers.AutoTokenizer.from_pretrained(release)
    model = transformers.BertModel.from_pretrained(release).eval()

    def encode(first, second):
        e = auto(first, second or None, truncation=True, max_length=sprint["max_length"], return_tensors="pt")
        with torch.no_grad():
            out = model(**e)
        kinds = {"mean": lambda: out.last_hidden_state.mean(1), "cls": lambda: out.last_hidden_state[:, 0], "pooler": lambda: out.pooler_output}
        return e["input_ids"][0].tolist(), kinds[sprint["pooling"]]()[0].numpy()

    return encode


encode = with_transformers() if "--transformers" in sys.argv else by_numpy
for line in sys.stdin:
    text = json.loads(line)
    ids, pooled = encode(text["first"], text["second"])
    answer = {"ids": ids, "pooled": pooled.tolist(), "scores": [], "tags": []}
    head = lambda name: linear(np.maximum(linear(pooled, f"heads.{name}.0"), 0), f"heads.{name}.1")
    if sprint.get("head") == "linear":  # on the vector of length 1, centred and scaled
        unit = (pooled / max(np.linalg.norm(pooled), 1e-12) - w["heads.mean"]) * w["heads.scale"]
        head = lambda name: linear(unit, f"heads.{name}")
    logits = np.array([head(f"{i}.score")[0] for i in range(len(sprint["categories"]))])
    if sprint.get("labels") == "single":  # one softmax, with none of the categories last if the model knows it
        if sprint.get("none"):
            logits = np.append(logits, head("none.score"))
        p = softmax(logits / sprint.get("temperature", 1))
        answer["scores"] = (2 * p[: len(sprint["categories"])] - 1).tolist()
        answer["top"] = int(p.argmax()) if p.argmax() < len(sprint["categories"]) else -1
    else:
        answer["scores"] = np.tanh(logits / 2 if sprint.get("head") == "linear" else logits).tolist()
    answer["tags"] = [int(head(f"{i}.tag").argmax()) for i in range(len(sprint["categories"]))]
    print(json.dumps(answer))
