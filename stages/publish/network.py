"""The network of a release in numpy: tokens to scores and tags. model.py asks it."""
import math, os
import numpy as np
from safetensors.numpy import load_file


def softmax(x):
    x = np.exp(x - x.max(-1, keepdims=True))
    return x / x.sum(-1, keepdims=True)


class Network:
    def __init__(self, folder, config):
        self.config, self.sprint = config, config["sprint"]
        self.weights = {name: w.astype(np.float32) for name, w in load_file(os.path.join(folder, "model.safetensors")).items()}  # some releases are fp16
        erf = np.vectorize(math.erf, otypes=[np.float32])
        self.activation = {
            "gelu": lambda x: x * (1 + erf(x / math.sqrt(2))) / 2,
            "relu": lambda x: np.maximum(x, 0),
            **dict.fromkeys(("gelu_new", "gelu_pytorch_tanh"), lambda x: x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))) / 2),
        }[config.get("hidden_act") or config.get("hidden_activation", "gelu")]

    def linear(self, x, name):
        return x @ self.weights[name + ".weight"].T + self.weights[name + ".bias"]

    def norm(self, x, name):
        x = x - x.mean(-1, keepdims=True)
        x = x / np.sqrt((x * x).mean(-1, keepdims=True) + self.config["layer_norm_eps"])
        return x * self.weights[name + ".weight"] + self.weights[name + ".bias"]

    def vector(self, ids, types):
        """The encoder's vector of a text."""
        x = self.modern_states(ids) if self.config["model_type"] == "modernbert" else self.bert_states(ids, types)
        if self.sprint["pooling"] == "mean":
            return x.mean(0)
        return np.tanh(self.linear(x[0], self.sprint.get("prefix", "") + "pooler.dense")) if self.sprint["pooling"] == "pooler" else x[0]

    def bert_states(self, ids, types):
        """BERT's and RoBERTa's vectors of the tokens."""
        prefix, w = self.sprint.get("prefix", ""), self.weights
        emb = prefix + "embeddings."
        first = self.config.get("pad_token_id", 1) + 1 if self.config["model_type"] in ("roberta", "xlm-roberta", "camembert") else 0
        x = w[emb + "word_embeddings.weight"][ids] + w[emb + "position_embeddings.weight"][first : first + len(ids)] + w[emb + "token_type_embeddings.weight"][types]
        x = self.norm(x, emb + "LayerNorm")
        split = lambda y: y.reshape(len(y), self.config["num_attention_heads"], -1).swapaxes(0, 1)
        for i in range(self.config["num_hidden_layers"]):
            layer = f"{prefix}encoder.layer.{i}."
            q, k, v = (split(self.linear(x, f"{layer}attention.self.{part}")) for part in ("query", "key", "value"))
            a = (softmax(q @ k.swapaxes(1, 2) / math.sqrt(q.shape[-1])) @ v).swapaxes(0, 1).reshape(x.shape)
            x = self.norm(x + self.linear(a, layer + "attention.output.dense"), layer + "attention.output.LayerNorm")
            f = self.linear(self.activation(self.linear(x, layer + "intermediate.dense")), layer + "output.dense")
            x = self.norm(x + f, layer + "output.LayerNorm")
        return x

    def modern_states(self, ids):
        """ModernBERT's vectors of the tokens: positions turn queries and keys, and some layers see near tokens alone."""
        c, prefix, every = self.config, self.sprint.get("prefix", ""), self.config.get("global_attn_every_n_layers", 3)
        w = lambda name: self.weights[prefix + name + ".weight"]
        heads, rope = c.get("num_attention_heads", 12), c.get("rope_parameters") or {}
        kinds = c.get("layer_types") or ["sliding_attention" if i % every else "full_attention" for i in range(c.get("num_hidden_layers", 22))]
        theta = {kind: (rope.get(kind) or {}).get("rope_theta") or c.get(old, default) for kind, old, default in (("full_attention", "global_rope_theta", 160000), ("sliding_attention", "local_rope_theta", 10000))}

        def norm(x, name):
            x = x - x.mean(-1, keepdims=True)
            return x / np.sqrt((x * x).mean(-1, keepdims=True) + c.get("norm_eps", 1e-5)) * w(name)

        x = norm(w("embeddings.tok_embeddings")[ids], "embeddings.norm")
        half, at = x.shape[1] // heads // 2, np.arange(len(ids), dtype=np.float32)
        for i, kind in enumerate(kinds):
            layer = f"layers.{i}."
            qkv = np.split((norm(x, layer + "attn_norm") if i else x) @ w(layer + "attn.Wqkv").T, 3, -1)
            q, k, v = (y.reshape(len(ids), heads, -1).swapaxes(0, 1) for y in qkv)
            angles = at[:, None] * (1 / theta[kind] ** (np.arange(half) / half)).astype(np.float32)
            cos, sin = np.cos(angles), np.sin(angles)
            turn = lambda y: np.concatenate([y[..., :half] * cos - y[..., half:] * sin, y[..., half:] * cos + y[..., :half] * sin], -1)
            scores = turn(q) @ turn(k).swapaxes(1, 2) / math.sqrt(2 * half)
            if kind == "sliding_attention":
                scores = np.where(abs(at[:, None] - at) <= c.get("local_attention", 128) // 2, scores, -np.inf)
            x = x + (softmax(scores) @ v).swapaxes(0, 1).reshape(x.shape) @ w(layer + "attn.Wo").T
            f, gate = np.split(norm(x, layer + "mlp_norm") @ w(layer + "mlp.Wi").T, 2, -1)
            x = x + (self.activation(f) * gate) @ w(layer + "mlp.Wo").T
        return norm(x, "final_norm")

    def predict(self, ids, types):
        """What the model says of a text's tokens: scores, the probability of none, and tags."""
        s, v = self.sprint, self.vector(ids, types)
        head = lambda name: self.linear(np.maximum(self.linear(v, f"heads.{name}.0"), 0), f"heads.{name}.1")
        if s.get("head") == "linear":  # on the vector of length 1, centred and scaled
            u = (v / max(np.linalg.norm(v), 1e-12) - self.weights["heads.mean"]) * self.weights["heads.scale"]
            head = lambda name: self.linear(u, f"heads.{name}")
        n = len(s["categories"])
        tags = [int(head(f"{i}.tag").argmax()) for i in range(n)]
        logits = np.concatenate([head(f"{i}.score") for i in range(n)] + ([head("none.score")] if s.get("none") else []))
        if s.get("labels") == "single":  # one softmax, with none of the categories last
            p = softmax(logits / (s.get("temperature") or 1))
            return 2 * p[:n] - 1, float(p[n]) if s.get("none") else 0.0, tags
        scores = np.tanh(logits / 2 if s.get("head") == "linear" else logits)
        tempered = lambda x, t: 1 / (1 + ((1 - x) / x) ** (1 / t)) if 0 < x < 1 else x
        return [tempered(float(x), t) for x, t in zip(scores, s.get("temperatures") or [1] * n)], 0.0, tags
