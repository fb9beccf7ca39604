"""Writes cased.txt and golden.json with the ids of Hugging Face's tokenizers.

    pip install tokenizers==0.23.3
    python golden.py FOLDER-OF-all-minilm-l6-v2

hard.json holds texts (base64, since some are no printable UTF-8). cased.txt is a
small cased vocabulary of our own: every letter of a few alphabets, and pieces of
the words below.
"""
import base64, json, os, sys
from tokenizers import Tokenizer, normalizers, pre_tokenizers, models, processors

here = os.path.dirname(os.path.abspath(__file__))
TEXT = """Brand i centrala Stockholm Polisen söker vittnen efter rånet i Göteborg Regeringen
föreslår höjd skatt på kärnkraft Sjukhuset i Malmö utrymdes Västra Götaland Örebro Åre Älvsbyn
skogsbrand bostadshus räddningstjänsten larmades natten morgonen kvällen olycka E4 lastbil
Ukraine Kyiv Україна новини Київ Москва война Αθήνα Ελλάδα emergency fire police hospital school
the of and to in is on for with that this from at by an be are was were has have not but news
ing ed er est ly tion ment ness able ar er or na en et erna arna orna ande ende het skap dom"""


def cased():
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    letters = [chr(c) for r in ((33, 127), (0xA1, 0x180), (0x391, 0x3CA), (0x400, 0x460), (0x5D0, 0x5EB), (0x2010, 0x2027)) for c in range(*r)]
    letters += list("中文新闻日本語éü한국") + ["\U0001F389", "\u0301", "\u030a"]
    for l in letters:
        tokens += [l, "##" + l]
    for word in TEXT.split():
        tokens += [word, "##" + word]
        for n in range(2, len(word)):
            tokens += [word[:n], "##" + word[n:]]
    return list(dict.fromkeys(tokens))


def bert(vocab, lower, strip):
    t = Tokenizer(models.WordPiece(vocab, unk_token="[UNK]", max_input_chars_per_word=100))
    t.add_special_tokens(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"])
    t.normalizer = normalizers.BertNormalizer(clean_text=True, handle_chinese_chars=True, strip_accents=strip, lowercase=lower)
    t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    t.post_processor = processors.BertProcessing(("[SEP]", vocab["[SEP]"]), ("[CLS]", vocab["[CLS]"]))
    return t


tokens = cased()
with open(os.path.join(here, "cased.txt"), "w", encoding="utf-8", newline="") as f:
    f.write("".join(t + "\n" for t in tokens))
ids = {t: i for i, t in enumerate(tokens)}
mini = Tokenizer.from_file(os.path.join(sys.argv[1], "tokenizer.json"))
mini.no_truncation()
mini.no_padding()
engines = {"minilm": mini, "cased": bert(ids, False, False), "lower": bert(ids, True, False), "strip": bert(ids, False, True)}
texts = [base64.b64decode(b).decode("utf-8", "replace") for b in json.load(open(os.path.join(here, "hard.json")))]
out = {"texts": {}, "pairs": []}
for name, t in engines.items():
    # The longest texts are cut, or the file would be mostly repetition.
    out["texts"][name] = [t.encode(x).ids[:160] for x in texts]
for a, b in [(3, 4), (4, 3), (3, 0), (0, 4), (10, 11), (28, 3), (3, 28), (28, 28), (4, 11)]:
    for limit in (0, 4, 5, 8, 9, 16, 17, 40, 64):
        t = engines["minilm"]
        t.enable_truncation(limit) if limit else t.no_truncation()
        e = t.encode(texts[a], texts[b])
        if len(e.ids) <= 160:
            out["pairs"].append({"a": a, "b": b, "max": limit, "ids": e.ids, "types": e.type_ids})
        t.no_truncation()
with open(os.path.join(here, "golden.json"), "w") as f:
    json.dump(out, f, separators=(",", ":"))
    f.write("\n")
