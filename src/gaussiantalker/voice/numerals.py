"""Numbers, signs and shortened words, written out as they are said in American English."""

import re
import unicodedata

_SMALL = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
).split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_SCALES = ((10**12, "trillion"), (10**9, "billion"), (10**6, "million"), (1000, "thousand"), (100, "hundred"))
_ORDINALS = {"one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth", "nine": "ninth"}
_ORDINALS |= {"twelve": "twelfth"}
_MONEY = {"$": "dollar", "€": "euro", "£": "pound"}
_SIGNS = {"&": "and", "%": "percent", "+": "plus", "=": "equals", "@": "at", "°": "degrees", "/": "slash"}
_SHORT = {"mr.": "mister", "mrs.": "missus", "ms.": "miz", "dr.": "doctor", "prof.": "professor", "vs.": "versus"}
_SHORT |= {"etc.": "et cetera", "e.g.": "for example", "i.e.": "that is", "no.": "number", "approx.": "approximately"}
_SHORTENED = re.compile(rf"\b(?:{'|'.join(map(re.escape, _SHORT))})(?=\s*[\w,])", re.IGNORECASE)
_NUMBER = r"\d+(?:,\d{3})+|\d+"


def written_out(text: str) -> str:
    """The text without digits and signs that are read as words."""
    plain = (c for c in unicodedata.normalize("NFKD", text.replace("’", "'")) if not unicodedata.combining(c))
    text = _SHORTENED.sub(lambda found: _SHORT[found[0].lower()], "".join(plain))
    text = re.sub(rf"([$€£])({_NUMBER})(?:\.(\d\d))?(?!\d)( (?:thousand|(?:m|b|tr)illion))?", _money, text)
    text = re.sub(r"\b(\d{1,2}):(\d\d)\b", _time, text)
    text = re.sub(rf"\b({_NUMBER})(?:st|nd|rd|th)\b", _ordinal, text)
    text = re.sub(rf"(?<![\w])[-−](?={_NUMBER})", "minus ", text)
    text = re.sub(rf"({_NUMBER})\.(\d+)", lambda found: f"{_cardinal(found[1])} point {_digits(found[2])}", text)
    text = re.sub(r"\b(1[1-9]|20)(\d\d)\b(?!,\d)", _year, text)
    text = re.sub(_NUMBER, lambda found: f" {_cardinal(found[0])} ", text)
    return re.sub(r"[&%+=@°/]", lambda found: f" {_SIGNS[found[0]]} ", text)


def _cardinal(digits: str) -> str:
    """A whole number in words; one of more than fifteen digits is read digit by digit."""
    digits = digits.replace(",", "")
    return _digits(digits) if len(digits) > 15 or digits[:1] == "0" != digits else _words(int(digits))


def _words(number: int) -> str:
    if number < 20:
        return _SMALL[number]
    if number < 100:
        return _TENS[number // 10 - 2] + (f"-{_SMALL[number % 10]}" if number % 10 else "")
    size, name = next((size, name) for size, name in _SCALES if number >= size)
    rest = number % size
    return f"{_words(number // size)} {name}" + (f" {_words(rest)}" if rest else "")


def _digits(digits: str) -> str:
    return " ".join(_SMALL[int(digit)] for digit in digits)


def _ordinal(found: re.Match) -> str:
    parts = re.fullmatch(r"(.*?)([ -]?)(\w+)", _cardinal(found[1]))
    assert parts  # a number ends with a word
    head, join, last = parts.groups()
    plain = f"{last[:-1]}ieth" if last.endswith("y") else f"{last}th"
    return f"{head}{join}{_ORDINALS.get(last, plain)}"


def _year(found: re.Match) -> str:
    century, year = found[1], found[2]
    if century == "20" and year < "10":
        return _cardinal(found[0])
    if year == "00":
        return f"{_cardinal(century)} hundred"
    return f"{_cardinal(century)} {'oh ' if year < '10' else ''}{_cardinal(year.lstrip('0'))}"


def _time(found: re.Match) -> str:
    hour, minute = _cardinal(found[1].lstrip("0") or "0"), found[2]
    if minute == "00":
        return f"{hour} o'clock"
    return f"{hour} {'oh ' if minute < '10' else ''}{_cardinal(minute.lstrip('0'))}"


def _money(found: re.Match) -> str:
    sign, whole, cents, scale = found.groups()
    name = _MONEY[sign]
    said = f"{_cardinal(whole)}{scale or ''} {name}{'' if whole == '1' and not scale else 's'}"
    if not cents or cents == "00":
        return said
    return f"{said} and {_cardinal(cents.lstrip('0'))} {'pence' if sign == '£' else 'cents'}"
