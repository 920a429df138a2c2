//! The certificate of an erasure on paper: what the JSON states, for whoever asked. It names nobody.

use chrono::{DateTime, Utc};
use permanence_domain::{field::Language, privacy::SignedCertificate};

use crate::{
    billing::date,
    paper::{
        Align, Archive, Block, Cell, Colour, Column, Face, Flow, Fonts, Frame, PaperError, Rules, Span,
        Style, Table, mm, one_line, wrap,
    },
};

const INK: Colour = Colour(27, 31, 35);
const MUTED: Colour = Colour(92, 103, 112);
const ACCENT: Colour = Colour(18, 88, 99);
const HAIRLINE: Colour = Colour(212, 219, 223);
const MARGIN: f32 = 20.0;

struct Words {
    title: &'static str,
    /// Of a patient, and of an account.
    intro: [&'static str; 2],
    /// Where it was erased: in a practice, or on the whole platform; and what.
    place: [[&'static str; 2]; 2],
    facts: [&'static str; 4],
    destroyed: [&'static str; 4],
    kept: [&'static str; 5],
    unnamed: &'static str,
    proof: &'static str,
    /// In a practice, or on the whole platform.
    searched: [&'static str; 2],
    read: &'static str,
    check: &'static str,
}

const FRENCH: Words = Words {
    title: "Certificat d’effacement",
    intro: [
        "Les données personnelles du dossier désigné ci-dessous ont été effacées (RGPD, article 17).",
        "Le compte désigné ci-dessous et les données personnelles qui s’y rattachent ont été effacés (RGPD, article 17).",
    ],
    place: [["Cabinet", "Dossier"], ["Plateforme", "Compte"]],
    facts: ["Effacement", "Demandé le", "Effacé le", "Certifié le"],
    destroyed: ["Ce qui a été détruit", "Quoi", "Nombre", "Comment"],
    kept: ["Ce que la loi conserve", "Quoi", "Nombre", "Texte", "Jusqu’au"],
    unnamed: "sans nom",
    proof: "Preuve",
    searched: [
        "Après l’effacement, toutes les lignes et tous les objets du cabinet ont été relus ; aucun identifiant de la \
         personne n’y a été trouvé.",
        "Après l’effacement, toutes les lignes de la plateforme ont été relues, et tous les objets de ceux dont la personne \
         était membre ; aucun de ses identifiants n’y a été trouvé.",
    ],
    read: "Tables, lignes et objets relus :",
    check: "Ce papier reproduit un certificat signé (Ed25519), que l’on vérifie sans la plateforme : \
            permanence privacy verify certificat.json. Clé publique et signature :",
};

const ENGLISH: Words = Words {
    title: "Certificate of erasure",
    intro: [
        "The personal data of the file named below were erased (GDPR, article 17).",
        "The account named below and the personal data that belong to it were erased (GDPR, article 17).",
    ],
    place: [["Practice", "File"], ["Platform", "Account"]],
    facts: ["Erasure", "Asked for", "Erased", "Certified"],
    destroyed: ["What was destroyed", "What", "Count", "How"],
    kept: ["What the law keeps", "What", "Count", "Law", "Until"],
    unnamed: "without a name",
    proof: "Proof",
    searched: [
        "After the erasure every row and every object of the practice was read again; no identifier of the person was \
         found.",
        "After the erasure every row of the platform was read again, and every object of those that the person was a member \
         of; none of their identifiers was found.",
    ],
    read: "Tables, rows and objects read:",
    check: "This paper shows a signed certificate (Ed25519), which is checked without the platform: \
            permanence privacy verify certificate.json. Public key and signature:",
};

/// Stable names, in French and in English.
const NAMES: [(&str, &str, &str); 36] = [
    ("patients", "fiche du patient", "patient’s file"),
    ("patient_consents", "historique des consentements", "history of consents"),
    ("patient_links", "liens envoyés", "links that were sent"),
    ("unreachable_addresses", "adresses injoignables", "unreachable addresses"),
    ("appointments", "rendez-vous", "appointments"),
    ("messages", "messages envoyés", "messages that were sent"),
    ("invoices", "factures et avoirs", "invoices and credit notes"),
    ("quotes", "devis", "quotes"),
    ("payments", "paiements", "payments"),
    ("medical_records", "dossier médical", "medical records"),
    ("images", "photographies", "pictures"),
    ("identity", "identité, sous scellés", "identity, under seal"),
    ("exports", "exports", "exports"),
    ("objects/invoices", "fichiers PDF", "PDF files"),
    ("subject_keys", "clés de chiffrement", "encryption keys"),
    ("deleted", "supprimé", "deleted"),
    ("emptied", "vidé de tout élément personnel", "emptied of all that is personal"),
    ("removed", "retiré du stockage", "removed from the store"),
    ("key_destroyed", "détruit", "destroyed"),
    ("files", "fichiers", "files"),
    ("written_records", "notes cliniques écrites", "clinical notes written"),
    ("written_invoices", "factures émises pour ses actes", "invoices issued for their care"),
    ("author", "identité du praticien, sous scellés", "practitioner’s identity, under seal"),
    ("consultations", "consultations", "consultations"),
    ("audit_log", "journal d’audit", "audit trail"),
    ("users", "compte", "account"),
    ("memberships", "appartenances", "memberships"),
    ("sessions", "connexions", "sessions"),
    ("invitations", "invitations", "invitations"),
    ("account_mails", "courriels du compte", "mails about the account"),
    ("employees", "fiche du salarié", "employee’s file"),
    ("practitioners", "fiche du praticien", "practitioner’s file"),
    ("availability_entries", "disponibilités", "availability"),
    ("notifications", "notifications", "notifications"),
    ("idempotency_keys", "réponses gardées", "stored answers"),
    ("inventory_subscriptions", "alertes de stock", "stock alerts"),
];

struct Sheet {
    fonts: &'static Fonts,
    words: &'static Words,
    language: Language,
    frame: Frame,
    flow: Flow,
}

/// Draws a certificate as PDF/A-3b.
pub(super) fn render(signed: &SignedCertificate, language: Language) -> Result<Vec<u8>, PaperError> {
    let frame = Frame {
        left: mm(MARGIN),
        width: mm(210.0 - 2.0 * MARGIN),
        top: mm(20.0),
        top_after: mm(20.0),
        bottom: mm(297.0 - 21.0),
    };
    let words = match language {
        Language::Fr => &FRENCH,
        Language::En => &ENGLISH,
    };
    let flow = Flow::new(frame, Block::default());
    let mut sheet = Sheet { fonts: Fonts::shared()?, words, language, frame, flow };
    sheet.head(signed);
    sheet.lists(signed);
    sheet.proof(signed);
    let (style, page) = (sheet.style(Face::Regular, 7.5, MUTED), sheet.words.title);
    let pages = sheet.flow.finish(|number, count| {
        let mut block = Block::default();
        let line = wrap(&[Span::new(format!("{page} · {number}/{count}"), style)], frame.width);
        block.lines(&line, frame.left, mm(297.0 - 14.0), frame.width, Align::Right);
        block.into_marks()
    });
    let archive = Archive {
        title: format!("{} {}", words.title, signed.certificate.erasure_id),
        author: one_line(&signed.certificate.tenant_name),
        language: language.tag(),
        day: signed.certificate.certified_at.date_naive(),
        attachment: None,
    };
    archive.write(&pages)
}

impl Sheet {
    fn style(&self, face: Face, size: f32, colour: Colour) -> Style {
        self.fonts.style(face, size, colour)
    }

    fn cell(&self, text: &str, face: Face, colour: Colour, width: f32) -> Cell {
        wrap(&[Span::new(one_line(text), self.style(face, 9.0, colour))], width)
    }

    /// The word of a table or of what was done, for people; one that has none stands as it is.
    fn name(&self, stable: &str) -> String {
        let known = NAMES.iter().find(|(name, ..)| *name == stable);
        let word = known.map(|(_, french, english)| match self.language {
            Language::Fr => *french,
            Language::En => *english,
        });
        word.unwrap_or(stable).to_owned()
    }

    fn text(&mut self, text: &str, face: Face, size: f32, colour: Colour) {
        let lines = wrap(&[Span::new(text, self.style(face, size, colour))], self.frame.width);
        self.flow.lines(&lines, 0.0);
    }

    fn heading(&mut self, text: &str) {
        self.flow.gap(16.0);
        self.flow.need(60.0);
        self.text(text, Face::Bold, 12.0, ACCENT);
        self.flow.gap(4.0);
    }

    fn moment(&self, at: DateTime<Utc>) -> String {
        format!("{}, {} UTC", date(at.date_naive(), self.language), at.format("%H:%M"))
    }

    fn head(&mut self, signed: &SignedCertificate) {
        let stated = &signed.certificate;
        self.text(self.words.title, Face::Bold, 24.0, ACCENT);
        self.flow.gap(8.0);
        let kind = usize::from(stated.tenant_id.is_nil());
        self.text(self.words.intro[kind], Face::Regular, 10.5, INK);
        self.flow.gap(8.0);
        let values = [
            stated.tenant_name.clone(),
            stated.subject_id.to_string(),
            stated.erasure_id.to_string(),
            self.moment(stated.requested_at),
            self.moment(stated.erased_at),
            self.moment(stated.certified_at),
        ];
        let rows: Vec<[String; 2]> = self.words.place[kind]
            .iter()
            .chain(&self.words.facts)
            .zip(values)
            .map(|(fact, value)| [(*fact).to_owned(), value])
            .collect();
        self.table(&[], &[40.0, 130.0], &rows);
    }

    fn lists(&mut self, signed: &SignedCertificate) {
        let stated = &signed.certificate;
        let [title, head @ ..] = self.words.destroyed;
        self.heading(title);
        let rows: Vec<[String; 3]> = stated
            .destroyed
            .iter()
            .map(|gone| [self.name(&gone.what), gone.count.to_string(), self.name(&gone.how)])
            .collect();
        self.table(&head, &[90.0, 30.0, 50.0], &rows);
        if stated.kept.is_empty() {
            return;
        }
        let [title, head @ ..] = self.words.kept;
        self.heading(title);
        let until = |day: Option<chrono::NaiveDate>| {
            day.map_or_else(|| self.words.unnamed.to_owned(), |day| date(day, self.language))
        };
        let rows: Vec<[String; 4]> = stated
            .kept
            .iter()
            .map(|kept| [self.name(&kept.what), kept.count.to_string(), kept.law.clone(), until(kept.until)])
            .collect();
        self.table(&head, &[55.0, 20.0, 50.0, 45.0], &rows);
    }

    fn table<const N: usize>(&mut self, head: &[&str], widths: &[f32; N], rows: &[[String; N]]) {
        let mut columns: Vec<Column> =
            widths.iter().map(|width| Column { width: mm(*width), align: Align::Left }).collect();
        // The last has what is left, gaps taken off, so that all tables end where the page does.
        columns.pop();
        let width = Column::rest(self.frame.width, &columns);
        columns.push(Column { width, align: Align::Left });
        let table = Table {
            head: head
                .iter()
                .zip(widths)
                .map(|(text, width)| self.cell(text, Face::Bold, ACCENT, mm(*width)))
                .collect(),
            rows: rows
                .iter()
                .map(|row| {
                    row.iter()
                        .zip(widths)
                        .map(|(text, width)| self.cell(text, Face::Regular, INK, mm(*width)))
                        .collect()
                })
                .collect(),
            columns,
            rules: Rules { head: (0.8, ACCENT), row: (0.5, HAIRLINE), padding: 3.0 },
        };
        table.draw(&mut self.flow);
    }

    fn proof(&mut self, signed: &SignedCertificate) {
        let stated = &signed.certificate;
        self.heading(self.words.proof);
        let read =
            format!("{} · {} · {}", stated.tables_searched, stated.rows_searched, stated.objects_searched);
        let kind = usize::from(stated.tenant_id.is_nil());
        let searched = format!("{} {} {read}.", self.words.searched[kind], self.words.read);
        self.text(&searched, Face::Regular, 9.0, INK);
        self.flow.gap(6.0);
        self.text(self.words.check, Face::Regular, 9.0, INK);
        self.flow.gap(3.0);
        self.text(&signed.public_key, Face::Regular, 7.5, MUTED);
        // A signature has no space to break at.
        let (first, second) = signed.signature.split_at(signed.signature.len() / 2);
        self.text(first, Face::Regular, 7.5, MUTED);
        self.text(second, Face::Regular, 7.5, MUTED);
    }
}
