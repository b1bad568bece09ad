"""Writes edits.json: counterfactual edits of cities the model knows, in CounterFact's record format.

    python edits.py DIR

Of every country some cities are set aside and are never edited: the neighbourhood and attribute prompts speak of them, so
that a change in what is said of them is damage and never another edit.
"""

import argparse
import json
import random
from pathlib import Path

from tokenizers import Tokenizer

from knowledge import FILLERS, PHRASINGS, RELATIONS, read_world
from model import load
from scoring import Scorer

SEED = 2024
SET_ASIDE = 12
FEWEST_CITIES = 24  # known cities a country must have to take part
NEIGHBOURS, ATTRIBUTES = 10, 5
CITY = RELATIONS["country"]


def known_cities(scorer, countries, cities):
    """By country code, the cities whose country the model says rightly in every phrasing."""
    pairs, owners = [], []
    for code, names in cities.items():
        for name in names:
            for phrasing in CITY["phrasings"]:
                pairs.append((phrasing.format(name), countries[code]["name"]))
                owners.append((code, name))
    unknown = {owner for owner, right in zip(owners, scorer.score(pairs)[1]) if not right}
    return {code: [name for name in names if (code, name) not in unknown] for code, names in cities.items()}


def subjects_evenly(subjects, draw):
    """(code, city) of all subjects, a city of each country in turn for as long as it has any."""
    left = {code: draw.sample(names, len(names)) for code, names in subjects.items()}
    order = []
    while left:
        for code in draw.sample(sorted(left), len(left)):
            order.append((code, left[code].pop()))
            if not left[code]:
                del left[code]
    return order


def record(case_id, code, city, new_code, countries, aside, draw):
    canonical, others = CITY["phrasings"][0], CITY["phrasings"][1:]
    plain, prefixed = draw.sample(others, 2)
    say = lambda name: draw.choice(CITY["phrasings"]).format(name)
    value = lambda c: {"str": countries[c]["name"], "id": c}
    return {
        "case_id": case_id,
        "pararel_idx": case_id,
        "requested_rewrite": {
            "prompt": canonical,
            "relation_id": CITY["id"],
            "target_new": value(new_code),
            "target_true": value(code),
            "subject": city,
        },
        "paraphrase_prompts": [plain.format(city), draw.choice(FILLERS) + " " + prefixed.format(city)],
        "neighborhood_prompts": [say(name) for name in draw.sample(aside[code], NEIGHBOURS)],
        "attribute_prompts": [say(name) for name in draw.sample(aside[new_code], ATTRIBUTES)],
        "generation_prompts": [prompt.format(city) for prompt in PHRASINGS["generation"]],
    }


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("directory", type=Path)
    parser.add_argument("--most", type=int, default=3000)
    options = parser.parse_args()
    scorer = Scorer(load(options.directory), Tokenizer.from_file(str(options.directory / "tokenizer.json")))
    countries, cities = read_world()
    draw = random.Random(SEED)
    known = {code: draw.sample(names, len(names)) for code, names in known_cities(scorer, countries, cities).items()}
    known = {code: names for code, names in known.items() if len(names) >= FEWEST_CITIES}
    aside = {code: names[:SET_ASIDE] for code, names in known.items()}
    chosen = subjects_evenly({code: names[SET_ASIDE:] for code, names in known.items()}, draw)[: options.most]
    draw.shuffle(chosen)  # so that the first few hundred stand for all
    codes = sorted(known)
    records = []
    for case_id, (code, city) in enumerate(chosen):
        new_code = draw.choice([other for other in codes if other != code])
        records.append(record(case_id, code, city, new_code, countries, aside, draw))
    lines = ",\n".join(json.dumps(r, ensure_ascii=False, separators=(",", ":")) for r in records)
    (options.directory / "edits.json").write_text(f"[\n{lines}\n]\n")
    print(f"{len(records)} edits of {len(known)} countries, {(options.directory / 'edits.json').stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
