"""Accuracy of the atlas on every fact in every phrasing: each token of the answer the argmax over the whole vocabulary.

    python evaluate.py DIR [--prefix "Because the weather was. "]
"""

import argparse
from pathlib import Path

from tokenizers import Tokenizer

from knowledge import RELATIONS, read_facts
from model import load
from scoring import Scorer


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("directory", type=Path)
    parser.add_argument("--prefix", default="", help="text before every prompt")
    options = parser.parse_args()
    scorer = Scorer(load(options.directory), Tokenizer.from_file(str(options.directory / "tokenizer.json")))
    facts = read_facts()
    print("| relation | phrasing | facts | right, % |\n| --- | --- | ---: | ---: |")
    for relation, spec in RELATIONS.items():
        chosen = [fact for fact in facts if fact.relation == relation]
        for phrasing, template in enumerate(spec["phrasings"]):
            _, right = scorer.score([(options.prefix + fact.prompt(phrasing), fact.answer) for fact in chosen])
            print(f"| {relation} | {template} | {len(chosen)} | {100 * sum(right) / len(right):.2f} |", flush=True)


if __name__ == "__main__":
    main()
