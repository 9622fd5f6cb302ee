"""The words that the model was trained on, for firstframe.json, so that the program can say which words of a prompt it
does not know.

    python3 known_words.py ../../golden/model             writes them into the folder's firstframe.json
    python3 known_words.py --check ../../golden/model     only says whether they stand there; if not, it exits with 1

They are the words of every caption and of every way to say it (wordings.py), other forms of the same words, and words
that ask for nothing to be seen. Needs no package: the modules that draw are only asked for captions.
"""

import argparse
import itertools
import json
import pathlib
import random
import re
import sys
import textwrap
import types

try:
    import skia  # noqa: F401
except ImportError:
    sys.modules["skia"] = types.ModuleType("skia")

from defaults import DEFAULTS, write_defaults
from lake import sample_lake
from portrait import sample_portrait
from wordings import MOVES, ORNAMENTS, STANDING_CAMERA, STILLS, go_on

SCENES = 20000  # every part of a caption comes in them many times over
LINE = 104

# ---- forms of the captions' words that do what those do (README.md has what was tried) ----

VERBS = """
appear approach become begin blink blow break brighten change climb close come cross curve disappear drift face fade
flow flutter form gaze get give glance go grin grow hold laugh leave look move pan pass pull push put rise rotate sail
shift smile spread start stay stop sway turn vanish wave whip zoom
"""
DOUBLED = {"begin", "get", "grin", "pan", "put", "stop", "whip"}  # their last letter before -ing and -ed
PAST = dict(become="became", begin="began", blow="blew", come="came", give="gave", go="went", grow="grew", hold="held")
NO_PAST = {"break", "get", "leave", "put", "rise", "spread"}  # or a word of another meaning
NOUNS = "boat breeze hair illustration lake light portrait sketch smile style top wave wind"  # plurals

# ---- words that ask for nothing to be seen ----

# Function words, and what an apostrophe leaves of contractions.
FUNCTION = """
a an the this that these those such same other another each every either neither both all any some no none enough more
most less least much many few
i me my mine myself you your yours yourself he him his himself she her hers herself it its itself we us our ours they
them their theirs themselves who whom whose which what one someone something anyone anything everyone everything nobody
nothing
and or but nor yet so if then than because since while when whenever where whether although though unless until as
about above across after against along amid among around at before behind below beneath beside besides between beyond by
despite down during except for from in inside into like near of off on onto opposite out outside over past per round
through throughout till to toward towards under underneath unlike up upon via with within without
am is are was were be been being do does did doing done have has had having can could may might must shall should will
would let lets not never ever
s t d m re ve ll don doesn didn isn aren wasn weren won wouldn couldn shouldn hasn haven hadn
here there now soon well later again already always often sometimes once twice just only even still also too very quite
rather really almost nearly fully completely entirely slightly bit little lot first next last finally eventually please
"""
MANNER = """
briefly calmly carefully casually continuously delicately directly effortlessly elegantly faintly gracefully gradually
immediately instantly lightly naturally peacefully simply smoothly steadily suddenly
"""
PRAISE = """
picture image video clip scene frame footage color colors colour colours detail details detailed highly resolution hd
4k 8k hdr masterpiece quality beautiful pretty lovely nice good great best better amazing stunning gorgeous wonderful
perfect professional
"""


def plural(noun):
    return noun + ("es" if noun.endswith(("s", "sh", "ch", "o")) else "s")


def verb_forms(verb):
    """smile, smiles, smiling, smiled; pan, pans, panning, panned"""
    stem = verb + verb[-1] if verb in DOUBLED else verb.removesuffix("e")
    past = set() if verb in NO_PAST else {PAST.get(verb, stem + "ed")}
    return {verb, plural(verb), stem + "ing"} | past  # as a plural ends: smiles, pushes


def forms_of(said):
    """Of the words that captions say in one form."""
    for verb in VERBS.split():
        if verb_forms(verb) & said:
            yield from verb_forms(verb)
    yield from (plural(noun) for noun in NOUNS.split() if noun in said)


def everyone():
    """Whoever a sentence may be about, as wordings.py names them."""
    for adult, pr, po in (("woman", "she", "her"), ("man", "he", "his")):
        for who, face in itertools.product(
            (f"the {adult}", f"the young {adult}", f"a {adult}"), (f"{po} face", "the face", "the lake")
        ):
            yield dict(pr=pr, po=po, adult=adult, who=who, face=face)


def all_ways(part):
    """A part of a caption in all of its ways."""
    yield part
    for pattern, ways in MOVES + STILLS:
        if found := re.fullmatch(pattern, part):
            for way, people in itertools.product(ways, everyone()):
                said = way.format(*(word or "" for word in found.groups()), **people)
                yield from (said, go_on(said))


def words_of(text):
    """As the program takes texts apart (ref/text/words.h), numbers left out."""
    return {word for word in re.findall(r"[^\W_]+", text.lower()) if not word.isdigit()}


def list_words():
    """Lines of words, in order."""
    rng, parts = random.Random(1), set()
    for _ in range(SCENES):
        for scene in (sample_portrait(rng), sample_lake(rng)):
            parts |= {*scene["still"].split(", "), *scene["move"].split(", ")}
    texts = {text for part in parts for text in all_ways(part)} | {*ORNAMENTS, *STANDING_CAMERA}
    said = set().union(*map(words_of, texts))
    known = said.union(forms_of(said), *map(words_of, (FUNCTION, MANNER, PRAISE)))
    return textwrap.wrap(" ".join(sorted(known)), LINE)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing")
    parser.add_argument("model", type=pathlib.Path, help="a model folder with firstframe.json")
    options = parser.parse_args()
    path = options.model / "firstframe.json"
    there, known = json.loads(path.read_text()), list_words()
    if options.check and (there.get("words"), there.get("draws")) != (known, DEFAULTS["draws"]):
        sys.exit(f"{path}: its words are not those of the captions; known_words.py writes them anew")
    if not options.check:
        write_defaults(path, {**there, "draws": DEFAULTS["draws"], "words": known})


if __name__ == "__main__":
    main()
