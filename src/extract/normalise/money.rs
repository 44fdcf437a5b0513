//! What an amount's number alone does not say: a currency that the schema does not name, a rate (`월 5만원`), a unit that is no money.
//! Which number it is was read in `number`.

use std::sync::LazyLock;

use super::index::Index;
use super::text::is_alphanumeric;
use crate::extract::schema::Kind;
use crate::extract::schema::node::Property;

/// Signs and words of a currency other than the won, and the change that leaving it out is.
const CURRENCIES: [(&str, &[&str]); 14] = [
    ("currency_cad_dropped", &["c$", "ca$", "cad"]),
    ("currency_aud_dropped", &["a$", "au$", "aud"]),
    ("currency_hkd_dropped", &["hk$", "hkd"]),
    ("currency_twd_dropped", &["nt$", "twd"]),
    ("currency_sgd_dropped", &["s$", "sgd"]),
    ("currency_brl_dropped", &["r$", "brl"]),
    ("currency_usd_dropped", &["$", "usd", "달러", "dollar", "buck", "불"]),
    ("currency_eur_dropped", &["€", "eur", "유로"]),
    ("currency_jpy_dropped", &["¥", "jpy", "엔", "yen"]),
    ("currency_gbp_dropped", &["£", "gbp", "파운드", "pound"]),
    ("currency_cny_dropped", &["위안", "cny", "rmb", "yuan"]),
    ("currency_inr_dropped", &["₹", "inr", "루피", "rupee", "rs", "rs."]),
    ("currency_chf_dropped", &["chf", "프랑", "franc"]),
    ("currency_vnd_dropped", &["₫", "vnd"]),
];
const WON: &[&str] = &["원", "₩", "krw", "won"];
const MONEY: &[&str] =
    &["price", "가격", "cost", "amount", "금액", "won", "원", "krw", "요금", "비용", "fee", "salary", "월급", "연봉"];
/// Tell of money as well; not so surely that a number with a unit is none.
#[rustfmt::skip]
const FUNDS: &[&str] = &[
    "rent", "deposit", "budget", "income", "revenue", "sales", "payment", "balance", "total", "value", "worth", "charge", "tax", "bill",
    "wage", "pay", "cash", "rate", "월세", "전세", "보증금", "예산", "수입", "매출", "잔액", "합계", "총액", "세금", "임금", "시급", "수수료",
    "관리비", "돈",
];
const RATES: &[&str] = &[
    "월",
    "개월",
    "매월",
    "연",
    "매년",
    "일당",
    "시급",
    "개당",
    "인당",
    "주당",
    "시간당",
    "평당",
    "per",
    "each",
    "@",
    "단가",
    "a month",
    "monthly",
    "yearly",
    "hourly",
    "/month",
    "/mo",
    "/hr",
    "/day",
    "a day",
    "a week",
    "a year",
    "an hour",
    "daily",
    "weekly",
    "day rate",
    "하루",
    "매일",
    "매주",
    "한달",
    "한 달",
    "명당",
    "두당",
    "박당",
    "회당",
    "건당",
    "씩",
    "각",
    "각각",
    "apiece",
    "a piece",
];
/// Say it right beside the amount alone: 한 개 3만원.
#[rustfmt::skip]
const RATES_BESIDE: &[&str] = &[
    "한 개", "한개", "하나", "한 장", "한 병", "한 권", "한 벌", "한 켤레", "한 박스", "한 세트", "한 명", "한 사람", "한 잔", "한 팩", "한 봉지",
];
/// Say that the amount is taken off another one, that another is made of it, or that it is another one than what is paid now.
const CHANGES: &[&str] = &[
    "save",
    "saving",
    "discount",
    "coupon",
    "refund",
    "deposit",
    "cashback",
    "쿠폰",
    "환불",
    "적립",
    "보증금",
    "double",
    "twice",
    "triple",
    "별도",
    "계약금",
    "선금",
    "예약금",
    "원래",
    "정가",
    "원가",
    "출고가",
    "구입가",
    "구매가",
    "retail",
    "originally",
    "msrp",
    "rrp",
];
/// Say right beside an amount that it is theirs: 배송비 3천원. 배송비 포함 5만원 is the price.
#[rustfmt::skip]
const CHANGES_BESIDE: &[&str] = &[
    "할인", "배송비", "배송료", "택배비", "운송비", "설치비", "배달비", "수수료", "새 제품", "새제품", "새 상품", "새상품", "신품", "shipping", "delivery",
    "postage",
];

/// What a name says.
#[derive(Clone, Copy)]
enum Name {
    /// By its place in the list.
    Currency(usize),
    Won,
    Money,
    Funds,
    Rate,
    RateBeside,
    Change,
    ChangeBeside,
}

static NAMES: LazyLock<Index<Name>> = LazyLock::new(|| {
    let currencies = CURRENCIES.iter().enumerate();
    let currencies = currencies.flat_map(|(at, (_, names))| names.iter().map(move |name| (*name, Name::Currency(at))));
    let of = |names: &'static [&str], says: Name| names.iter().map(move |name| (*name, says));
    let of_money = of(WON, Name::Won).chain(of(MONEY, Name::Money)).chain(of(FUNDS, Name::Funds));
    let beside = of(RATES_BESIDE, Name::RateBeside).chain(of(CHANGES_BESIDE, Name::ChangeBeside));
    Index::new(currencies.chain(of_money).chain(of(RATES, Name::Rate)).chain(of(CHANGES, Name::Change)).chain(beside))
});

/// Which names a text has.
#[derive(Default)]
struct Said {
    currencies: [bool; CURRENCIES.len()],
    won: bool,
    money: bool,
    funds: bool,
    rate: bool,
    change: bool,
}

impl Said {
    /// Those that count where they stand: a text is short and the names are many, so that each place is looked at once.
    fn of(text: &str, counts: impl Fn(Name, usize, &str) -> bool) -> Self {
        let mut said = Self::default();
        for (at, first) in text.char_indices() {
            let here = NAMES.beginning(first).iter().filter(|(name, _)| text[at..].starts_with(name));
            for (_, says) in here.filter(|(name, says)| counts(*says, at, name)) {
                match says {
                    Name::Currency(which) => said.currencies[*which] = true,
                    Name::Won => said.won = true,
                    Name::Money => said.money = true,
                    Name::Funds => said.funds = true,
                    Name::Rate | Name::RateBeside => said.rate = true,
                    Name::Change | Name::ChangeBeside => said.change = true,
                }
            }
        }
        said
    }
}

/// The kinds of what is lost where `text` is the amount of a field that `about` tells of (its key, title and description).
pub(super) fn lost(text: &str, about: &str, kind: &str) -> Vec<&'static str> {
    let (text, about) = (text.to_lowercase(), about.to_lowercase());
    let said = said_of(&text);
    let named = Said::of(&about, |_, at, name| is_word(&about, at, name));
    let mut lost = Vec::new();
    match said.currencies.iter().position(|said| *said) {
        Some(which) if !named.currencies[which] => lost.push(CURRENCIES[which].0),
        None if said.won && !named.won && named.currencies.contains(&true) => lost.push("currency_krw_dropped"),
        _ => {}
    }
    let money = said.currencies.contains(&true) || said.won;
    if kind == "number_with_unit" && named.money && !money {
        lost.push("unit_dropped");
    }
    let named_money = named.money || named.won || named.currencies.contains(&true);
    let of_money = money && (named_money || named.funds);
    let another = || super::measure::is_of_another_kind(&text, &about, (money, named_money || of_money));
    if lost.is_empty() && (!money && super::measure::is_anothers(&text, &about) || another()) {
        lost.push("unit_dropped");
    }
    let pays = money || named.money;
    let (rate, differs) = match super::period::differs(&text, &about) {
        Some(differs) => (!differs && said_of(&super::period::without(&text)).rate, differs),
        None => (said.rate, false),
    };
    let untold = !named.rate && super::period::is_untold(&text, &about);
    if pays && rate && !named.rate || differs || untold {
        lost.push("rate_dropped");
    }
    if pays && said.change && !named.change {
        lost.push("change_dropped");
    }
    lost
}

/// What a text of an amount, in small letters, says beside it.
fn said_of(text: &str) -> Said {
    Said::of(text, |says, at, name| match says {
        Name::Currency(_) | Name::Won => is_beside_number(text, at, name),
        Name::Money | Name::Change => is_word(text, at, name),
        // Of the field's names alone.
        Name::Funds => false,
        Name::Rate => is_word(text, at, name) || is_rate_behind(text, at, name),
        Name::RateBeside | Name::ChangeBeside => is_word(text, at, name) && has_amount(text, at, name),
    })
}

/// Whether a text gives an amount in won, and whether it gives one in another currency.
pub(super) fn currencies(text: &str) -> (bool, bool) {
    let said = said_of(&text.to_lowercase());
    (said.won, said.currencies.contains(&true))
}

/// The kind of change that leaving out the currency is that is all of a text: `USD`, 달러, `€`.
pub(super) fn currency(text: &str) -> Option<&'static str> {
    const LONGEST_BYTES: usize = 24;
    let text = Some(text.trim()).filter(|text| text.len() <= LONGEST_BYTES)?.to_lowercase();
    let text = text.strip_prefix("us ").unwrap_or(&text);
    let is = |names: &[&str]| names.iter().any(|name| text == *name || text.strip_suffix('s') == Some(name));
    let known = CURRENCIES.iter().find(|(_, names)| is(names)).map(|(kind, _)| *kind);
    known
        .or_else(|| (text == "us$").then_some("currency_usd_dropped"))
        .or_else(|| is(WON).then_some("currency_krw_dropped"))
}

/// Signs of a currency; names are compared without them.
pub(in crate::extract) const SIGNS: [char; 5] = ['$', '€', '£', '¥', '₩'];

/// The kind of what is lost where `label` is taken for the name of a field that takes numbers: `price ($)` for a price in won.
pub(in crate::extract) fn label_currency(label: &str, field: &Property<'_>) -> Option<&'static str> {
    let node = field.node;
    if !label.contains(SIGNS) || !(node.accepts(Kind::Integer) || node.accepts(Kind::Number)) {
        return None;
    }
    let label = label.to_lowercase();
    let names = field.names.iter().map(String::as_str).chain([field.key]);
    let about: Vec<&str> = names.chain(node.title()).chain(node.description()).collect();
    let about = about.join(" ").replace('_', " ").to_lowercase();
    let said = Said::of(&label, |_, at, name| is_word(&label, at, name));
    let named = Said::of(&about, |_, at, name| is_word(&about, at, name));
    match said.currencies.iter().position(|said| *said) {
        Some(which) => (!named.currencies[which]).then_some(CURRENCIES[which].0),
        None => (said.won && !named.won && named.currencies.contains(&true)).then_some("currency_krw_dropped"),
    }
}

/// Whether the sign or word there stands right before or after a number; 불 is fire as well.
fn is_beside_number(text: &str, at: usize, name: &str) -> bool {
    let number = |c: char| c.is_numeric() || "십백천만억조k".contains(c);
    let lead = text[..at].trim_end();
    let before = lead.ends_with(number) || ends_with_scale(lead);
    let after = text[at + name.len()..].trim_start().chars().next().is_some_and(|c| c.is_numeric());
    let letters = name.chars().all(char::is_alphabetic);
    // Of US$ the S is no Singapore's.
    let is_latin = |c: char| c.is_ascii_alphabetic();
    let whole = !name.starts_with(is_latin) || !text[..at].ends_with(is_latin);
    whole && (before || after && (!letters || name.is_ascii()) || letters && name.len() > 3 && name.is_ascii())
}

/// Whether the text ends with a number's scale: `5 million`, `5m`, `$5 bn`.
fn ends_with_scale(text: &str) -> bool {
    const LETTERS: [&str; 8] = ["k", "m", "b", "t", "mn", "bn", "tn", "mil"];
    const WORDS: [&str; 8] =
        ["thousand", "million", "billion", "trillion", "thousands", "millions", "billions", "trillions"];
    let before = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let word = &text[before.len()..];
    WORDS.contains(&word) || LETTERS.contains(&word) && before.trim_end().ends_with(char::is_numeric)
}

/// Whether an amount stands right behind the name, with no more than a particle or a colon between, or right before it at the text's end.
fn has_amount(text: &str, at: usize, name: &str) -> bool {
    let number = |c: char| c.is_numeric() || "$₩€£¥일이삼사오육칠팔구십백천만억약".contains(c);
    let rest = text[at + name.len()..].trim_start();
    const BETWEEN: [&str; 13] =
        ["fee", "cost", "price", "charge", "is", "가격", "값", "에", "은", "는", "이", "당", "가"];
    // What is paid with a discount, 할인가, is the price.
    let between = if name == "할인" { &BETWEEN[..12] } else { &BETWEEN[..] };
    let is_amount = |rest: &str| rest.trim_start_matches([' ', ':', '=']).starts_with(number);
    let behind = is_amount(rest) || between.iter().any(|word| rest.strip_prefix(word).is_some_and(is_amount));
    let before = text[..at].strip_suffix(' ').is_some_and(|before| {
        let before = before.trim_end_matches("won").trim_end_matches([' ', '원']);
        before.ends_with(number)
    });
    behind || before && !rest.contains(is_alphanumeric)
}

/// Whether it stands right behind what it counts: 2만원씩, 1인당.
fn is_rate_behind(text: &str, at: usize, name: &str) -> bool {
    let counted = name == "씩" || name.ends_with('당') && text[..at].ends_with(|c: char| c.is_numeric());
    counted && !text[at + name.len()..].starts_with(char::is_alphanumeric)
}

/// Whether the name there is a word: one of Latin letters as a whole, a Korean one at a word's end or start.
pub(super) fn is_word(text: &str, at: usize, name: &str) -> bool {
    let sign = !name.chars().any(is_alphanumeric);
    let joined = |c: Option<char>| c.is_some_and(is_alphanumeric);
    let before = joined(text[..at].chars().next_back());
    let rest = text[at + name.len()..].strip_prefix(['s']).unwrap_or(&text[at + name.len()..]);
    sign || name.starts_with('/')
        || !before && (!joined(rest.chars().next()) || name.chars().count() > 1 && !name.is_ascii())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{label_currency, lost};
    use crate::extract::schema::Schema;

    #[test]
    fn a_label_may_name_a_currency_that_the_field_does_not() {
        for (schema, label, kind) in [
            (json!({"type": "integer", "description": "in won"}), "price ($)", Some("currency_usd_dropped")),
            (json!({"type": "integer"}), "Price (US$)", Some("currency_usd_dropped")),
            (json!({"type": "number", "description": "in dollars"}), "price ($)", None),
            (json!({"type": "integer", "x-aliases": ["price ($)"]}), "price ($)", None),
            (json!({"type": "integer", "description": "in won"}), "price (₩)", None),
            (json!({"type": "integer", "description": "USD"}), "price (₩)", Some("currency_krw_dropped")),
            (json!({"type": "string"}), "price ($)", None),
        ] {
            let schema =
                Schema::from_value(&json!({"type": "object", "properties": {"price": schema}})).expect("a schema");
            let field = schema.root().called("price").expect("the field");
            assert_eq!(label_currency(label, &field), kind, "{label}");
        }
    }

    #[test]
    fn a_currency_that_the_field_does_not_name_is_named() {
        for (text, about, kinds) in [
            ("$650", "price in won", vec!["currency_usd_dropped"]),
            ("$650", "price in dollars", vec![]),
            ("100엔", "price", vec!["currency_jpy_dropped"]),
            ("120만원", "price", vec![]),
            ("C$5", "price (USD)", vec!["currency_cad_dropped"]),
            ("US$5", "price (USD)", vec![]),
            ("₩1,200", "price in USD", vec!["currency_krw_dropped"]),
            ("월 5만원", "가격", vec!["rate_dropped"]),
            ("월급 300만원", "annual salary", vec!["rate_dropped"]),
            ("$120,000 per year", "annual salary usd", vec![]),
            ("$120 per year per person", "annual cost usd", vec!["rate_dropped"]),
            ("개당 5천원", "price", vec!["rate_dropped"]),
            ("@4,500", "price", vec!["rate_dropped"]),
            ("단가 4,500원", "price", vec!["rate_dropped"]),
            ("단가 4,500원", "단가", vec![]),
            ("50,000 won per month", "price", vec!["rate_dropped"]),
            ("하루 2만원", "price", vec!["rate_dropped"]),
            ("2만원씩", "price", vec!["rate_dropped"]),
            ("1인당 2만원", "price", vec!["rate_dropped"]),
            ("하루 2만원", "하루 비용", vec![]),
            ("save 20,000 won", "price", vec!["change_dropped"]),
            ("20,000 won discounts", "price", vec!["change_dropped"]),
            ("2만원 쿠폰", "price", vec!["change_dropped"]),
            ("2만원 환불", "price", vec!["change_dropped"]),
            ("5만원 택배비 별도", "price", vec!["change_dropped"]),
            ("정가 5만원", "price", vec!["change_dropped"]),
            ("정가 5만원", "정가", vec![]),
            ("할인 5천원", "price", vec!["change_dropped"]),
            ("할인가 5만원", "price", vec![]),
            ("배송비가 3천원", "price", vec!["change_dropped"]),
            ("할인된 가격 5만원", "price", vec![]),
            ("배송비 3천원", "price", vec!["change_dropped"]),
            ("배송비: 3천원", "price", vec!["change_dropped"]),
            ("배송비 3천원", "배송비", vec![]),
            ("배송비 포함 5만원", "price", vec![]),
            ("5만원 (택배비 포함)", "price", vec![]),
            ("3천원 배송비", "price", vec!["change_dropped"]),
            ("shipping 3,000", "price", vec!["change_dropped"]),
            ("shipping fee 3,000", "price", vec!["change_dropped"]),
            ("50,000, free shipping", "price", vec![]),
            ("retail 50,000", "price", vec!["change_dropped"]),
            ("originally 50,000", "price", vec!["change_dropped"]),
            ("새 제품 5만원", "price", vec!["change_dropped"]),
            ("5만원, 새 제품", "price", vec![]),
            ("각 3만원", "price", vec!["rate_dropped"]),
            ("한 개 3만원", "price", vec!["rate_dropped"]),
            ("한 개에 3만원", "price", vec!["rate_dropped"]),
            ("각자 내는 3만원", "price", vec![]),
            ("5 million EUR", "price usd", vec!["currency_eur_dropped"]),
            ("five million euros", "price usd", vec!["currency_eur_dropped"]),
            ("5m EUR", "price usd", vec!["currency_eur_dropped"]),
            ("5 bn yen", "price", vec!["currency_jpy_dropped"]),
            ("5 million dollars", "price usd", vec![]),
            ("5 million won", "price", vec![]),
            ("Rs. 50000", "price", vec!["currency_inr_dropped"]),
            ("50000 dollars", "price in dollars", vec![]),
            ("20,000 won a day", "price", vec!["rate_dropped"]),
            ("double 20,000", "price", vec!["change_dropped"]),
            ("20,000 won discount", "discount", vec![]),
        ] {
            assert_eq!(lost(text, about, "money"), kinds, "{text}, {about}");
        }
        assert_eq!(lost("256GB", "price", "number_with_unit"), ["unit_dropped"]);
        assert!(lost("256GB", "storage", "number_with_unit").is_empty());
    }
}
