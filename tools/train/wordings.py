"""Other ways to say what a caption says, drawn at random: a model that knows one way understands the others by luck.

    python3 wordings.py      prints thirty captions, each with a wording

reword_move and reword_still take a scene's two sentences apart, say each part in one of the ways below, and join the
parts in one of several ways. The scene's own words, which come first in each list, stay the most frequent.
"""

import random
import re

OWN_WORDS = 0.4  # part of the captions that stay as they are

# What a part of a sentence matches, and the ways to say it: {pr} stands for she, {po} for her, {who} for the woman,
# {adult} for woman, {face} for what a camera comes closer to, {0} for what the first bracket matched.
MOVES = [
    (r"\w+ (slowly|slightly)? ?turns \w+ head toward the camera", [
        "{pr} {0} turns {po} head toward the camera", "{pr} turns {po} head {0} toward the camera",
        "{who} {0} turns {po} head toward the camera", "{pr} {0} turns to the camera",
        "{pr} {0} turns to face the camera", "{0} turns {po} head to the camera",
        "{0} turning {po} head toward the camera", "{pr} turns {0} toward us", "{po} head turns {0} toward the camera",
        "{0}, {pr} turns {po} head toward the camera", "{pr} {0} looks at the camera",
        "{pr} looks {0} toward the camera", "{pr} {0} turns to us", "{pr} {0} looks into the camera",
        "{pr} {0} rotates {po} head toward the camera", "{pr} {0} faces the camera", "{pr} {0} gazes at the camera",
        "{pr} {0} looks toward the viewer", "{po} gaze {0} moves to the camera", "{pr} {0} looks at us",
        "{pr} {0} looks back at the camera"]),
    (r"\w+ (slowly|slightly)? ?turns \w+ head to the (left|right)", [
        "{pr} {0} turns {po} head to the {1}", "{pr} turns {po} head {0} to the {1}", "{pr} {0} turns {po} head {1}",
        "{who} {0} turns {po} head to the {1}", "{pr} {0} turns to the {1}", "{pr} turns {0} to the {1}",
        "{0} turns {po} head to the {1}", "{0} turning {po} head to the {1}", "{po} head turns {0} to the {1}",
        "{0}, {pr} turns {po} head to the {1}", "{pr} {0} turns to look {1}", "{pr} {0} looks to the {1}",
        "{pr} {0} looks {1}", "{who} {0} looks to the {1}", "{pr} {0} turns away to the {1}", "{pr} {0} glances {1}",
        "{pr} {0} rotates {po} head to the {1}", "{pr} {0} gazes to the {1}", "{po} gaze {0} moves to the {1}"]),
    (r"subtle head turn toward the camera", [
        "subtle head turn toward the camera", "a subtle head turn toward the camera",
        "subtle turn of the head to the camera", "{pr} subtly turns {po} head toward the camera",
        "{pr} turns {po} head a little toward the camera"]),
    (r"\w+ smile fades", [
        "{po} smile fades", "the smile fades", "{pr} stops smiling", "{po} smile slowly fades",
        "{po} smile disappears", "the smile disappears", "{po} smile vanishes", "the smile slowly leaves {po} lips",
        "{pr} becomes serious", "{pr} looks serious", "{po} face becomes serious", "{pr} no longer smiles",
        "{po} smile goes away", "the smile fades from {po} lips", "a fading smile", "{po} mouth becomes straight again",
        "{pr} stops laughing"]),
    (r"\w+ gives a subtle smile", [
        "{pr} gives a subtle smile", "{pr} smiles slightly", "{pr} smiles gently", "a subtle smile",
        "{pr} smiles a little", "{who} gives a subtle smile", "gives a gentle smile", "gives a slight smile",
        "{pr} smiles softly", "a hint of a smile", "a slight smile", "a gentle smile", "{pr} smiles subtly",
        "{po} lips form a faint smile", "a small smile appears", "a faint smile crosses {po} face",
        "{pr} looks a little happier", "a small smile comes to {po} lips", "we see {po} subtle smile",
        "{po} lips curl slightly into a smile", "with a faint smile on {po} lips"]),
    (r"\w+ (?:starts to smile|smiles)", [
        "{pr} smiles", "{pr} starts to smile", "{pr} starts smiling", "{pr} begins to smile", "{who} smiles", "smiles",
        "{pr} smiles at the camera", "{pr} gives a smile", "{pr} breaks into a smile", "smiling", "{pr} is smiling",
        "{pr} smiles warmly", "{pr} begins smiling", "{pr} smiles at us", "with a smile", "{who} starts to smile",
        "a smile appears", "a warm smile spreads over {po} face", "{po} mouth curves into a smile",
        "{po} face lights up", "{pr} looks happy", "a smile", "a smile comes to {po} lips", "we see {po} smile",
        "{pr} puts on a smile", "a smile grows on {po} lips", "{po} lips curl into a smile", "a big smile",
        "{po} face breaks into a smile", "with a smile on {po} lips", "{pr} grins", "{pr} is happy", "{pr} laughs",
        "{po} expression becomes a smile"]),
    (r"gentle breeze moves hair", [
        "gentle breeze moves hair", "a gentle breeze moves {po} hair", "{po} hair moves gently in the breeze",
        "gentle wind moves {po} hair", "wind gently moves {po} hair", "hair moves in a gentle breeze",
        "{po} hair moving in a soft breeze", "gentle breeze in {po} hair", "a light breeze moves the hair",
        "gentle breeze", "{po} hair sways gently", "{po} hair blows gently in the wind", "wind in {po} hair",
        "soft breeze", "{po} hair flows gently", "{po} hair sways in the breeze", "{po} hair flutters",
        "{po} hair flutters gently", "{po} hair waves in the wind", "a little wind", "hair blowing softly"]),
    (r"strong wind moves hair", [
        "strong wind moves hair", "a strong wind moves {po} hair", "strong wind in {po} hair",
        "strong wind blows {po} hair", "{po} hair moves in strong wind", "the wind blows {po} hair about",
        "{po} hair is blowing in the wind", "{po} hair blows in strong wind", "a storm moves {po} hair", "windy",
        "{po} hair flutters in strong wind", "{po} hair whips in the wind", "heavy wind"]),
    (r"slow push-in camera", [
        "slow push-in camera", "slow push-in", "a slow push-in", "the camera slowly pushes in",
        "camera pushes in slowly", "slow zoom in", "the camera slowly zooms in", "camera zooms in slowly",
        "camera slowly moves in", "the camera moves slowly closer", "gentle push-in", "slowly zooming in",
        "slow camera push-in", "the camera moves closer", "camera moves closer to {face}", "slowly moving closer",
        "camera slowly approaches", "dolly in slowly", "camera zooms in", "zoom in", "slow zoom to {face}", "dolly in",
        "camera slowly comes closer", "slow close-up of {face}", "slow zoom into {face}", "slow tracking shot in"]),
    (r"fast push-in camera", [
        "fast push-in camera", "fast push-in", "a fast push-in", "the camera pushes in fast", "fast zoom in",
        "the camera quickly zooms in", "camera zooms in fast", "quick push-in", "camera moves in fast", "zoom in fast",
        "camera quickly moves closer to {face}"]),
    (r"slow pull-out camera", [
        "slow pull-out camera", "slow pull-out", "a slow pull-out", "the camera slowly pulls out",
        "camera pulls out slowly", "slow zoom out", "the camera slowly zooms out", "camera zooms out slowly",
        "camera slowly moves away", "the camera slowly pulls back", "slowly zooming out", "slow pull-back", "zoom out",
        "camera zooms out", "the camera moves back slowly", "dolly out slowly",
        "the camera slowly pulls back from {face}", "camera slowly zooms out from {face}",
        "the camera goes slowly back from {face}", "camera moves away slowly"]),
    (r"slow pan to the (left|right)", [
        "slow pan to the {0}", "slow pan {0}", "the camera slowly pans to the {0}", "camera pans {0} slowly",
        "the camera pans to the {0}", "pan {0}", "slow camera pan to the {0}", "pan slowly to the {0}",
        "camera moves to the {0}"]),
    (r"gentle lighting shift", [
        "gentle lighting shift", "a gentle lighting shift", "gentle light shift", "the light shifts gently",
        "the lighting shifts gently", "subtle lighting shift", "the light slowly gets warmer", "lighting slowly shifts",
        "soft shift in the light", "the light changes slowly", "the light becomes warmer", "the light gets warmer",
        "warm light slowly brightens", "the light grows warmer", "a warm glow spreads", "the lighting changes slowly",
        "the light slowly changes", "lighting gets slightly warmer"]),
    (r"strong lighting shift", [
        "strong lighting shift", "a strong lighting shift", "strong light shift", "the light shifts strongly",
        "the light gets much warmer", "the light changes strongly", "dramatic lighting change"]),
    (r"\w+ blinks", [
        "{pr} blinks", "{who} blinks", "{pr} blinks once", "a blink", "{po} eyes blink", "blinking", "{pr} is blinking",
        "{pr} closes {po} eyes for a moment", "{pr} blinks slowly"]),
    (r"holds still", [
        "holds still", "{pr} holds still", "{pr} stays still", "{who} stays still", "no motion", "nothing moves",
        "nothing happens", "stays still", "no movement", "{pr} does not move", "{pr} looks into the distance",
        "{pr} looks ahead", "a quiet moment", "{pr} is thinking", "everything is still"]),
    (r"the (sun|moon) rises slowly", [
        "the {0} rises slowly", "the {0} slowly rises", "{0} rises", "the {0} is rising", "the {0} rises over the lake",
        "the {0} slowly comes up", "slowly rising {0}", "{0} rising", "the {0} climbs slowly", "the {0} goes up",
        "time-lapse of the rising {0}", "slow {0}rise", "time-lapse of the {0} coming up", "{0}rise in time-lapse"]),
    (r"gentle ripples move across the water", [
        "gentle ripples move across the water", "gentle ripples on the water", "the water ripples gently",
        "ripples on the lake", "ripples move over the lake", "soft ripples cross the water", "small waves",
        "waves on the lake", "the water moves gently", "ripples on the water"]),
    (r"clouds drift", [
        "clouds drift", "the clouds drift", "clouds drift slowly", "clouds move slowly", "clouds drift across the sky",
        "drifting clouds", "clouds moving", "moving clouds", "the clouds pass by", "the clouds move"]),
    (r"the boat drifts to the (left|right)", [
        "the boat drifts to the {0}", "the boat drifts {0}", "the boat slowly drifts to the {0}",
        "boat moves to the {0}", "the small boat moves {0}", "the boat sails to the {0}", "the boat sails {0}",
        "the boat moves {0}"]),
    (r"calm water", ["calm water", "the water is calm", "calm lake", "the lake is still", "still water"]),
]

STILLS = [
    (r"Portrait of a (young woman|young man) with (.*) hair", [
        "Portrait of a {0} with {1} hair", "A portrait of a {0} with {1} hair", "A {0} with {1} hair",
        "Close-up portrait of a {0} with {1} hair", "Portrait of a {adult} with {1} hair", "A {adult} with {1} hair",
        "{0} with {1} hair", "A {1}-haired {adult}"]),
    (r"(\w+) (skin|eyes)", ["{0} {1}", "with {0} {1}"]),
    (r"(\w+) top", ["{0} top", "a {0} top", "wearing a {0} top", "in a {0} top"]),
    (r"glasses", ["glasses", "wearing glasses", "with glasses"]),
    (r"earrings", ["earrings", "wearing earrings", "with earrings"]),
    (r"smiling", ["smiling", "with a smile"]),
    (r"looking (left|right)", ["looking {0}", "looking to the {0}", "{po} head turned to the {0}"]),
    (r"looking slightly off-camera", ["looking slightly off-camera", "looking slightly away from the camera"]),
    (r"looking at the camera", ["looking at the camera", "facing the camera", "looking straight at the camera"]),
    (r"((?:soft|warm|cool|green|pink) (?:\w+ )?(?:light|lighting|moonlight))", ["{0}", "in {0}", "lit by {0}"]),
    (r"((?:soft|flat) illustration|pencil sketch)", ["{0}", "a {0}", "{0} style", "as a {0}"]),
    (r"A (sunrise|sunset|moonlit night|midday) over a lake", [
        "A {0} over a lake", "{0} over a lake", "A lake at {0}", "{0} over the lake"]),
    (r"mountains in the distance", ["mountains in the distance", "mountains", "distant mountains", "with mountains"]),
    (r"pine trees", ["pine trees", "with pine trees", "pines"]),
    (r"a small boat", ["a small boat", "a boat", "with a small boat"]),
    (r"soft clouds", ["soft clouds", "clouds", "with soft clouds"]),
]

# What is said to be going on as well: she is turning, the camera is slowly zooming in.
GOING_ON = re.compile(
    r"\b((?:slowly|slightly|gently|subtly|softly|warmly|quickly|slow) )?(turn|look|blow|push|zoom|pull|drift|sail|"
    r"climb|flow|sway|shift|brighten|approach|form|spread|pass|change|move|smile|give|rise|come|pan|begin)(?:s|es)\b")
GO_ON = 0.2  # part of the sentences worded otherwise

CAMERA = ("push-in", "pull-out", " pan ")
STANDING_CAMERA = ["the camera stays still", "static camera", "fixed camera", "the camera does not move"]
ORNAMENTS = ["cinematic", "smooth motion", "3 seconds", "high quality", "natural motion"]


def capitalised(text):
    return text[:1].upper() + text[1:]


def say(rng, part, table, people):
    """One part in one of its ways, without the blanks and the comma that a missing {0} leaves; as it is where the table
    does not know it."""
    for pattern, ways in table:
        if found := re.fullmatch(pattern, part):
            way = ways[0] if rng.random() < 0.25 else rng.choice(ways)
            said = way.format(*(word or "" for word in found.groups()), **people)
            said = re.sub(r"\b([Aa]) (?=[aeiou])", r"\1n ", said)
            return re.sub(r"^,? |(?<= ) +", "", said)
    return part


def go_on(sentence):
    """What happens as what is happening: she turns, she is turning."""
    twice = {"pan": "pann", "begin": "beginn"}
    return GOING_ON.sub(lambda w: f"is {w[1] or ''}{twice.get(w[2], w[2].removesuffix('e'))}ing", sentence)


def people_of(rng, still):
    woman = "man" not in re.findall(r"\w+", still)
    pronoun = ("she" if woman else "he") if rng.random() < 0.3 else ("She" if woman else "He")
    adult = "woman" if woman else "man"
    who = rng.choice([f"the {adult}", f"the young {adult}", f"a {adult}"])
    face = rng.choice([f"{'her' if woman else 'his'} face", "the face"]) if still.startswith("Portrait") else "the lake"
    return dict(pr=pronoun, po="her" if woman else "his", adult=adult, who=who, face=face)


def join(rng, parts):
    how = rng.choice(["commas", "commas", "and", "sentences", "sentences"])
    if how == "sentences":
        return ". ".join(map(capitalised, parts)) + rng.choice(["", "."])
    if how == "and" and len(parts) > 1:
        word = rng.choice([" and ", " and ", ", and ", " while ", ", then "])
        text = ", ".join(parts[:-1]) + word + parts[-1]
    else:
        text = ", ".join(parts)
    return (capitalised(text) if rng.random() < 0.5 else text) + rng.choice(["", "", "."])


def reword_move(rng, still, move):
    """still: the sentence of the picture, which says who it is that moves"""
    if rng.random() < OWN_WORDS:
        return move
    people = people_of(rng, still)
    parts = [say(rng, part, MOVES, people) for part in move.split(", ")]
    rng.shuffle(parts)
    if not any(camera in move for camera in CAMERA) and rng.random() < 0.08:
        parts.append(rng.choice(STANDING_CAMERA))
    if rng.random() < GO_ON:
        parts = [go_on(part) for part in parts]
    if rng.random() < 0.06:
        parts.append(rng.choice(ORNAMENTS))
    return join(rng, parts)


def reword_still(rng, still):
    if rng.random() < OWN_WORDS:
        return still
    people = people_of(rng, still)
    first, *rest = (say(rng, part, STILLS, people) for part in still.split(", "))
    if rng.random() < 0.5:
        rng.shuffle(rest)
    if rng.random() < 0.06:
        rest.append(rng.choice(ORNAMENTS))
    if rng.random() < 0.3 and rest:
        return ", ".join([first, *rest[:-1]]) + ". " + capitalised(rest[-1]) + rng.choice(["", "."])
    return ", ".join([first, *rest]) + rng.choice(["", "", "."])


if __name__ == "__main__":
    from scenes import sample_scene

    rng = random.Random(1)
    for _ in range(30):
        scene = sample_scene(rng)
        print(scene["still"], "|", scene["move"])
        print("   ", reword_still(rng, scene["still"]), "|", reword_move(rng, scene["still"], scene["move"]))
