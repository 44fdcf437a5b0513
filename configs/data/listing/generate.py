#!/usr/bin/env python3
"""Makes the data of configs/extract.toml: messages of people who sell something, in Korean and English, and the listing that
configs/schemas/listing.json asks for. A seeded generator: the same files each time.

    python3 configs/data/listing/generate.py

An item, a place or a price of the test rows may occur in training, a message does not."""

import json
import os
import random

HERE = os.path.dirname(os.path.abspath(__file__))
ROWS = {"train": 600, "eval": 60, "test": 100}
PROMPT = "Write the listing in this message as JSON: item, price in won, condition, location, contact.\n\nMessage: {text}\nJSON:"

ITEMS = {
    "en": "desk lamp|road bike|mountain bike|rice cooker|air fryer|sofa bed|standing desk|office chair|guitar|digital piano|drum kit|camping tent|sleeping bag|film camera|camera lens|gaming laptop|tablet|mechanical keyboard|monitor|printer|bookshelf|wardrobe|dining table|coffee grinder|espresso machine|hair dryer|vacuum cleaner|robot vacuum|humidifier|air purifier|baby stroller|car seat|skateboard|snowboard|tennis racket|golf clubs|yoga mat|dumbbells|treadmill|electric fan|space heater|microwave oven|mini fridge|washing machine|sewing machine|backpack|suitcase|winter coat|running shoes|wrist watch".split("|"),
    "ko": "책상|의자|자전거|전기밥솥|에어프라이어|소파|기타|피아노|텐트|침낭|카메라|노트북|태블릿|키보드|모니터|프린터|책장|옷장|식탁|커피머신|드라이기|청소기|로봇청소기|가습기|공기청정기|유모차|카시트|스노보드|골프채|아령|러닝머신|선풍기|전기난로|전자레인지|냉장고|세탁기|재봉틀|배낭|여행가방|패딩|운동화|손목시계|무선 이어폰|스피커|게임기|드론|전동 킥보드|캠핑 의자|화분|거울".split("|"),
}
PLACES = {
    "en": "Gangnam Station|Hongdae|Mapo|Jamsil|Seoul Forest|Sinchon|Itaewon|Bundang|Suwon Station|Haeundae|Daejeon|Yeouido|Songdo|Ilsan|Pangyo".split("|"),
    "ko": "강남역|홍대입구역|마포구청|잠실|서울숲|신촌|이태원|분당|수원역|해운대|대전|여의도|송도|일산|판교".split("|"),
}
CONDITIONS = {
    "en": {
        "new": ["brand new, still sealed", "never opened", "unused, in its box"],
        "like_new": ["used only twice", "like new", "barely used, no marks"],
        "good": ["in good shape", "works well", "well kept"],
        "fair": ["has some scratches", "shows its age but works", "a bit worn"],
        "poor": ["does not turn on, for parts", "broken, needs repair", "cracked"],
    },
    "ko": {
        "new": ["새 제품이고 미개봉이에요", "한 번도 안 쓴 새것입니다", "포장도 안 뜯었어요"],
        "like_new": ["두 번밖에 안 썼어요", "거의 새것이에요", "사용감이 거의 없어요"],
        "good": ["상태 좋아요", "잘 작동합니다", "깨끗하게 썼어요"],
        "fair": ["기스가 좀 있어요", "사용감 있지만 잘 됩니다", "오래 썼지만 쓸 만해요"],
        "poor": ["고장나서 부품용이에요", "전원이 안 켜져요", "수리가 필요해요"],
    },
}
ENGLISH = [
    "Selling my {item}, {condition}. {price} won, pick up at {place}. Call {contact}.",
    "{item} for sale! It is {condition}. I want {price} won. Meet me in {place}, text {contact}.",
    "Anyone need a {item}? {condition}. Asking {price} won. I am near {place}. {contact}",
    "Moving out, so my {item} has to go: {condition}, {price} won at {place}. Contact: {contact}",
    "Hi, I have a {item} ({condition}). {price} won and it is yours. {place}. {contact}",
    "{place}: {item}, {condition}, {price} won. No haggling please. {contact}",
]
KOREAN = [
    "{item} 팝니다. {condition}. 가격은 {price}이고 {place}에서 직거래해요. 연락처 {contact}",
    "{item} 급처합니다! {condition}. {price}에 드려요. {place} 근처로 오세요. {contact}",
    "안녕하세요, {item} 내놓아요. {condition}. {price} 생각합니다. 장소는 {place}, 문자 {contact}",
    "{place} 직거래. {item}, {condition}. {price}. {contact}로 연락 주세요.",
    "이사 가서 {item} 정리해요. {condition}. {price}만 받을게요. {place}. {contact}",
]


def won(random_, language):
    """A price, and how a person writes it."""
    price = random_.choice([1, 2, 3, 5, 7, 8, 12, 15, 25, 35, 45, 60, 80, 95, 120, 150, 230, 350, 480, 640]) * 10_000
    if random_.random() < 0.35:
        price = price // 10 + random_.choice([0, 500, 5_000])
    ways = [f"{price:,}", str(price)]
    if language == "en" and price % 1_000 == 0 and random_.random() < 0.4:
        ways = [f"{price // 1_000}k"]
    if language == "ko":
        ways = [f"{price:,}원", f"{price}원"]
        if price % 10_000 == 0:
            ways += [f"{price // 10_000}만원", f"{price // 10_000}만 원"]
        elif price > 10_000 and price % 1_000 == 0:
            ways += [f"{price // 10_000}만 {price % 10_000 // 1_000}천원"]
    return price, random_.choice(ways)


def row(random_):
    language = random_.choice(["en", "ko"])
    item, place = random_.choice(ITEMS[language]), random_.choice(PLACES[language])
    condition = random_.choice(list(CONDITIONS[language]))
    words = random_.choice(CONDITIONS[language][condition])
    contact = f"010-{random_.randint(2000, 9999)}-{random_.randint(0, 9999):04d}"
    price, said = won(random_, language)
    template = random_.choice(ENGLISH if language == "en" else KOREAN)
    text = template.format(item=item, condition=words, price=said, place=place, contact=contact)
    text = text[:1].upper() + text[1:]
    value = {"item": item, "price": price, "condition": condition, "location": place, "contact": contact}
    return {"prompt": PROMPT.format(text=text), "completion": " " + json.dumps(value, ensure_ascii=False)}


def main():
    random_ = random.Random(20261105)
    seen = set()
    for name, count in ROWS.items():
        with open(os.path.join(HERE, name + ".jsonl"), "w", encoding="utf-8") as f:
            while count:
                made = row(random_)
                if made["prompt"] in seen:
                    continue
                seen.add(made["prompt"])
                f.write(json.dumps(made, ensure_ascii=False) + "\n")
                count -= 1


if __name__ == "__main__":
    main()
