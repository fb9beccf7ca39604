"""What the rules of a taxonomy say of a text, as `sprint` itself applies them: rules.json holds
them with their words folded. Needs nothing but Python."""
import json, math, unicodedata as u


def words(text):
    """The folded words of a text, each with what stands before it."""
    text = "".join(c for c in text if u.category(c) != "Cf")
    text = u.normalize("NFC", u.normalize("NFD", text).casefold()).replace("i\u0307", "i")
    out, word, gap = [], "", ""
    for c in text + " ":
        if u.category(c)[0] in "LM" or u.category(c) == "Nd":
            word += c
            continue
        if word:
            out.append((word, gap))
            word, gap = "", ""
        gap += c
    return out


FITS = {  # whether a word is as a pattern wants: the word, what is wanted, if it is the last and the first of a phrase
    "words": lambda w, x, last, first: w == x,
    "prefixes": lambda w, x, last, first: w == x or last and w.startswith(x),
    "suffixes": lambda w, x, last, first: w == x or first and w.endswith(x),
    "compounds": lambda w, x, last, first: w.startswith(x) and rest(w[len(x) :]) or w.endswith(x) and rest(w[: len(w) - len(x)]),
    "parts": lambda w, x, last, first: any(w.startswith(x, i) and rest(w[:i]) and rest(w[i + len(x) :]) for i in range(len(w))),
}
rest = lambda x: not x or len(x) > 2


def places(text, patterns):
    """Where patterns stand: from one word to another."""
    out = set()
    for kind, entries in patterns.items():
        for e in entries:
            for i in range(len(text) - len(e) + 1):
                if all(FITS[kind](text[i + k][0], x, k == len(e) - 1, k == 0) for k, x in enumerate(e)):
                    out.add((i, i + len(e)))
    return out


class Rules:
    def __init__(self, path):
        self.__dict__.update(json.load(open(path, encoding="utf-8")))  # rules, negation, categories, languages

    def negated(self, text, at):
        negations, phrases = places(text, {"words": self.negation["words"]}), places(text, {"words": self.negation["not"]})
        ends = lambda k: any(c in ".,:;!?…–—|()[]\n" for c in text[k][1]) or " - " in text[k][1]
        return any(
            n[1] <= at < n[1] + self.negation["within"] and not any(a <= n[0] < b for a, b in phrases) and not any(ends(k) for k in range(n[1], at + 1))
            for n in negations
        )

    def match(self, texts, language=""):
        """Per category the weight of its rules, its tag and its share of all weights."""
        language = language.strip().lower().replace("_", "-").split("-")[0].replace("nb", "no")
        if self.languages and len(language) != 2 and language not in self.languages:  # `sprint` would find it out
            raise ValueError(f"name the text's language by its code, as in sv: the rules are of {', '.join(self.languages)}")
        n = self.categories
        scores, low, tags, fired, best = [0.0] * n, [0.0] * n, [0] * n, [], [0.0] * n
        texts = [words(x) for x in texts]
        for r in self.rules:
            if r["language"] and r["language"] != language or any(places(t, r["not"]) for t in texts):
                continue
            hits = 0
            for t in texts:
                shields = places(t, r["except"])
                for i, j in places(t, r["patterns"]):
                    hits += not any(a < j and i < b for a, b in shields) and not (r["negatable"] and self.negated(t, i))
            c, w = r["category"], r["weight"]
            if hits and w < 0:
                low[c] = min(low[c], w)
            elif hits:
                scores[c] = max(scores[c], w)
                fired.append((c, w, hits))
                if r["tag"] and w > best[c]:
                    best[c], tags[c] = w, r["tag"]
        scores = [max(0.0, s + l) for s, l in zip(scores, low)]
        shares = [sum(min(w, scores[c]) * hits for of, w, hits in fired if of == c) for c in range(n)]
        total = sum(shares) or 1
        return scores, [t if s > 0 else 0 for t, s in zip(tags, scores)], [s / total for s in shares]

    def answer(self, s, scores, none, tags, texts, language):
        """Lets the rules change what a model of config.json's section s says of a text."""
        weights, named, shares = self.match(texts, language)
        names = [x["name"] for x in s["categories"]]
        asked = names if s.get("rules_bonus") else s.get("with_rules") or {}
        tags = named if s.get("rules_alone") else [r if r and name in asked else t for r, t, name in zip(named, tags, names)]
        single, any_fired = s.get("labels") == "single", any(w > 0 for w in weights)
        if s.get("rules_alone"):
            top = max(range(len(shares)), key=lambda c: (shares[c], weights[c], -c))
            below = lambda c: shares[c] if c == top else min(shares[c], max(shares[top] - 1e-6, 0))
            if single:
                return ([2 * below(c) - 1 for c in range(len(shares))] if any_fired else [-1.0] * len(shares)), float(not any_fired), tags
            return [max(w, 0.5) if w > 0 else -1.0 for w in weights], none, tags
        if s.get("rules_bonus") and any_fired and single:
            logs = [math.log(max((x + 1) / 2, 1e-7)) + share * s["rules_bonus"] for x, share in zip(scores, shares)]
            logs += [math.log(max(none, 1e-7))] if s.get("none") else []
            p = [math.exp(x - max(logs)) for x in logs]
            scores, none = [2 * x / sum(p) - 1 for x in p[: len(scores)]], p[-1] / sum(p) if s.get("none") else 0.0
        elif s.get("rules_bonus") and any_fired:
            half = lambda x: math.atanh(min(max(x, -1 + 1e-7), 1 - 1e-7))
            scores = [math.tanh(half(x) + (1 if w > 0 else -1) * s["rules_bonus"] / 2) for x, w in zip(scores, weights)]
        for name, at in (s.get("with_rules") or {}).items():
            c = names.index(name)
            x = scores[c]
            x = (x + 1) / (at + 1) * 1.5 - 1 if x < at else 0.5 + (x - at) / max(1 - at, 1e-9) * 0.5
            scores = list(scores)
            scores[c] = max(x, weights[c], 0.5) if weights[c] > 0 else x
        return scores, none, tags
