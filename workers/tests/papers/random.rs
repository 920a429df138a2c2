//! Any number of documents at random, the same for the same seed.

use chrono::Days;
use permanence_domain::billing::{Allowance, Cents, Document, DocumentKind, Line, Referenced, Shares, Vat};
use permanence_domain::field::Language;

use crate::documents::{CARE, FRANCHISE, company, day, line, short, standard, total};

/// Numbers that look random (`SplitMix64`, Steele, Lea and Flood 2014).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn one_in(&mut self, chances: u64) -> bool {
        self.below(chances) == 0
    }

    fn of<T: Copy>(&mut self, things: &[T]) -> T {
        things[usize::try_from(self.below(things.len() as u64)).unwrap_or_default()]
    }
}

const NAMES: [&str; 8] = [
    "Hélène Garcia",
    "Œuvre des Ça-et-là, d’Été",
    "O'Brien & Söhne <GmbH>",
    "אברהם \u{202e}كريم\u{202c}",
    "👩‍⚕️ Dr 😀",
    "Jean\u{0}\u{7}\u{1b}[31m-Paul",
    "](javascript:alert(1)) ]]> <!-- &#0;",
    "Nguyễn Thị Ánh He\u{301}le\u{300}ne",
];

/// Any document; the same for the same seed.
pub(crate) fn document(seed: u64) -> Document {
    let mut numbers = Numbers(seed);
    let mut document = if numbers.one_in(3) { company() } else { short() };
    document.number = format!("F2026-{seed:05}");
    document.language = if numbers.one_in(4) { Language::En } else { Language::Fr };
    random_parties(&mut document, &mut numbers);
    random_lines(&mut document, &mut numbers);
    let last = document.supplied.0 + Days::new(numbers.of(&[0, 0, 1, 27]));
    document.supplied.1 = last;
    if numbers.one_in(6) {
        document.kind = DocumentKind::CreditNote;
        document.credits =
            Some(Referenced { number: "F2025/1-A_9".to_owned(), issued_on: day("2025-02-28") });
    } else if numbers.one_in(12) {
        document.kind = DocumentKind::Quote;
    }
    if numbers.one_in(4) {
        document.terms.iban = None;
    }
    let paid = if document.kind == DocumentKind::Invoice { numbers.of(&[0, 0, 0, 33, 100]) } else { 0 };
    total(&mut document, paid);
    let due = document.totals.due;
    document.shares = document.buyer.siren.is_none().then(|| Shares {
        patient: Cents(due.0 / 3),
        insurer: Cents(due.0 - due.0 / 3),
        insurer_name: numbers.one_in(2).then(|| numbers.of(&NAMES).to_owned()),
    });
    document
}

fn random_parties(document: &mut Document, numbers: &mut Numbers) {
    if numbers.one_in(2) {
        let repeated = numbers.of(&[1, 1, 1, 4, 20]);
        document.buyer.name = numbers.of(&NAMES).repeat(repeated);
        document.seller.practitioner = Some(numbers.of(&NAMES).to_owned());
    }
    if numbers.one_in(5) {
        document.buyer.address = None;
    }
    if numbers.one_in(5) {
        (document.seller.phone, document.seller.email) = (None, None);
        document.seller.practitioner = None;
    }
    if numbers.one_in(6) {
        document.words =
            Some("# Bonjour\n\nMerci de **votre visite**.\n\n[[totals]]\n\n- à bientôt".to_owned());
    }
}

fn random_lines(document: &mut Document, numbers: &mut Numbers) {
    let choices: &[Vat] = match numbers.below(5) {
        0 => &[CARE],
        1 => &[FRANCHISE],
        2 => &[CARE, FRANCHISE],
        3 => &[standard(2_000), standard(1_000), standard(550)],
        _ => &[CARE, standard(2_000), standard(550)],
    };
    let count = match numbers.below(10) {
        0 => 1 + numbers.below(200),
        1 => 1 + numbers.below(60),
        _ => 1 + numbers.below(8),
    };
    document.lines = (0..count).map(|_| random_line(numbers, choices)).collect();
    document.allowances.clear();
    if numbers.one_in(3) {
        for vat in choices {
            let basis: i64 =
                document.lines.iter().filter(|line| line.vat == *vat).map(|line| line.net.0).sum();
            if basis > 100 {
                let amount =
                    Cents(1 + i64::try_from(numbers.below(basis.unsigned_abs() / 2)).unwrap_or_default());
                document.allowances.push(Allowance {
                    reason: "Remise fidélité".to_owned(),
                    amount,
                    vat: *vat,
                });
            }
        }
    }
}

fn random_line(numbers: &mut Numbers, choices: &[Vat]) -> Line {
    let price = match numbers.below(12) {
        0 => 999_999_999,
        1 => 0,
        _ => i64::try_from(numbers.below(20_000)).unwrap_or_default(),
    };
    let quantity = numbers.of(&[1_000, 1_000, 1_000, 2_000, 1_500, 333, 12_000]);
    let mut line = line(numbers.of(&NAMES), quantity, price, numbers.of(choices));
    numbers.of(&["C62", "C62", "HUR", "MIN", "DAY", "KGM"]).clone_into(&mut line.unit);
    if numbers.one_in(4) {
        line.description =
            Some(format!("{}\n{}", numbers.of(&NAMES), "détail ".repeat(numbers.of(&[1, 30]))));
    }
    if line.net.0 > 10 && numbers.one_in(4) {
        line.discount = Cents(line.net.0 / 10);
        line.net -= line.discount;
    }
    line
}
