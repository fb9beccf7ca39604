"""Prints texts/s of Python's encode_batch beside BenchmarkEncodeShort's, one thread each.

    pip install tokenizers==0.23.3
    python bench.py FOLDER-OF-all-minilm-l6-v2      (from anywhere inside the module)
"""
import os, re, subprocess, sys, time

os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["RAYON_NUM_THREADS"] = "1"
from tokenizers import Tokenizer

here = os.path.dirname(os.path.abspath(__file__))
# The texts of BenchmarkEncodeShort, read from there so that they cannot differ.
test = open(os.path.join(here, "..", "tokenize_test.go"), encoding="utf-8").read()
block = test[test.index("func BenchmarkEncodeShort") :]
texts = re.findall(r'^\t\t"(.*)",$', block[: block.index("var ids")], re.M)
t = Tokenizer.from_file(os.path.join(sys.argv[1], "tokenizer.json"))
t.no_padding()
t.enable_truncation(64)
batch = texts * (2000 // len(texts))
t.encode_batch(batch)
rates = []
for _ in range(5):
    start = time.perf_counter()
    t.encode_batch(batch)
    rates.append(len(batch) / (time.perf_counter() - start))
python = sorted(rates)[2]
out = subprocess.run(["go", "test", "-run", "^$", "-bench", "EncodeShort", "-cpu", "1", ".."], cwd=here, capture_output=True, text=True, check=True).stdout
go = float(re.search(r"([\d.]+) texts/s", out)[1])
print(f"python encode_batch {python:,.0f} texts/s, go {go:,.0f} texts/s, ratio {go / python:.1f}")
