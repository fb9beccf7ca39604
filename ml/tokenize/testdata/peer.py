"""Encodes texts with Hugging Face's tokenizers for the tests and benchmarks beside this folder.

    python peer.py TOKENIZER...        tokenizer.json files, or vocab.txt of a cased vocabulary

Requests are lines of JSON on stdin, answers lines of JSON on stdout:
    {"texts": [...]}                  keeps them
    {"encode": 0, "max": 128}         encodes them with tokenizer 0: seconds of encode_batch and
                                      encode_batch_fast, and the digest of the ids
    {"ids": 0, "max": 0}              the ids themselves
One thread if TOKENIZERS_PARALLELISM is false.
"""
import hashlib, json, sys, time
from array import array

import tokenizers
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors


def load(path):
    if path.endswith(".json"):
        t = Tokenizer.from_file(path)
        t.no_padding()
        return t
    vocab = {line.rstrip("\n"): i for i, line in enumerate(open(path, encoding="utf-8", newline="\n"))}
    t = Tokenizer(models.WordPiece(vocab, unk_token="[UNK]", max_input_chars_per_word=100))
    t.add_special_tokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"])
    t.normalizer = normalizers.BertNormalizer(clean_text=True, handle_chinese_chars=True, strip_accents=False, lowercase=False)
    t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    t.post_processor = processors.BertProcessing(("[SEP]", vocab["[SEP]"]), ("[CLS]", vocab["[CLS]"]))
    return t


def answer(**fields):
    print(json.dumps(fields), flush=True)


engines = [load(p) for p in sys.argv[1:]]
answer(peer=f"tokenizers {tokenizers.__version__}, Python {sys.version.split()[0]}")
texts = []
for line in sys.stdin:
    r = json.loads(line)
    if "texts" in r:
        texts = r["texts"]
        answer(texts=len(texts))
        continue
    t = engines[r["encode"] if "encode" in r else r["ids"]]
    t.enable_truncation(r["max"]) if r.get("max") else t.no_truncation()
    if "ids" in r:
        answer(ids=[e.ids for e in t.encode_batch(texts)])
        continue
    began = time.perf_counter()
    out = t.encode_batch(texts)
    took = time.perf_counter() - began
    digest = hashlib.sha256()
    for e in out:
        ids = e.ids
        digest.update(array("i", [len(ids)] + ids).tobytes())
    fast = None
    if r.get("fast"):
        began = time.perf_counter()
        t.encode_batch_fast(texts)
        fast = time.perf_counter() - began
    answer(seconds=took, fast=fast, digest=digest.hexdigest())
