//! The page that a person reads: self-contained, without a script, to be printed. Everything that somebody wrote is escaped.

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use permanence_domain::{
    access::{Field, Gathered, Holds, Shape, Whose, Words},
    billing::Cents,
    field::Language,
    notifications::content::dates::long,
};
use serde_json::Value;

use crate::billing::format::{date, euros};

/// More fields than this do not fit side by side on paper.
const COLUMNS: usize = 6;

/// In what language, by which clocks.
#[derive(Clone, Copy)]
struct Reader {
    language: Language,
    zone: Tz,
}

impl Reader {
    fn say(self, french: &'static str, english: &'static str) -> &'static str {
        self.word(Words { fr: french, en: english })
    }

    fn word(self, words: Words) -> &'static str {
        match self.language {
            Language::Fr => words.fr,
            Language::En => words.en,
        }
    }
}

/// The whole page.
pub(super) fn render(gathered: &Gathered) -> String {
    let reader = Reader { language: gathered.language, zone: gathered.controller.zone };
    let title = reader.say("Vos données personnelles", "Your personal data");
    let controller = &gathered.controller;
    let markup = html! {
        (DOCTYPE)
        html lang=(reader.language.tag()) {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="robots" content="noindex";
                title { (title) }
                style { (PreEscaped(include_str!("page.css"))) }
            }
            body { main {
                header {
                    h1 { (title) }
                    p { strong { (controller.name) }
                        @for line in [&controller.address, &controller.phone].into_iter().flatten() { br; (line) } }
                    p { (reader.say("État au ", "As of ")) (long(gathered.at, reader.zone, reader.language)) }
                }
                (rights(reader, gathered))
                nav { ul { @for (shape, rows) in &gathered.sections {
                    li { a href=(format!("#{}", shape.name)) { (reader.word(shape.title)) } " (" (rows.len()) ")" }
                } } }
                @for (shape, rows) in &gathered.sections { (section(reader, shape, rows)) }
                @if !gathered.files.is_empty() { section id="files" {
                    h2 { (reader.say("Documents joints", "Attached documents")) }
                    ul { @for file in &gathered.files {
                        li { a href=(file.path()) { (file.name) } }
                    } }
                } }
            } }
        }
    };
    markup.into_string()
}

/// What a person must be told besides the data (GDPR art. 15 (1)).
fn rights(reader: Reader, gathered: &Gathered) -> Markup {
    let told: &[Words] = match gathered.whose {
        Whose::Patient(_) => PATIENT_RIGHTS,
        Whose::User(_) => USER_RIGHTS,
    };
    html! { section class="rights" {
        h2 { (reader.say("À quoi servent ces données, et quels sont vos droits", "What these data are for, and your rights")) }
        ul { @for words in told { li { (reader.word(*words)) } } }
    } }
}

const fn words(fr: &'static str, en: &'static str) -> Words {
    Words { fr, en }
}

const PATIENT_RIGHTS: &[Words] = &[
    words(
        "Le cabinet utilise ces données pour vos soins, vos rendez-vous et leurs rappels, la facturation et le suivi du matériel utilisé.",
        "The practice uses these data for your care, your appointments and their reminders, invoicing and the tracing of what was used.",
    ),
    words(
        "Elles viennent de vous-même et des personnes qui vous soignent ou vous accueillent. Aucune décision n’est prise automatiquement à leur sujet.",
        "They come from yourself and from those who care for you or receive you. No decision is taken about you automatically.",
    ),
    words(
        "Elles sont lues par les membres du cabinet ; les prestataires qui acheminent SMS et courriels reçoivent votre numéro ou votre adresse et le message.",
        "They are read by the members of the practice; the providers that carry SMS and mails receive your number or address and the message.",
    ),
    words(
        "Le dossier médical est conservé vingt ans après vos derniers soins (Code de la santé publique, art. R1112-7), les factures dix ans (Code de commerce, art. L123-22).",
        "The medical record is kept for twenty years after your last care (French public health code, art. R1112-7), invoices for ten years (French commercial code, art. L123-22).",
    ),
    words(
        "Vous pouvez demander au cabinet de corriger ou d’effacer ce que la loi ne l’oblige pas à garder, d’en limiter l’usage, ou vous y opposer, et retirer vos consentements à tout moment.",
        "You may ask the practice to correct or erase what the law does not oblige it to keep, to restrict its use, or object to it, and withdraw your consents at any time.",
    ),
    words(
        "En cas de désaccord, vous pouvez saisir la CNIL (cnil.fr).",
        "If you disagree, you may turn to the supervisory authority, in France the CNIL (cnil.fr).",
    ),
    words(
        "Le fichier patient.fhir.json contient ces données au format FHIR R4, pour un autre cabinet ; data.json les contient toutes.",
        "The file patient.fhir.json holds these data as FHIR R4, for another practice; data.json holds all of them.",
    ),
];

const USER_RIGHTS: &[Words] = &[
    words(
        "Ces données servent à vous donner accès à la plateforme, à vous informer et à garder la trace de ce qui est fait, chez chacun de ceux dont vous êtes membre.",
        "These data serve to give you access to the platform, to inform you and to keep a trace of what is done, wherever you are a member.",
    ),
    words(
        "Ce que vous avez écrit au sujet de patients n’en fait pas partie : cela leur appartient.",
        "What you wrote about patients is not part of it: that is theirs.",
    ),
    words(
        "Vous pouvez les faire corriger ou effacer, dans les limites de la loi, et saisir la CNIL (cnil.fr).",
        "You may have them corrected or erased, within the limits of the law, and turn to the supervisory authority, in France the CNIL (cnil.fr).",
    ),
];

fn section(reader: Reader, shape: &Shape, rows: &[Value]) -> Markup {
    let fields: Vec<&Field> =
        shape.fields.iter().filter(|field| !matches!(field.holds, Holds::Code)).collect();
    let lists = fields.iter().any(|field| matches!(field.holds, Holds::List(_)));
    html! { section id=(shape.name) {
        h2 { (reader.word(shape.title)) }
        @if rows.is_empty() { p class="nothing" { (reader.say("Rien", "Nothing")) } }
        @else if lists || fields.len() > COLUMNS || rows.len() == 1 { @for row in rows { (card(reader, &fields, row)) } }
        @else { (table(reader, &fields, rows)) }
    } }
}

/// A row with its fields one below the other; those without a value are left out.
fn card(reader: Reader, fields: &[&Field], row: &Value) -> Markup {
    html! { dl { @for field in fields { @if !row[field.name].is_null() {
        dt { (reader.word(field.label)) }
        dd { (value(reader, field.holds, &row[field.name])) }
    } } } }
}

fn table(reader: Reader, fields: &[&Field], rows: &[Value]) -> Markup {
    html! { table {
        thead { tr { @for field in fields { th scope="col" { (reader.word(field.label)) } } } }
        tbody { @for row in rows { tr {
            @for field in fields { td { (value(reader, field.holds, &row[field.name])) } }
        } } }
    } }
}

/// A value as a person reads it; what cannot be read so stands as it is.
fn value(reader: Reader, holds: Holds, value: &Value) -> Markup {
    if value.is_null() {
        return html! {};
    }
    let plain = value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
    let shown = match holds {
        Holds::Text | Holds::Code => plain,
        Holds::Day => plain.parse::<NaiveDate>().map_or(plain, |day| date(day, reader.language)),
        Holds::Moment => {
            plain.parse::<DateTime<Utc>>().map_or(plain, |at| long(at, reader.zone, reader.language))
        }
        Holds::Flag if value == &Value::Bool(true) => reader.say("oui", "yes").to_owned(),
        Holds::Flag => reader.say("non", "no").to_owned(),
        Holds::Cents => value.as_i64().map_or(plain, |cents| euros(Cents(cents), reader.language)),
        Holds::Word(known) => known
            .iter()
            .find(|(word, _)| *word == plain)
            .map_or(plain, |(_, words)| reader.word(*words).to_owned()),
        Holds::Address => ["line", "complement", "postcode", "city", "country"]
            .iter()
            .filter_map(|part| value[*part].as_str())
            .collect::<Vec<_>>()
            .join(", "),
        Holds::File => return html! { a href=(plain) { (plain.trim_start_matches("files/")) } },
        Holds::List(fields) => {
            let fields: Vec<&Field> = fields.iter().collect();
            return table(reader, &fields, value.as_array().map_or(&[], Vec::as_slice));
        }
    };
    html! { (shown) }
}
