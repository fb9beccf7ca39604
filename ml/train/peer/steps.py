"""Peer of BenchmarkSteps: training steps in PyTorch on the token ids that the benchmark trains on, fp32, fused AdamW, dropout off.
usage: steps.py MODEL_DIR BATCHES.json
BATCHES.json: {"threads": 2, "tags": 6, "frozen": false, "batches": [{"ids": [[...]], "score": [[...]], "tag": [[...]]}]}, all texts of one length.
Reads a number of steps a line; answers each with one JSON line of milliseconds per step and peak memory."""
import json, sys, time
import torch
from torch import nn
import transformers
transformers.logging.set_verbosity_error()
d = json.load(open(sys.argv[2]))
torch.set_num_threads(d["threads"]); torch.manual_seed(7)
enc = transformers.AutoModel.from_pretrained(sys.argv[1])
H, K, N = enc.config.hidden_size, len(d["batches"][0]["score"][0]), d["tags"]
class M(nn.Module):
    def __init__(s):
        super().__init__(); s.e = enc
        two = lambda n: nn.Sequential(nn.Linear(H, 128), nn.ReLU(), nn.Linear(128, n))
        s.score = nn.ModuleList([nn.Sequential(two(1), nn.Tanh()) for _ in range(K)]); s.tag = nn.ModuleList([two(N) for _ in range(K)])
    def forward(s, ids, mask):
        o = s.e(input_ids=ids, attention_mask=mask)
        o = o.last_hidden_state.mean(1) if d["frozen"] else o.pooler_output
        return [(a(o).squeeze(-1), b(o)) for a, b in zip(s.score, s.tag)]
m = M().eval()
if d["frozen"]: enc.embeddings.requires_grad_(False)
opt = torch.optim.AdamW([p for p in m.parameters() if p.requires_grad], lr=2e-5, fused=True); mse = nn.MSELoss(); ce = nn.CrossEntropyLoss()
data = [(torch.tensor(b["ids"]), torch.tensor(b["score"]), torch.tensor(b["tag"])) for b in d["batches"]]
at = 0
def step():
    global at
    ids, score, tag = data[at % len(data)]; at += 1
    loss = 0
    for k, (s, t) in enumerate(m(ids, torch.ones_like(ids))):
        loss = loss + .5 * mse(s, score[:, k]) + .5 * ce(t, tag[:, k])
    opt.zero_grad(); loss.backward(); nn.utils.clip_grad_norm_(m.parameters(), 1.0); opt.step()
    return loss.item()
def peak():
    return int(next(l for l in open("/proc/self/status") if l.startswith("VmHWM")).split()[1]) / 1024
print(json.dumps(dict(peer=f"torch {torch.__version__}, transformers {transformers.__version__}")), flush=True)
for line in sys.stdin:
    ms = []
    for _ in range(int(line)):
        t = time.perf_counter(); step(); ms.append(1e3 * (time.perf_counter() - t))
    print(json.dumps(dict(ms=ms, peak_mb=peak())), flush=True)
