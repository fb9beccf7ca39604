"""Writes unigram.json: tokenizers of the family of XLM-RoBERTa with a small vocabulary and a small
table of replacements, texts, and the ids that Hugging Face's tokenizers gives for them.

    pip install tokenizers==0.23.3 && python golden_unigram.py
"""
import base64, json, os, random, struct

from tokenizers import Tokenizer

MAP = {"ﬁ": "fi", "ﬃ": "ffi", "™": "TM", "Ａ": "A", "ａ": "a", "　": " ", "\u00a0": " ", "\u2003": " ", "\t": " ", "\n": " ", "\r": " ", "\u200b": " ",
       "\u00ad": "", "\ufeff": "", "\x01": "", "\x7f": "", "e\u0301": "é", "a\u0308": "ä", "…": "...", "①": "1", "½": "1⁄2", "▁": " ", "´": " \u0301",
       "\u0340": "\u0300", "Å": "Å", "㎏": "kg", "ｶ": "カ", "ｶﾞ": "ガ", "\u0915\u093c": "\u0958", "\u2028": " ", "K": "K", "㍿": "株式会社", "²": "2", "é": "é", "s": "s", " \u0302": "^", "\u0600 ": "brand"}


def charsmap(table):
    """As SentencePiece writes it: size, darts-clone's units, replacements that end with a zero."""
    text, at = b"", {}
    for k, v in table.items():
        at[k.encode()] = len(text)
        text += v.encode() + b"\0"
    tree = {}
    for k in at:
        node = tree
        for c in k:
            node = node.setdefault(c, {})
        node[None] = at[k]
    units, used, bases = {0: 0}, {0}, set()

    def place(i, node):
        children = sorted(c for c in node if c is not None)
        need = [0] * (None in node) + children
        base = next(b for b in range(1, 1 << 20) if b not in bases and all(b ^ c not in used for c in need))
        bases.add(base)
        used.update(base ^ c for c in need)
        units[i] |= (i ^ base) << 10 | (None in node) << 8
        if None in node:
            units[base] = node[None] | 1 << 31
        for c in children:
            units[base ^ c] = c
        for c in children:
            place(base ^ c, node[c])

    place(0, tree)
    size = (max(units) | 255) + 1
    array = b"".join(struct.pack("<I", units.get(i, 0)) for i in range(size))
    return base64.b64encode(struct.pack("<I", len(array)) + array + text).decode()


rng = random.Random(1)
pieces = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
words = "brand polis stockholm regering skatt skola vård eld vatten fire police market school the and in på och att det är för не на що и の ข่าว नमस्ते أخبار 新聞 ニュース 뉴스 kg fi ffi株式会社".split()
score = -3.0
for w in words:
    for n in range(1, len(w) + 1):
        for piece in (w[:n], "▁" + w[:n], w[-n:]):
            score -= 0.013
            pieces.append((piece, score if n > 1 else score - 2))
for c in "▁abcdefghijklmnopqrstuvwxyzåäöABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,:;!?-–()'\"⁄é":
    score -= 0.01
    pieces.append((c, score))
pieces.append(("▁▁", -9.0))
seen = set()
pieces = [p for p in pieces if not (p[0] in seen or seen.add(p[0]))]
fallback = pieces + [("<0x%02X>" % b, -19.0) for b in range(256)]
mask = len(pieces)

precompiled = {"type": "Precompiled", "precompiled_charsmap": charsmap(MAP)}
metaspace = lambda **more: {"type": "Metaspace", "replacement": "▁", **more}
kinds = {
    "xlm-roberta": (precompiled, {"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, metaspace(add_prefix_space=True)]}, pieces, False),
    "e5": ({"type": "Sequence", "normalizers": [precompiled, {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "}]}, metaspace(add_prefix_space=True), pieces, False),
    "transformers 5": ({"type": "Sequence", "normalizers": [precompiled, {"type": "Strip", "strip_left": False, "strip_right": True}, {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": "▁"}]},
                       metaspace(prepend_scheme="always", split=True), pieces, False),
    "whole": ({"type": "NFKC"}, metaspace(prepend_scheme="first", split=False), fallback, True),
    "never": ({"type": "Sequence", "normalizers": [{"type": "NFKD"}, {"type": "Replace", "pattern": {"String": "skola"}, "content": "the school"}]}, metaspace(prepend_scheme="never"), fallback, True),
    "first": ({"type": "Sequence", "normalizers": [{"type": "NFC"}, {"type": "Strip", "strip_left": True, "strip_right": True}]}, metaspace(prepend_scheme="first"), pieces, False),
}


def document(normalizer, pre, vocab, byte_fallback):
    special = lambda i, s, **more: {"id": i, "content": s, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True, **more}
    token = lambda s: {"SpecialToken": {"id": s, "type_id": 0}}
    text = lambda s: {"Sequence": {"id": s, "type_id": 0}}
    return {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [special(0, "<s>"), special(1, "<pad>"), special(2, "</s>"), special(3, "<unk>"), special(len(vocab), "<mask>", lstrip=True)],
        "normalizer": normalizer, "pre_tokenizer": pre, "decoder": None,
        "post_processor": {"type": "TemplateProcessing", "single": [token("<s>"), text("A"), token("</s>")], "pair": [token("<s>"), text("A"), token("</s>"), token("</s>"), text("B"), token("</s>")],
                           "special_tokens": {s: {"id": s, "ids": [i], "tokens": [s]} for i, s in ((0, "<s>"), (2, "</s>"))}},
        "model": {"type": "Unigram", "unk_id": 3, "byte_fallback": byte_fallback, "vocab": vocab},
    }


odd = list(MAP) + ["\u0302", "\u0600", "ﬁ\u0301", "™\u0301", "🇸🇪\u0301", "😀\u200d™\u0301", "©\u0301", "가\u0301", "각", "\u1100\u1161\u0301", "\u0600a", "\u0600 a", "\u0301", " \u0301", "\u0915\u094d\u0915", "\u0915\u093c\u0301",
                   "\r\n", "\x00", "<mask>", " <mask>", "<s>", "<unk>", "<pad", "▁▁", "[MASK]", "中文", "𐍈", "\u08ca\u0301", "\u0340\u0301\u0316", "a" + "\u0316\u0301" * 20, "\U00011935\U00011930", "\u0344", "각", "\ufffd"]
texts = ["", " ", "  ", "brand", " brand", "brand ", "brand  i  skolan", "Brand i centrala Stockholm: polisen på plats", "skolaskola skola", "新聞ニュースを読む", "ข่าวข่าว", "नमस्ते", "brand" * 40]
texts += odd + ["police" + o + "skola" for o in odd] + ["eld " + o + " vatten" for o in odd]
for _ in range(160):
    parts = []
    for _ in range(rng.randint(1, 9)):
        parts.append(rng.choice([rng.choice(words), rng.choice(words).upper(), rng.choice(odd), chr(rng.choice([rng.randint(0x20, 0x24f), rng.randint(0x300, 0xd7ff), rng.randint(0xe000, 0x1ffff)]))]))
        parts.append(rng.choice([" ", " ", " ", "", "  ", "-"]))
    texts.append("".join(parts))

out = {"texts": texts, "kinds": {}, "pairs": []}
for name, parts in kinds.items():
    d = document(*parts)
    t = Tokenizer.from_str(json.dumps(d))
    out["kinds"][name] = {"tokenizer": d, "ids": [t.encode(x, add_special_tokens=False).ids for x in texts]}
t = Tokenizer.from_str(json.dumps(out["kinds"]["e5"]["tokenizer"]))
long = [7, 9, 12, 0, 100]
for a in long:
    for b in long:
        for limit in (0, 4, 5, 8, 9, 16, 33):
            if limit:
                t.enable_truncation(limit)
            else:
                t.no_truncation()
            if texts[a] and texts[b]:
                e = t.encode(texts[a], texts[b])
                out["pairs"].append({"a": a, "b": b, "max": limit, "ids": e.ids, "types": e.type_ids})
# The vocabularies and tables stand once: kinds share them.
out["vocab"], out["fallback"], out["charsmap"] = pieces, fallback[len(pieces):], precompiled["precompiled_charsmap"]
text = json.dumps(out, ensure_ascii=True, separators=(",", ":"))
for value, name in ((fallback, "$FALLBACK"), (pieces, "$VOCAB"), (precompiled["precompiled_charsmap"], "$CHARSMAP")):
    shared = json.dumps(value, ensure_ascii=True, separators=(",", ":"))
    head, tail = text[: text.rindex('"vocab":')], text[text.rindex('"vocab":') :]
    text = head.replace(shared, json.dumps(name)) + tail
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "unigram.json"), "w") as f:
    f.write(text + "\n")
