"""Peer: training steps in PyTorch on random encoders of the same shapes: SDPA, fused AdamW, gradients clipped to norm 1,
nine score heads and nine tag heads, no dropout. usage: peer.py JOB [--compile]; prints the figures so far as JSON lines."""
import json, statistics, sys, time
import torch
from torch import nn
import transformers
transformers.logging.set_verbosity_error()
job, compiled = json.loads(sys.argv[1]), "--compile" in sys.argv
cuda = job["device"] == "cuda"
dev = torch.device("cuda" if cuda else "cpu")
figures = {"torch": torch.__version__, "transformers": transformers.__version__}
class Model(nn.Module):
    def __init__(s, z):
        super().__init__()
        config = transformers.BertConfig(vocab_size=z["Rows"], hidden_size=z["Hidden"], num_hidden_layers=z["Layers"], num_attention_heads=z["Heads"], intermediate_size=z["Inner"],
                                         max_position_embeddings=z["Positions"], hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, attn_implementation="sdpa")
        s.encoder = transformers.BertModel(config)
        two = lambda n: nn.Sequential(nn.Linear(z["Hidden"], 128), nn.ReLU(), nn.Linear(128, n))
        s.score, s.tag = nn.ModuleList([two(1) for _ in range(9)]), nn.ModuleList([two(6) for _ in range(9)])
    def forward(s, ids, mask):
        o = s.encoder(input_ids=ids, attention_mask=mask).pooler_output
        return torch.cat([torch.tanh(h(o)) for h in s.score], 1), torch.stack([h(o) for h in s.tag], 1)
def measure(z, rows, length, precision):
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = precision == "tf32"
    torch.manual_seed(7)
    m = Model(z).to(dev)
    opt = torch.optim.AdamW(m.parameters(), lr=2e-5, weight_decay=0.01, fused=True)
    f = torch.compile(m) if compiled else m
    ids = torch.randint(5, z["Rows"], (rows, length), device=dev); mask = torch.ones_like(ids)
    score, tag = torch.rand(rows, 9, device=dev), torch.randint(0, 6, (rows, 9), device=dev)
    ms = []
    for i in range(job["steps"] + 3):
        if cuda: torch.cuda.synchronize()
        t = time.perf_counter()
        with torch.autocast(dev.type, torch.bfloat16, enabled=precision == "bf16"):
            s, l = f(ids, mask)
        loss = 0.5 * nn.functional.mse_loss(s.float(), score) + 0.5 * nn.functional.cross_entropy(l.float().flatten(0, 1), tag.flatten())
        opt.zero_grad(set_to_none=True); loss.backward(); nn.utils.clip_grad_norm_(m.parameters(), 1.0); opt.step()
        loss.item()
        if i >= 3: ms.append(1e3 * (time.perf_counter() - t))
    return round(statistics.median(ms), 2)
for z in job["sizes"]:
    for precision in (("tf32", "fp32", "bf16") if cuda else ("fp32",)):
        for b in job["shapes"]:
            figures[f"{z['Name']}_ms_{precision}_{b['Rows']}x{b['Length']}"] = measure(z, b["Rows"], b["Length"], precision)
            print(json.dumps(figures), flush=True)
