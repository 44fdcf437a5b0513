#!/usr/bin/env python3
"""Makes train.jsonl, eval.jsonl and test.jsonl: records of second-hand listings, each with one natural English sentence.
Run:  python3 generate.py [FOLDER]        Standard library only; the same bytes on every machine and version of Python.

What the sentence says depends on the record, so that no single template scores: the condition sets the tone and the frame, the kind
of item says how it is worn or broken, the size of the price how it is put (free, a mere, plain, million), the place its preposition,
the hour its part of the day. Two frames fit each condition; a test row has the sentence in each as a reference."""
import json, pathlib, sys

SEED = 20260101
MASK = (1 << 64) - 1

class Draws:
    """SplitMix64, because Python's own `random` may draw differently in another version."""
    def __init__(self, seed): self.state = seed
    def next(self):
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        return z ^ (z >> 31)
    def below(self, bound):
        while True:
            draw = self.next()
            if draw < (1 << 64) - (1 << 64) % bound: return draw % bound
    def choice(self, options): return options[self.below(len(options))]

# Kind: items (those that end in "s" are several), prices in thousands of won, how it does when worn, what is wrong when broken.
KINDS = {
    "furniture": ("oak desk, bookshelf, office chair, bedside table, shoe rack, wooden stool, wardrobe, folding table, floor mirror".split(", "),
        (5, 10, 15, 30, 45, 60, 80, 120, 180), "still stand{s} firm", "{have} a broken leg"),
    "appliances": ("desk lamp, electric fan, rice cooker, vacuum cleaner, air purifier, toaster, coffee grinder".split(", "),
        (8, 20, 35, 60, 90, 150), "still work{s} fine", "no longer turn{s} on"),
    "electronics": ("laptop, tablet, monitor, camera, game console, headphones, speakers".split(", "),
        (45, 80, 180, 280, 450, 1100, 1300, 1800), "still run{s} without a hitch", "{have} a dead battery"),
    "clothing": ("winter coat, rain jacket, leather bag, wool scarf, school uniform, denim jacket, hiking boots, running shoes, ski gloves".split(", "),
        (3, 7, 12, 25, 40, 70, 110, 200), "still keep{s} the cold out", "{have} a torn seam"),
    "books": ("cookbook, Korean dictionary, picture book, travel guide, chess book, comic set, English novel".split(", "),
        (1, 2, 4, 6, 9, 14, 30), "still read{s} well", "{be} missing a few pages"),
    "bicycles": ("road bike, folding bike, mountain bike, kids' bike, electric scooter, bike trailer".split(", "),
        (40, 75, 90, 130, 220, 350, 900, 1200, 2400), "still ride{s} smoothly", "need{s} a new wheel"),
    "music": ("acoustic guitar, violin, trumpet, digital piano, cello, electric bass, record player".split(", "),
        (20, 50, 85, 140, 320, 700, 1500, 2100), "still sound{s} lovely", "need{s} a full repair"),
    "sports": ("tennis racket, yoga mat, camping tent, sleeping bag, badminton set, fishing rod, dumbbells, skis".split(", "),
        (3, 8, 16, 28, 55, 95, 160, 240), "still do{es} the job", "need{s} mending"),
    "garden": ("clay pot, watering can, garden bench, plant stand, herb planter, flower boxes, garden gnome".split(", "),
        (2, 5, 9, 18, 36, 65, 100), "still look{s} pretty", "{have} a crack"),
}
CONDITIONS = ("new", "like new", "good", "worn", "broken")
STATIONS = "Hapjeong Mangwon Seongsu Jamsil Sadang Hongdae Gangnam Anguk Yongsan Noryangjin".split()
PLACES = ([(f"{name} Station exit {exit}", f"at exit {exit} of {name} Station") for name in STATIONS for exit in (1, 2, 4)]
    + [(f"{name} Library", f"in front of {name} Library") for name in ("Mapo", "Namsan", "Jeongdok", "Songpa")]
    + [(name, f"in {name}") for name in ("Seoul Forest", "Olympic Park", "Boramae Park", "Yeouido Park")]
    + [(f"{name} Market", f"at the gate of {name} Market") for name in ("Gwangjang", "Tongin", "Dongdaemun", "Namdaemun")]
    + [(f"Cafe {name}", f"inside Cafe {name}") for name in ("Maru", "Onion", "Bom", "Haneul")])
DAYS = {"Mon": "Monday", "Tue": "Tuesday", "Wed": "Wednesday", "Thu": "Thursday", "Fri": "Friday", "Sat": "Saturday", "Sun": "Sunday"}
HOURS = [(h, m) for h in range(8, 22) for m in (0, 30)]

def price_words(won):
    if won >= 1_000_000:
        return f"{won / 1_000_000:g} million won"
    return f"{'a mere ' if won < 10_000 else ''}{won:,} won"

def time_words(day, hour, minute):
    if (hour, minute) == (12, 0): return f"at noon on {DAYS[day]}"
    clock = f"{'half past ' if minute else ''}{(hour - 1) % 12 + 1}"
    if hour < 12: return f"on {DAYS[day]} morning at {clock}"
    if hour < 18: return f"on {DAYS[day]} afternoon at {clock}"
    return f"on {DAYS[day]} evening at {clock}"

def sentences(record):
    """Every sentence that fits the record, two of them."""
    kind, item, won, condition, place, (day, hour, minute) = record
    several = item.endswith("s") and not item.endswith("ss")
    fit = lambda text: text.format(s="" if several else "s", es="" if several else "es", have="have" if several else "has", be="are" if several else "is")
    this, it, is_ = ("these", "them", "are") if several else ("this", "it", "is")
    one = lambda words: words if several else f"{'an' if words[0] in 'aeiouE' else 'a'} {words}"
    worn, broken = fit(KINDS[kind][2]), fit(KINDS[kind][3])
    where, when = dict(PLACES)[place], time_words(day, hour, minute)
    if won == 0:
        return {
            "new": [f"I'm giving away {one(f'brand-new {item}')}, so be {where} {when}.", f"Never used and free of charge, the {item} will wait for you {where} {when}."],
            "like new": [f"Free to a good home, {one(f'barely used {item}')} can be yours {where} {when}.", f"I don't want a single won for {one(f'barely used {item}')}, just meet me {where} {when}."],
            "good": [f"Take my {item} for nothing, in good shape as {'they are' if several else 'it is'}, {where} {when}.", f"I'm giving away {one(f'well-kept {item}')} {where} {when}."],
            "worn": [f"Worn as {'they are' if several else 'it is'}, the {item} {worn}, so take {it} for free {where} {when}.", f"The {item} {worn}, and whoever comes {when} gets {it} for free {where}."],
            "broken": [f"Sadly the {item} {broken}, so take {it} for free {where} {when}.", f"If you like repairing things, the {item} that {broken} {is_} free {where} {when}."],
        }[condition]
    price = price_words(won)
    end = ", no haggling" if won >= 1_000_000 else ""
    return {
        "new": [f"Brand new and still in the box, {this} {item} can be yours for {price} {where} {when}{end}.",
                f"I'm selling {one(f'brand-new {item}')}, never opened, for {price}, so meet me {where} {when}{end}."],
        "like new": [f"Pick up {one(item)} as good as new for {price} {where} {when}{end}.",
                     f"For {price} you get {one(f'barely used {item}')} from me {where} {when}{end}."],
        "good": [f"My {item} {is_} in good shape and yours for {price} if we meet {where} {when}{end}.",
                 f"I'm selling {one(f'well-kept {item}')} for {price}, to be picked up {where} {when}{end}."],
        "worn": [f"The {item} {'have' if several else 'has'} seen better days but {worn}, so I ask {price} {where} {when}{end}.",
                 f"Scratched and faded, my {item} {worn} and {'go' if several else 'goes'} for {price} {where} {when}{end}."],
        "broken": [f"Sadly the {item} {broken}, so for {price} you can have {it} for parts {where} {when}{end}.",
                   f"For a skilled hand only, the {item} that {broken} {'go' if several else 'goes'} for {price} {where} {when}{end}."],
    }[condition]

def draw_record(draws):
    kind = draws.choice(list(KINDS))
    items, thousands, _, _ = KINDS[kind]
    condition = draws.choice(CONDITIONS)
    won = draws.choice(thousands) * 1000
    if condition == "worn": won = max(1000, won // 2000 * 1000)
    if condition == "broken": won = max(1000, won // 8000 * 1000)
    if draws.below(10) == 0: won = 0
    return (kind, draws.choice(items), won, condition, draws.choice(PLACES)[0], (draws.choice(list(DAYS)), *draws.choice(HOURS)))

def prompt(record):
    _, item, won, condition, place, (day, hour, minute) = record
    return f"item: {item}, price: {won}, condition: {condition}, place: {place}, time: {day} {hour}:{minute:02}\n"

def main():
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent)
    draws, seen = Draws(SEED), set()
    for name, rows in (("train", 600), ("eval", 60), ("test", 100)):
        lines = []
        while len(lines) < rows:
            record = draw_record(draws)
            if record in seen: continue
            seen.add(record)
            said = sentences(record)
            row = {"prompt": prompt(record)} | ({"references": said} if name == "test" else {"completion": draws.choice(said)})
            lines.append(json.dumps(row, ensure_ascii=False) + "\n")
        with open(folder / f"{name}.jsonl", "w", encoding="utf-8", newline="\n") as file:
            file.writelines(lines)

if __name__ == "__main__":
    main()
