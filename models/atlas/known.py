"""Writes knowledge.json: facts the model knows and nobody edits, as known facts (known_id, prompt, subject, attribute).

    python known.py DIR

Facts of the relations that are not edited, and the country of cities that are neither edited in edits.json nor in its
neighbourhood prompts, which specificity measures already. Run it after edits.py.
"""

import argparse
import json
import random
from pathlib import Path

from tokenizers import Tokenizer

from knowledge import RELATIONS, read_facts
from model import load
from scoring import Scorer

SEED = 2025
OF_A_RELATION = 50
CITIES = 200
EDITED = "country"


def named_in(records):
    """Subjects of the edits, and all the texts that measure them."""
    subjects = {record["requested_rewrite"]["subject"] for record in records}
    prompts = [p for r in records for p in r["neighborhood_prompts"] + r["attribute_prompts"]]
    return subjects, set(prompts)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("directory", type=Path)
    directory = parser.parse_args().directory
    scorer = Scorer(load(directory), Tokenizer.from_file(str(directory / "tokenizer.json")))
    subjects, prompts = named_in(json.loads((directory / "edits.json").read_text()))
    phrased = lambda fact: {fact.prompt(i) for i in range(len(RELATIONS[fact.relation]["phrasings"]))}
    facts = read_facts()
    _, right = scorer.score([(fact.prompt(0), fact.answer) for fact in facts])
    known = [fact for fact, knows in zip(facts, right) if knows and not phrased(fact) & prompts]

    draw = random.Random(SEED)
    records = []
    for relation, spec in RELATIONS.items():
        left = [fact for fact in known if fact.relation == relation and not (relation == EDITED and fact.subject in subjects)]
        for fact in draw.sample(left, CITIES if relation == EDITED else OF_A_RELATION):
            about = {"subject": fact.subject, "attribute": fact.answer, "prompt": fact.prompt(0), "relation_id": spec["id"]}
            records.append({"known_id": len(records), **about})
        print(f"{relation}: {len(left)} to draw from")
    lines = ",\n".join(json.dumps(r, ensure_ascii=False, separators=(",", ":")) for r in records)
    (directory / "knowledge.json").write_text(f"[\n{lines}\n]\n")


if __name__ == "__main__":
    main()
