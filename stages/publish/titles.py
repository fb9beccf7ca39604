"""Titles in the spacing and the form of letters in which `sprint` reads them, and in which the
model learned them. Needs nothing but Python."""
import re, unicodedata as u

GENITIVES = "s n en et t a er ar are as ns ens arna erna".split()  # Swedish sets them after a colon: USA:s
CONTRACTIONS = "s t re ve ll d m S T".split()
QUOTES = {'"': '"', "”": '"', "“": '"', "„": '"', "'": "'", "’": "'", "»": "»", "«": "»"}
kind = lambda c: u.category(c) if c else ""
digits = lambda last, next: kind(last[-1:]) == kind(next[:1]) == "Nd"


def sides(tokens):
    """Quotation marks that stand alone, in pairs: whether each joins the token before, and the next."""
    out, opened = {}, {}
    for i, t in enumerate(tokens):
        if t in ("'", "’") and i and kind(tokens[i - 1][-1])[0] == "L" and i + 1 < len(tokens) and tokens[i + 1] in CONTRACTIONS:
            out[i] = True, True
        elif t in QUOTES and QUOTES[t] in opened:
            out[opened.pop(QUOTES[t])], out[i] = (False, True), (True, False)
        elif t in QUOTES:
            opened[QUOTES[t]] = i
    return out


def compound(last, next):
    """Whether a hyphen between two tokens makes one of them: a - kassa, 20 - årig."""
    if kind(next[:1]) not in ("Ll", "Nd") or not (kind(last[-1:])[:1] == "L" or kind(last[-1:]) == "Nd"):
        return False
    return len(last) <= 3 or kind(last[0]) in ("Lu", "Nd")


def join(tokens):
    out, quotes, glue = [], sides(tokens), False
    for i, t in enumerate(tokens):
        last, next = out[-1] if out else "", tokens[i + 1] if i + 1 < len(tokens) else ""
        left = right = False
        if t in (".", ",", ";", "!", "?", "…", ")", "]", "}", "..", "..."):
            left, right = bool(last), t in (".", ",") and digits(last, next)
        elif t in ("(", "[", "{"):
            right = bool(next)
        elif t == ":":
            left, right = bool(last), bool(last) and (next in GENITIVES or digits(last, next))
        elif t == "-":
            left = right = compound(last, next)
        elif t in QUOTES:
            left, right = quotes.get(i, (False, False))
        if last and (glue or left):
            out[-1] += t
        else:
            out.append(t)
        glue = right
    return " ".join(out)


def normalize(title):
    title = re.sub("[\ud800-\udfff]+", "\ufffd", title)  # bytes that were no UTF-8
    title = "".join(" " if kind(c) == "Cc" or c in "\u2028\u2029" else c for c in title if c not in "\u00ad\u200b\ufeff")
    title = u.normalize("NFC", title)
    for _ in range(8):  # a join can make another one possible
        before, title = title, join(title.split())
        if title == before:
            break
    return title
