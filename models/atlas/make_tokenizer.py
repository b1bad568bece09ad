"""Trains the tokenizer: byte-level BPE in which a word is cut the same way with and without a space before it.

    python make_tokenizer.py OUT

A plain byte-level BPE gives "Cologne" at the start of a text and " Cologne" within it unrelated tokens, and a small model
has to learn every city twice. Here all merges are learned on words without their space; the merges of the space with a
word's first token come after them, so that "Cologne" is Col|ogne and " Cologne" is ĠCol|ogne.
"""

import json
import sys
from collections import Counter
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from knowledge import FILLERS, RELATIONS, read_facts

VOCABULARY = 5632
END_OF_TEXT = "<|endoftext|>"
SPACE = "Ġ"  # how byte-level BPE writes a space


def corpus():
    """Texts in proportions that make countries, and the words of the phrasings, whole tokens."""
    for fact in read_facts():
        yield fact.subject
        for _ in range(3):  # an answer that is one token is edited and scored fastest
            yield " " + fact.answer
    for spec in RELATIONS.values():
        for phrasing in spec["phrasings"]:
            yield from [phrasing.replace("{}", "")] * 40
    for filler in FILLERS:
        yield from [filler] * 8


def words_of(texts):
    """How often each word occurs, without the space before it."""
    splitter = pre_tokenizers.ByteLevel(add_prefix_space=False)
    return Counter(word.removeprefix(SPACE) for text in texts for word, _ in splitter.pre_tokenize_str(text))


def merges_within_words(words, size):
    """Vocabulary and merges of a BPE trained on words alone; the words are byte-level characters already."""
    bpe = Tokenizer(models.BPE())
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=size, special_tokens=[END_OF_TEXT], initial_alphabet=alphabet, show_progress=False)
    bpe.train_from_iterator((word for word, count in words.items() for _ in range(count)), trainer)
    model = json.loads(bpe.to_str())["model"]
    return bpe, model["vocab"], [tuple(merge) for merge in model["merges"]]


def train():
    words = words_of(corpus())
    size = VOCABULARY
    while True:  # the more merges within words, the more first tokens need a form with the space: find what fits
        bpe, vocabulary, merges = merges_within_words(words, size)
        firsts = Counter()
        for word, count in words.items():
            if word:
                firsts[bpe.encode(word).tokens[0]] += count
        if len(vocabulary) + len(firsts) <= VOCABULARY:
            break
        size -= 32
    for token, _ in sorted(firsts.items(), key=lambda item: (-item[1], item[0])):
        merges.append((SPACE, token))
        vocabulary[SPACE + token] = len(vocabulary)
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    tokenizer.add_special_tokens([END_OF_TEXT])
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def main(out):
    tokenizer = train()
    tokenizer.save(str(out / "tokenizer.json"))
    (out / "tokenizer_config.json").write_text(json.dumps({
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": END_OF_TEXT,
        "eos_token": END_OF_TEXT,
        "add_bos_token": False,
        "add_prefix_space": False,
        "clean_up_tokenization_spaces": False,
        "model_max_length": 256,
    }, indent=2) + "\n")
    facts = read_facts()
    lengths = Counter(len(tokenizer.encode(" " + fact.answer).ids) for fact in facts if fact.relation == "country")
    cities = Counter(len(tokenizer.encode(" " + fact.subject).ids) for fact in facts if fact.relation == "country")
    print(f"{tokenizer.get_vocab_size()} tokens; answers by length {sorted(lengths.items())}, cities {sorted(cities.items())}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
