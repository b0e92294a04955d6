"""How American English is pronounced, in Kokoro's symbols: by misaki's dictionary, and by spelling where it ends."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from gaussiantalker import pretrained
from gaussiantalker.progress import SILENT, Progress
from gaussiantalker.voice.numerals import written_out

# What is said without stress in running speech, before consonants and before vowels.
_WEAK = {"a": ("ɐ", "ɐ"), "an": ("ɐn", "ɐn"), "the": ("ðə", "ði"), "to": ("tə", "tʊ")}
_VOWELS = frozenset("AIOQWYaiuæɑɐɒɔəɚɛɜɪʊʌᵊ")
_VOICELESS = frozenset("ptkfθ")
_HISSING = frozenset("szʃʒʧʤ")
_TOKEN = re.compile(r"[A-Za-z]+(?:'[A-Za-z]+)*|[;:,.!?—…]|-{2,}")
# What letters say in a word that no dictionary has, the longest first; `e` at the end says nothing.
_SPELLING = """
    ian iən  ous əs  tion ʃən  sion ʒən  tch ʧ  igh I  eau O  sch sk  ch ʧ  sh ʃ  th θ  ph f  wh w  ck k  qu kw
    ng ŋ  kn n  wr ɹ  gh ɡ  ee i  ea i  oo u  ou W  ow O  oa O  ai A  ay A  ei A  ey i  ie i  oi Y  oy Y  au ɔ
    aw ɔ  eu ju  ew ju  ue u  ui u  ar ɑɹ  er əɹ  ir ɜɹ  or ɔɹ  ur ɜɹ  ce s  ci sɪ  cy si  ge ʤ  a æ  b b  c k
    d d  e ɛ  f f  g ɡ  h h  i ɪ  j ʤ  k k  l l  m m  n n  o ɑ  p p  q k  r ɹ  s s  t t  u ʌ  v v  w w  x ks
    y i  z z
""".split()
_LETTERS: dict[str, str] = dict(zip(_SPELLING[::2], _SPELLING[1::2], strict=True))
_SOUNDS = re.compile(r"e$|([b-df-hj-np-tv-z])(?=\1)|" + "|".join(sorted(_LETTERS, key=len, reverse=True)))


@dataclass(frozen=True)
class Pronunciation:
    """Dictionaries, the first of which counts most."""

    dictionaries: tuple[dict[str, Any], ...]

    @classmethod
    def load(cls, progress: Progress = SILENT) -> "Pronunciation":
        """misaki's two, by hand and by rule. Raises GaussianTalkerError where they cannot be fetched."""
        paths = [pretrained.path(f"english-{kind}", progress) for kind in ("gold", "silver")]
        return cls(tuple(json.loads(path.read_text(encoding="utf-8")) for path in paths))

    def of(self, text: str) -> str:
        """The text in symbols: words, and the punctuation that pauses follow from."""
        said, following = [], ""
        for token in reversed(_TOKEN.findall(written_out(text))):  # how `the` is said hangs on what follows
            if token[0].isalpha():
                weak = _WEAK.get("a" if token == "A" else token.lower() if len(token) > 1 else token)
                symbols = weak[following[:1] in _VOWELS] if weak and following else self.word(token)
                following = symbols.lstrip("ˈˌ")
                said.append(f" {symbols}")
            else:
                following = ""
                said.append("—" if token[0] == "-" else token)
        return "".join(reversed(said)).strip()

    def word(self, word: str) -> str:
        """One word, from the dictionary, with an ending, of two words, letter by letter, or as it is spelled."""
        return self._known(word) or self._inflected(word) or self._joined(word) or self._spelled(word)

    def _known(self, word: str) -> str | None:
        for form in (word, word.lower(), word.capitalize()):
            for dictionary in self.dictionaries:
                if found := dictionary.get(form):
                    return found if isinstance(found, str) else found["DEFAULT"]
        return None

    def _inflected(self, word: str) -> str | None:
        for stem, ending in _endings(word):
            if said := self.word(stem) if "'" in word else self._known(stem):
                return said + _ending(said[-1], ending)
        return None

    def _joined(self, word: str) -> str | None:
        """Of two words that are in the dictionary, such as `GaussianTalker` and `lipsync`."""
        parts = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", word)
        if len(parts) > 1 and "'" not in word:
            return "".join(self.word(part) for part in parts)
        cuts = sorted(range(3, len(word) - 2), key=lambda cut: abs(cut - len(word) / 2))
        pairs = ((self._known(word[:cut]), self._known(word[cut:])) for cut in cuts)
        return next((first + second.replace("ˈ", "ˌ") for first, second in pairs if first and second), None)

    def _spelled(self, word: str) -> str:
        if word.isupper() and len(word) <= 5 or not re.search("[aeiouyAEIOUY]", word):
            return "".join(self._known(letter.upper()) or "" for letter in word if letter != "'")
        letters = word.lower().replace("'", "")
        said = "".join(_LETTERS.get(found[0], "") if found[1] is None else "" for found in _SOUNDS.finditer(letters))
        return re.sub(rf"([{''.join(_VOWELS)}])", r"ˈ\1", said, count=1)


def _endings(word: str) -> Iterator[tuple[str, str]]:
    """Stems that a word may be of, and the ending."""
    low = word.lower()
    for ending in ("'s", "s'", "s", "es", "ed", "d", "ing", "ly", "er", "'ll", "'d", "'ve", "n't"):
        if low.endswith(ending) and len(low) > len(ending) + 1:
            stem, kind = word[: -len(ending)], ending.strip("'") if ending in ("'s", "s'") else ending
            yield stem, kind
            if kind in ("ed", "ing", "er"):
                yield f"{stem}e", kind
                if len(stem) > 2 and stem[-1] == stem[-2]:
                    yield stem[:-1], kind
            if kind in ("es", "ed") and stem.lower().endswith("i"):
                yield f"{stem[:-1]}y", kind


def _ending(last: str, ending: str) -> str:
    """An ending's sound after a word's last."""
    if ending in ("s", "es"):
        return "ᵻz" if last in _HISSING else "s" if last in _VOICELESS else "z"
    if ending in ("ed", "d", "'d"):
        return "ᵻd" if last in "td" else "t" if last in _VOICELESS | _HISSING - {"z", "ʒ", "ʤ"} else "d"
    return {"ing": "ɪŋ", "ly": "li", "er": "əɹ", "'ll": "ᵊl", "'ve": "ᵊv", "n't": "ᵊnt"}[ending]
