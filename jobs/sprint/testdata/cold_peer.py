"""The answer about one text by transformers on PyTorch, in a process of its own: the peer of
BenchmarkClassifyCold. usage: cold_peer.py ENCODER TEXT

Loads an encoder and its tokenizer from a folder and puts a linear head on the mean of its tokens,
with weights that are made up: what a script does at least before it answers.
"""
import sys
import torch, transformers

transformers.logging.set_verbosity_error()
tokenizer = transformers.AutoTokenizer.from_pretrained(sys.argv[1])
encoder = transformers.AutoModel.from_pretrained(sys.argv[1]).eval()
head = torch.nn.Linear(encoder.config.hidden_size, 5)
with torch.inference_mode():
    seen = encoder(**tokenizer(sys.argv[2], return_tensors="pt")).last_hidden_state
    print(torch.sigmoid(head(seen.mean(1))).tolist())
