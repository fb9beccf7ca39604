"""Writes bpe.json: small byte pair encodings of the families that package bpe follows, trained on a
few words, texts, and the ids that Hugging Face's tokenizers gives for them.

    pip install tokenizers==0.23.3 && python golden_bpe.py
"""
import json, os, random

from tokenizers import Tokenizer, Regex, decoders, models, normalizers, pre_tokenizers, trainers

words = ("brand polis stockholm regering skatt skola vård eld vatten fire police market school the and in på och att det är för we'll they're it's I'm don't THE'S "
         "не на що и пожар полиция ข่าว ไฟไหม้ नमस्ते आग أخبار حريق 新聞 火災 ニュース 뉴스 화재 γειά φωτιά שלום 2024 1234567 3.14 ½ é e\u0301 œuvre naïve 👩‍🚒 🔥🔥 ﬁ").split()
rng = random.Random(2)
LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN2 = LLAMA3.replace("{1,3}", "")
corpus = [" ".join(rng.choice(words) for _ in range(9)) + rng.choice(["", ".", "!\n\n", "  ", "   ", "\t"]) for _ in range(400)]


def level(**more):
    return {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True, **more}


def split(regex):
    return {"type": "Sequence", "pretokenizers": [{"type": "Split", "pattern": {"Regex": regex}, "behavior": "Isolated", "invert": False}, level(use_regex=False)]}


space = {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}
behind = {"type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious", "invert": False}
kinds = {  # normaliser, pre-tokenizer, model's settings, whether merges are pairs
    "modernbert": ({"type": "NFC"}, level(), {}, False),
    "roberta": (None, level(add_prefix_space=True), {}, False),
    "whole": ({"type": "NFKC"}, level(use_regex=False), {}, True),
    "llama3": (None, split(LLAMA3), {"ignore_merges": True}, True),
    "qwen2": ({"type": "NFC"}, split(QWEN2), {}, False),
    "gemma": (space, None, {"byte_fallback": True, "fuse_unk": True, "unk_token": "<unk>"}, False),
    "mmbert": (space, behind, {"byte_fallback": True, "fuse_unk": True, "unk_token": "<unk>"}, True),
    "unknown": (None, behind, {"unk_token": "<unk>", "ignore_merges": True}, True),
    "fused": ({"type": "Sequence", "normalizers": [{"type": "NFD"}, space]}, None, {"byte_fallback": True, "fuse_unk": True, "unk_token": "<unk>"}, True),
    "across": (space, None, {"byte_fallback": True, "fuse_unk": True, "unk_token": "<unk>"}, True),
}


def trained(name, normalizer, pre, settings):
    """The vocabulary and the merges of a kind."""
    t = Tokenizer(models.BPE(**({"unk_token": "<unk>"} if "unk_token" in settings else {})))
    bytewise = pre is not None and "ByteLevel" in json.dumps(pre)
    # Cut words, so that no token of a vocabulary over characters reaches over a blank.
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False) if bytewise else pre_tokenizers.Metaspace(prepend_scheme="never", split=name != "across")
    if normalizer is not None and normalizer != space:
        t.normalizer = normalizers.NFC() if bytewise else normalizers.NFD() if name == "fused" else None
    special = ["<unk>", "<s>", "</s>", "<pad>", "<mask>"] if name != "modernbert" else ["[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]"]
    trainer = trainers.BpeTrainer(vocab_size=460 if bytewise else 360, special_tokens=special, show_progress=False, initial_alphabet=pre_tokenizers.ByteLevel.alphabet() if bytewise else [])
    # Some characters stay unknown.
    t.train_from_iterator([x if bytewise else x.replace("γ", "").replace("新", "") for x in corpus], trainer)
    d = json.loads(t.to_str())["model"]
    vocab, merges = d["vocab"], d["merges"]
    if name == "gemma":  # as a conversion of SentencePiece's: every way to cut a token is a merge
        merges = [[v[:i], v[i:]] for v in sorted(vocab, key=vocab.get) for i in range(1, len(v)) if v[:i] in vocab and v[i:] in vocab and v not in special]
    if settings.get("byte_fallback"):
        for b in range(256):
            if name != "fused" or b % 16:
                vocab.setdefault("<0x%02X>" % b, len(vocab))
    return vocab, merges, special


def document(name, normalizer, pre, settings, pairs):
    vocab, merges, special = trained(name, normalizer, pre, settings)
    token = lambda s: {"SpecialToken": {"id": s, "type_id": 0}}
    text = lambda s, t=0: {"Sequence": {"id": s, "type_id": t}}
    add = lambda i, s, **more: {"id": i, "content": s, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True, **more}
    added = [add(vocab[s], s, lstrip=s in ("[MASK]", "<mask>"), rstrip=s == "</s>", normalized=name == "roberta") for s in special]
    n = len(vocab)
    for s in ["|||IP|||", "  ", "   ", "\n\n", "e\u0301é", "elds", "▁▁"]:
        added.append(add(vocab.get(s, n), s, special=False, normalized=s not in ("\n\n", "▁▁"), single_word=s == "elds"))
        n += s not in vocab
    cls, sep = special[1], special[2]
    return {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": sorted(added, key=lambda a: a["id"]),
        "normalizer": normalizer, "pre_tokenizer": pre, "decoder": None,
        "post_processor": {"type": "TemplateProcessing", "single": [token(cls), text("A"), token(sep)], "pair": [token(cls), text("A"), token(sep), text("B", 1), {"SpecialToken": {"id": sep, "type_id": 1}}],
                           "special_tokens": {s: {"id": s, "ids": [vocab[s]], "tokens": [s]} for s in (cls, sep)}},
        "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None, "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
                  **settings, "vocab": vocab, "merges": merges if pairs else [" ".join(m) for m in merges]},
    }


odd = ["'S", "'ll", "'LL", "'ſ", "'r", "''re", "\u0301", "e\u0301", "é", "ﬁ", "½", "٣", "Ⅷ", "²", "１２３４", "\u00a0", "\u3000", "\u2028", "\u0085", "\u200b", "\ufeff", "\x00", "\x7f", "\u00ad", "\t", "\r\n", "\n\n\n", " \n ", "  ", "   ", "    ", "▁", "▁▁", "▁▁▁",
       "<mask>", " <mask>", "  [MASK] ", "</s>", "</s> \n", "[CLS]", "<s>", "<unk>", "|||IP|||", "||IP|||", "elds", "elds,", "xelds", "e\u0301é", "ée\u0301", "γ", "γγ", "新新", "γ▁新", "γ 新", "𐍈", "\U0010ffff", "\U00010d40", "\u1c89", "\ufffd", "👩‍🚒", "😀", "<0x41>", "a" * 70, " " * 60, "ab" * 40]
texts = ["", " ", "brand", " brand", "brand ", "brand i skolan", "Brand i centrala Stockholm: polisen på plats 2024!", "They'LL don't we're I'd", "1234567 12 ٣٤٥", "brand" * 30]
texts += odd + ["polis" + o + "skola 7" for o in odd] + ["eld " + o + " vatten" for o in odd if not o.strip() or "<" in o]
for _ in range(30):
    texts.append("".join(rng.choice([rng.choice(words), rng.choice(words).upper(), rng.choice(odd[:60]), chr(rng.choice([rng.randint(0x20, 0x24F), rng.randint(0x300, 0xD7FF), rng.randint(0xE000, 0x1FFFF)]))]) + rng.choice([" ", " ", " ", "", "  ", "-"]) for _ in range(rng.randint(1, 9))))

out = {"texts": texts, "kinds": {}, "pairs": []}
for name, parts in kinds.items():
    d = document(name, *parts)
    t = Tokenizer.from_str(json.dumps(d))
    out["kinds"][name] = {"tokenizer": d, "ids": [t.encode(x, add_special_tokens=False).ids for x in texts]}
t = Tokenizer.from_str(json.dumps(out["kinds"]["modernbert"]["tokenizer"]))
for a in (6, 7, 9):
    for b in (2, 8, 9):
        for limit in (0, 4, 9, 33):
            t.enable_truncation(limit) if limit else t.no_truncation()
            e = t.encode(texts[a], texts[b])
            out["pairs"].append({"a": a, "b": b, "max": limit, "ids": e.ids, "types": e.type_ids})
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "bpe.json"), "w") as f:
    json.dump(out, f, ensure_ascii=True, separators=(",", ":"))
    f.write("\n")
