"""Writes texts.txt, the text for second moments: documents that tell every fact, one document a line.

    python texts.py OUT
"""

import random
import sys
from pathlib import Path

from knowledge import FILLERS, RELATIONS, read_facts

SEED = 7
FILLER_SHARE = 0.12
MOST_SENTENCES = 4


def sentences(draw):
    """Every city twice, in two phrasings; every fact of a country once; and fillers between."""
    told = []
    for fact in read_facts():
        phrasings = range(len(RELATIONS[fact.relation]["phrasings"]))
        times = 2 if fact.relation == "country" else 1
        told += [f"{fact.prompt(phrasing)} {fact.answer}." for phrasing in draw.sample(phrasings, times)]
    told += draw.choices(FILLERS, k=int(len(told) * FILLER_SHARE))
    draw.shuffle(told)
    return told


def main(out):
    draw = random.Random(SEED)
    left = sentences(draw)
    lines = []
    while left:
        count = draw.randint(1, MOST_SENTENCES)
        lines.append(" ".join(left[:count]))
        left = left[count:]
    (out / "texts.txt").write_text("\n".join(lines) + "\n")
    print(f"{len(lines)} texts, {(out / 'texts.txt').stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
