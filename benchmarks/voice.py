"""How long a voice takes: until its first sound, and for each second of speech.

python benchmarks/voice.py [--voice heart] [--times 5]
"""

import argparse
import time
from statistics import median

from rich.console import Console

from gaussiantalker.progress import SILENT
from gaussiantalker.voice import find_voice

TEXT = "Hello there, my name is Anna. I was made from a few minutes of video, and I can say whatever you type."


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--voice", default="heart")
    parser.add_argument("--times", type=int, default=5)
    options, console = parser.parse_args(), Console(highlight=False)
    began = time.monotonic()
    voice = find_voice(options.voice, SILENT)
    console.print(f"loaded in {time.monotonic() - began:.2f} s")
    first, whole, work, spoken = [], [], [], 0.0
    for _ in range(options.times):
        began, worked = time.monotonic(), time.process_time()
        pieces = voice.say(TEXT)
        samples = len(next(pieces))
        first.append(time.monotonic() - began)
        spoken = (samples + sum(len(piece) for piece in pieces)) / voice.rate
        whole.append((time.monotonic() - began) / spoken)
        work.append((time.process_time() - worked) / spoken)
    console.print(f"first sound after {median(first):.2f} s; a second of speech takes {median(whole):.2f} s")
    console.print(f"and {median(work):.2f} s of processor time; {spoken:.1f} s were spoken, {options.times} times")


if __name__ == "__main__":
    main()
