//! Documents to draw that a person would know.

use chrono::NaiveDate;
use permanence_domain::billing::{
    Address, Allowance, Buyer, Cents, Document, DocumentKind, Line, PaymentTerms, Quantity, Referenced,
    Seller, Shares, Totals, Vat, VatCategory, VatTotal,
};
use permanence_domain::field::Language;

pub(crate) const CARE: Vat = Vat { category: VatCategory::Care, rate: 0 };
pub(crate) const FRANCHISE: Vat = Vat { category: VatCategory::Franchise, rate: 0 };

pub(crate) fn standard(rate: u32) -> Vat {
    Vat { category: VatCategory::Standard, rate }
}

pub(crate) fn day(text: &str) -> NaiveDate {
    text.parse().unwrap_or_default()
}

fn rounded(product: i128, divisor: i128) -> i64 {
    let half = if product < 0 { -divisor / 2 } else { divisor / 2 };
    i64::try_from((product + half) / divisor).unwrap_or(i64::MAX)
}

pub(crate) fn line(name: &str, thousandths: i64, unit_price: i64, vat: Vat) -> Line {
    Line {
        name: name.to_owned(),
        description: None,
        quantity: Quantity(thousandths),
        unit: "C62".to_owned(),
        unit_price: Cents(unit_price),
        discount: Cents::ZERO,
        vat,
        net: Cents(rounded(i128::from(thousandths) * i128::from(unit_price), 1000)),
    }
}

/// Sums up lines and discounts, with `paid` of it paid, in hundredths.
pub(crate) fn total(document: &mut Document, paid: i64) {
    let mut vat: Vec<VatTotal> = Vec::new();
    let lines = document.lines.iter().map(|line| (line.vat, line.net));
    for (kind, amount) in lines.chain(document.allowances.iter().map(|less| (less.vat, -less.amount))) {
        match vat.iter_mut().find(|total| total.vat == kind) {
            Some(total) => total.basis += amount,
            None => vat.push(VatTotal { vat: kind, basis: amount, tax: Cents::ZERO }),
        }
    }
    vat.sort_by_key(|total| total.vat);
    for total in &mut vat {
        total.tax = Cents(rounded(i128::from(total.basis.0) * i128::from(total.vat.rate), 10_000));
    }
    let lines: Cents = document.lines.iter().map(|line| line.net).sum();
    let allowances: Cents = document.allowances.iter().map(|less| less.amount).sum();
    let tax: Cents = vat.iter().map(|total| total.tax).sum();
    let gross = lines - allowances + tax;
    let paid = Cents(rounded(i128::from(gross.0) * i128::from(paid), 100));
    document.totals =
        Totals { lines, allowances, net: lines - allowances, vat: tax, gross, paid, due: gross - paid };
    document.vat = vat;
}

/// A short invoice to a patient: one session of care.
pub(crate) fn short() -> Document {
    let mut document = Document {
        kind: DocumentKind::Invoice,
        number: "F2026-00042".to_owned(),
        issued_on: day("2026-11-25"),
        supplied: (day("2026-11-24"), day("2026-11-24")),
        due_on: day("2026-12-25"),
        language: Language::Fr,
        seller: seller(),
        buyer: Buyer {
            name: "Mme Hélène Garcia".to_owned(),
            address: Some(address("3 rue de l’Église", "67000", "Strasbourg")),
            siren: None,
            vat_id: None,
            email: Some("helene.garcia@example.fr".to_owned()),
        },
        buyer_reference: None,
        lines: vec![
            Line {
                description: Some("Bilan de la mobilité de l’épaule droite, mesure des amplitudes,\nsur prescription du Dr Lenoir".to_owned()),
                ..line("Séance d’ostéopathie", 1_000, 6_000, CARE)
            },
            line("Bilan initial", 1_000, 4_500, CARE),
        ],
        allowances: Vec::new(),
        vat: Vec::new(),
        totals: Totals {
            lines: Cents::ZERO,
            allowances: Cents::ZERO,
            net: Cents::ZERO,
            vat: Cents::ZERO,
            gross: Cents::ZERO,
            paid: Cents::ZERO,
            due: Cents::ZERO,
        },
        shares: Some(Shares {
            patient: Cents(6_500),
            insurer: Cents(4_000),
            insurer_name: Some("Mutuelle des Vosges".to_owned()),
        }),
        credits: None,
        terms: PaymentTerms {
            words: "Paiement à 30 jours par virement, carte ou chèque.".to_owned(),
            iban: Some("FR7630006000011234567890189".to_owned()),
            bic: Some("AGRIFRPP".to_owned()),
            late_penalty: None,
        },
        words: None,
        logo: None,
    };
    total(&mut document, 0);
    document
}

fn seller() -> Seller {
    Seller {
        legal_name: "Cabinet des Lilas".to_owned(),
        trading_name: None,
        legal_form: Some("SELARL au capital de 10 000 €".to_owned()),
        address: Address {
            complement: Some("Bâtiment B, 2e étage".to_owned()),
            ..address("12 avenue des Lilas", "67200", "Strasbourg")
        },
        siret: "73282932000074".to_owned(),
        vat_id: None,
        practitioner: Some("Camille Roy, ostéopathe D.O., RPPS 10100000016".to_owned()),
        phone: Some("+33388123456".to_owned()),
        email: Some("contact@cabinet-lilas.example".to_owned()),
    }
}

fn address(line: &str, postcode: &str, city: &str) -> Address {
    Address {
        line: line.to_owned(),
        complement: None,
        postcode: postcode.to_owned(),
        city: city.to_owned(),
        country: "FR".to_owned(),
    }
}

/// Eighty lines to a company.
pub(crate) fn long() -> Document {
    let mut document = company();
    "F2026-00080".clone_into(&mut document.number);
    document.allowances.clear();
    document.lines = (1..=80)
        .map(|number| Line {
            description: (number % 7 == 0).then(|| "Sur place, avec compte rendu écrit".to_owned()),
            ..line(
                &format!("Atelier n° {number} : gestes et postures au poste de travail"),
                1_000 * (1 + number % 3),
                12_050,
                standard(2_000),
            )
        })
        .collect();
    total(&mut document, 0);
    document
}

/// A company, several rates, discounts on lines and on the whole.
pub(crate) fn company() -> Document {
    let mut document = short();
    "F2026-00043".clone_into(&mut document.number);
    document.supplied = (day("2026-11-02"), day("2026-11-20"));
    document.seller.vat_id = Some("FR44732829320".to_owned());
    document.seller.trading_name = Some("Les Lilas Santé au travail".to_owned());
    document.buyer = Buyer {
        name: "Ateliers Mécaniques du Rhin SAS".to_owned(),
        address: Some(Address {
            complement: Some("Service comptabilité fournisseurs".to_owned()),
            ..address("Zone industrielle, 45 rue du Port", "68100", "Mulhouse")
        }),
        siren: Some("404833048".to_owned()),
        vat_id: Some("FR83404833048".to_owned()),
        email: Some("factures@amr.example".to_owned()),
    };
    document.buyer_reference = Some("BC-2026-1187".to_owned());
    document.lines = vec![
        Line {
            unit: "HUR".to_owned(),
            description: Some("Intervention en atelier, trois demi-journées".to_owned()),
            ..line("Conseil en ergonomie", 10_500, 9_500, standard(2_000))
        },
        Line {
            discount: Cents(1_200),
            net: Cents(22_800),
            ..line("Coussins lombaires", 8_000, 3_000, standard(2_000))
        },
        line("Guide « Bien au poste » (livre)", 40_000, 950, standard(550)),
        line("Séances d’ostéopathie en entreprise", 12_000, 6_000, CARE),
        line("Repas de la journée de formation", 9_000, 1_650, standard(1_000)),
    ];
    document.allowances = vec![
        Allowance { reason: "Remise contrat-cadre".to_owned(), amount: Cents(5_000), vat: standard(2_000) },
        Allowance { reason: "Remise contrat-cadre".to_owned(), amount: Cents(2_000), vat: CARE },
    ];
    document.shares = None;
    "Paiement à 30 jours.".clone_into(&mut document.terms.words);
    total(&mut document, 25);
    document
}

/// Takes back a part of the company's invoice.
pub(crate) fn credit_note() -> Document {
    let mut document = company();
    document.kind = DocumentKind::CreditNote;
    "A2026-00007".clone_into(&mut document.number);
    document.lines.truncate(2);
    document.allowances.clear();
    document.credits = Some(Referenced { number: "F2026-00043".to_owned(), issued_on: day("2026-11-25") });
    "Cet avoir est déduit de votre prochaine facture.".clone_into(&mut document.terms.words);
    total(&mut document, 0);
    document
}

/// A quote in the words of a practice.
pub(crate) fn quote() -> Document {
    let mut document = short();
    document.kind = DocumentKind::Quote;
    "D2026-00011".clone_into(&mut document.number);
    document.lines.push(line("Semelles orthopédiques sur mesure, la paire", 1_000, 18_000, standard(550)));
    document.shares = None;
    "Acompte de 30 % à la commande.".clone_into(&mut document.terms.words);
    document.words = Some(
        "Chère Madame,\n\nvoici notre proposition, **valable un mois**, à la suite de *notre entretien*.\n\n[[items]]\n\n\
         [[totals]]\n\n## Ce qui est compris\n\n- la prise d’empreintes et l’essayage\n- deux réglages dans l’année\n  \
         1. au cabinet\n  2. à domicile sur demande\n\n<script>alert(1)</script>\n\n[[payment]]\n"
            .to_owned(),
    );
    total(&mut document, 0);
    document
}

/// The short one in English, in part paid.
pub(crate) fn english() -> Document {
    let mut document = company();
    document.language = Language::En;
    "F2026-00044".clone_into(&mut document.number);
    "Payment within 30 days.".clone_into(&mut document.terms.words);
    document
}

/// What a database can hold and nobody should print.
pub(crate) fn hostile() -> Document {
    let mut document = short();
    "F2026-00666".clone_into(&mut document.number);
    document.buyer.name =
        format!("Šárka \u{202e}ibrahim\u{202c} אברהם 😀👩‍👩‍👧 {}", "Wolfeschlegelsteinhausen".repeat(20));
    document.seller.practitioner = Some("](javascript:alert(1)) <b>&amp;\u{0}\u{1b}[31m".to_owned());
    document.lines = vec![
        Line {
            description: Some("ligne de détail\n".repeat(120)),
            ..line("<script>x</script> [[totals]] {{items}} He\u{301}le\u{300}ne", 1_000, 0, CARE)
        },
        line(&"abcdefghij".repeat(50), 1_001, 999_999_999, CARE),
        line("Retour", -1_000, 5, FRANCHISE),
        line("\u{feff}\u{200b}Zero", 0, 0, CARE),
    ];
    document.words =
        Some("# Titre\n\n[[totals]] et suite\n\n|a|b|\n|-|-|\n|1|2|\n\n](javascript:alert(1))".to_owned());
    document.shares = None;
    total(&mut document, 0);
    document
}

/// All named ones.
pub(crate) fn named() -> [(&'static str, Document); 7] {
    [
        ("short", short()),
        ("long", long()),
        ("company", company()),
        ("credit-note", credit_note()),
        ("quote", quote()),
        ("english", english()),
        ("hostile", hostile()),
    ]
}
