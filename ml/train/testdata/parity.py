"""The reference that ml/train is compared with: PyTorch and transformers.

    python parity.py FOLDER     (`just parity` and `go test -update` make FOLDER)

FOLDER holds a model as sprint saves it (encoder in the Hugging Face layout, heads
under heads.*) and request.json: texts, examples, and fits, each with its options
and its batches of examples. out.safetensors and out.json take what PyTorch makes
of them; "rounding" says how far float32 lies from float64 in PyTorch itself, over
the first ten steps.
"""
import json, math, os, sys

os.environ["HF_HUB_OFFLINE"] = "1"
import torch, transformers
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from torch import nn

folder = sys.argv[1]
request = json.load(open(os.path.join(folder, "request.json"), encoding="utf-8"))
section = json.load(open(os.path.join(folder, "config.json"), encoding="utf-8"))["sprint"]
transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()


class Classifier(nn.Module):
    """An encoder with a score and a tag head per category."""

    def __init__(self):
        super().__init__()
        # ModernBERT's eager attention has a softmax in float32, in which the mask of float64 is no number.
        attention = "sdpa" if json.load(open(os.path.join(folder, "config.json"), encoding="utf-8"))["model_type"] == "modernbert" else "eager"
        self.bert = transformers.AutoModel.from_pretrained(folder, attn_implementation=attention, dtype=torch.float32)
        hidden, wide = self.bert.config.hidden_size, section["head_hidden"]
        head = lambda n: nn.ModuleList([nn.Linear(hidden, wide), nn.Linear(wide, n)])
        self.heads = nn.ModuleList(nn.ModuleDict({"score": head(1), "tag": head(len(c["tags"]))}) for c in section["categories"])
        weights = load_file(os.path.join(folder, "model.safetensors"))
        self.heads.load_state_dict({k.removeprefix("heads."): v for k, v in weights.items() if k.startswith("heads.")})
        self.eval()  # no dropout

    def pool(self, states, mask, how):
        if how == "mean":
            m = mask.unsqueeze(-1).to(states.dtype)
            return (states * m).sum(1) / m.sum(1)
        return self.bert.pooler(states) if how == "pooler" else states[:, 0]

    def states(self, ids, types, mask):
        more = {"token_type_ids": types} if hasattr(self.bert.config, "type_vocab_size") else {}
        return self.bert(input_ids=ids, attention_mask=mask, **more).last_hidden_state

    def forward(self, ids, types, mask):
        states = self.states(ids, types, mask)
        pooled = self.pool(states, mask, section["pooling"])
        two = lambda h: h[1](torch.relu(h[0](pooled)))
        return [(torch.tanh(two(h["score"])).squeeze(-1), two(h["tag"])) for h in self.heads]

    def tensors(self):
        """The parameters by their names in the file."""
        return {k.removeprefix("bert."): p for k, p in self.named_parameters()}


def pad(rows):
    n = max(len(r["ids"]) for r in rows)
    full = lambda key: torch.tensor([r[key] + [0] * (n - len(r[key])) for r in rows])
    return full("ids"), full("types"), torch.tensor([[1] * len(r["ids"]) + [0] * (n - len(r["ids"])) for r in rows])


def loss_of(model, rows, o):
    total = 0
    for k, (score, logits) in enumerate(model(*pad(rows))):
        want = torch.tensor([r["score"][k] for r in rows], dtype=score.dtype)
        tag = torch.tensor([r["tag"][k] for r in rows])
        weight = torch.tensor([r["weight"][k] for r in rows], dtype=score.dtype)
        ce = nn.functional.cross_entropy(logits, tag, reduction="none", label_smoothing=o["Smoothing"])
        total = total + (weight * (o["ScoreWeight"] * (score - want) ** 2 + o["TagWeight"] * ce)).sum()
    return total / len(rows)


def groups(model, o):
    """AdamW's groups: no decay on biases and LayerNorm; a rate per layer, and one for pooler and heads."""
    top, out = model.bert.config.num_hidden_layers, {}
    for name, p in model.tensors().items():
        if name.startswith(("encoder.layer.", "layers.")):
            scale = o["LayerDecay"] ** (top - 1 - int(name.removeprefix("encoder.").split(".")[1]))
        elif name.startswith("final_norm."):
            scale = 1.0
        elif name.startswith("embeddings."):
            scale = o["LayerDecay"] ** top
        else:
            scale = o["HeadScale"]
        decay = 0.0 if name.endswith("bias") or "norm" in name.lower() else o["WeightDecay"]
        out.setdefault((scale, decay), []).append(p)
    return [{"params": ps, "lr": o["LearningRate"] * scale, "weight_decay": decay} for (scale, decay), ps in out.items()]


def factor(o, steps):
    warm = math.ceil(o["Warmup"] * steps)

    def at(step):
        if step < warm:
            return (step + 1) / warm
        done = (step - warm) / max(steps - warm, 1)
        return 0.5 * (1 + math.cos(math.pi * done)) if o["Schedule"] == "cosine" else 1 - done

    return at


def fit(request_fit, dtype, steps=None):
    model, o, batches = Classifier().to(dtype), request_fit["options"], request_fit["batches"]
    before = {k: p.detach().clone() for k, p in model.tensors().items()}
    optimiser = torch.optim.AdamW(groups(model, o), betas=(0.9, 0.999), eps=1e-8)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, factor(o, len(batches)))
    losses, out = [], {}
    for step, batch in enumerate(batches[:steps]):
        rows = [request["examples"][i] for i in batch]
        if request_fit["masked"]:
            rows = [dict(r, weight=[0.0] * len(r["weight"])) for r in rows]
        loss = loss_of(model, rows, o)
        losses.append(loss.item())
        optimiser.zero_grad()
        loss.backward()
        fitted = [k for k, p in model.tensors().items() if p.grad is not None]
        copy = lambda kind: {f"{kind}.{k}": model.tensors()[k].grad.detach().clone() for k in fitted}
        if step == 0 and not request_fit["masked"]:
            out |= copy("gradient")
        if o["Clip"] > 0:
            nn.utils.clip_grad_norm_(model.parameters(), o["Clip"])
        if step == 0 and not request_fit["masked"]:
            out |= copy("clipped")
        optimiser.step()
        schedule.step()
    after = model.tensors()
    out |= {"moved." + k: after[k].detach().double() - before[k].double() for k in fitted}
    return losses, out


def states(dtype):
    """Every text alone, so that no padding is involved."""
    model, rows, pooled = Classifier().to(dtype), [], {}
    with torch.no_grad():
        for t in request["texts"]:
            ids, types, mask = pad([t])
            s = model.states(ids, types, mask)
            rows.append(s[0])
            for how in ("mean", "cls", "pooler")[: 3 if hasattr(model.bert, "pooler") else 2]:
                pooled.setdefault("pooled." + how, []).append(model.pool(s, mask, how)[0])
    return {"states": torch.cat(rows), **{k: torch.stack(v) for k, v in pooled.items()}}


def apart(kind, a, b):
    """The largest relative distance of a kind's tensors; the exceptions are those of parity_test.go."""
    worst = 0.0
    for k in (k for k in b if k.startswith(kind + ".")):
        norm = float(b[k].double().norm())
        if k.endswith("self.key.bias"):
            if kind == "moved":
                continue
            norm = float(b[k.replace("key", "query")].double().norm())
        worst = max(worst, float((a[k].double() - b[k].double()).norm()) / (norm or 1))
    return worst


EXACT = 10
tensors = {}
result = {"versions": {"torch": torch.__version__, "transformers": transformers.__version__}, "losses": {}, "rounding": {}, "other_ids": 0}
tokenizer = Tokenizer.from_file(os.path.join(folder, "tokenizer.json"))
tokenizer.enable_truncation(section["max_length"])
for t in request["texts"]:
    e = tokenizer.encode(*([t["first"], t["second"]] if t["second"] else [t["first"]]))
    result["other_ids"] += e.ids != t["ids"] or e.type_ids != t["types"]
single, double = states(torch.float32), states(torch.float64)
tensors |= single
for k in single:
    result["rounding"][k] = float((single[k].double() - double[k]).abs().max())
for name, f in sorted(request["fits"].items()):
    losses, out = fit(f, torch.float32)
    exact_losses, exact = fit(f, torch.float64, EXACT)
    result["losses"][name] = losses
    result["rounding"][name + ".losses"] = max(abs(a - b) / max(abs(b), 1e-9) for a, b in zip(losses, exact_losses))
    for kind in ("gradient", "clipped", "moved")[: 3 if len(f["batches"]) <= EXACT else 2]:
        result["rounding"][f"{name}.{kind}"] = apart(kind, out, exact)
    tensors |= {f"{name}.{k}": v.float() for k, v in out.items()}
save_file({k: v.contiguous() for k, v in tensors.items()}, os.path.join(folder, "out.safetensors"))
json.dump(result, open(os.path.join(folder, "out.json"), "w"))
