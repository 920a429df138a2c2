//! The fixed words of documents, French and English.

use permanence_domain::billing::{DocumentKind, VatCategory};
use permanence_domain::field::Language;

/// What a document says besides what it is told.
pub(super) struct Words {
    pub invoice: &'static str,
    pub credit_note: &'static str,
    pub quote: &'static str,
    pub issued: &'static str,
    pub supplied: &'static str,
    pub due: &'static str,
    pub valid_until: &'static str,
    pub buyer_reference: &'static str,
    pub buyer_siren: &'static str,
    pub buyer_vat_id: &'static str,
    pub seller_vat_id: &'static str,
    /// Before and after the number of the invoice.
    pub credits: (&'static str, &'static str),
    pub description: &'static str,
    pub quantity: &'static str,
    pub price: &'static str,
    pub price_net: &'static str,
    pub discount: &'static str,
    pub vat: &'static str,
    pub amount: &'static str,
    pub amount_net: &'static str,
    pub exempt: &'static str,
    pub subtotal: &'static str,
    pub total_net: &'static str,
    pub total_gross: &'static str,
    pub total: &'static str,
    pub paid: &'static str,
    pub to_pay: &'static str,
    pub settled: &'static str,
    pub credited: &'static str,
    pub vat_rate: &'static str,
    pub vat_basis: &'static str,
    pub vat_tax: &'static str,
    pub patient_share: &'static str,
    pub insurer_share: &'static str,
    pub payment: &'static str,
    pub pay_until: &'static str,
    pub reference: &'static str,
    pub care: &'static str,
    pub franchise: &'static str,
    pub late_penalty: &'static str,
    pub indemnity: &'static str,
    pub no_early_discount: &'static str,
    pub agreed: &'static str,
    pub agreed_hint: &'static str,
    pub agreed_date: &'static str,
    pub agreed_signature: &'static str,
    pub page: &'static str,
    pub colon: &'static str,
}

/// The words of a language.
pub(super) fn of(language: Language) -> &'static Words {
    match language {
        Language::Fr => &FRENCH,
        Language::En => &ENGLISH,
    }
}

impl Words {
    /// What kind of paper it is.
    pub(super) fn kind(&self, kind: DocumentKind) -> &'static str {
        match kind {
            DocumentKind::Invoice => self.invoice,
            DocumentKind::CreditNote => self.credit_note,
            DocumentKind::Quote => self.quote,
        }
    }

    /// Why no VAT is due (CGI ann. II 242 nonies A, I 12°).
    pub(super) fn exemption(&self, category: VatCategory) -> Option<&'static str> {
        match category {
            VatCategory::Standard => None,
            VatCategory::Care => Some(self.care),
            VatCategory::Franchise => Some(self.franchise),
        }
    }
}

static FRENCH: Words = Words {
    invoice: "Facture",
    credit_note: "Avoir",
    quote: "Devis",
    issued: "Date d’émission",
    supplied: "Date de prestation",
    due: "Échéance",
    valid_until: "Valable jusqu’au",
    buyer_reference: "Votre référence",
    buyer_siren: "SIREN du client",
    buyer_vat_id: "N° de TVA du client",
    seller_vat_id: "N° de TVA",
    credits: ("Annule tout ou partie de la facture", "du"),
    description: "Désignation",
    quantity: "Quantité",
    price: "Prix unitaire",
    price_net: "Prix unitaire HT",
    discount: "Remise",
    vat: "TVA",
    amount: "Montant",
    amount_net: "Montant HT",
    exempt: "Exonéré",
    subtotal: "Sous-total",
    total_net: "Total HT",
    total_gross: "Total TTC",
    total: "Total",
    paid: "Déjà réglé",
    to_pay: "Net à payer",
    settled: "Facture acquittée",
    credited: "Net en votre faveur",
    vat_rate: "Taux de TVA",
    vat_basis: "Base HT",
    vat_tax: "TVA",
    patient_share: "Part du patient",
    insurer_share: "Part de la complémentaire",
    payment: "Règlement",
    pay_until: "À régler au plus tard le",
    reference: "Référence à rappeler",
    care: "Exonéré de TVA, art. 261-4-1° du CGI",
    franchise: "TVA non applicable, art. 293 B du CGI",
    late_penalty: "Pénalités de retard exigibles sans rappel : taux d’intérêt appliqué par la Banque centrale européenne \
                   à son opération de refinancement la plus récente, majoré de 10 points de pourcentage.",
    indemnity: "Indemnité forfaitaire pour frais de recouvrement en cas de retard de paiement : 40 €.",
    no_early_discount: "Pas d’escompte pour paiement anticipé.",
    agreed: "Bon pour accord",
    agreed_hint: "Devis reçu avant l’exécution des prestations",
    agreed_date: "Date",
    agreed_signature: "Nom et signature",
    page: "page",
    colon: "\u{a0}:",
};

static ENGLISH: Words = Words {
    invoice: "Invoice",
    credit_note: "Credit note",
    quote: "Quote",
    issued: "Issue date",
    supplied: "Date of supply",
    due: "Due date",
    valid_until: "Valid until",
    buyer_reference: "Your reference",
    buyer_siren: "Customer SIREN",
    buyer_vat_id: "Customer VAT number",
    seller_vat_id: "VAT number",
    credits: ("Credits all or part of invoice", "of"),
    description: "Description",
    quantity: "Quantity",
    price: "Unit price",
    price_net: "Unit price excl.\u{a0}VAT",
    discount: "Discount",
    vat: "VAT",
    amount: "Amount",
    amount_net: "Amount excl.\u{a0}VAT",
    exempt: "Exempt",
    subtotal: "Subtotal",
    total_net: "Total excl.\u{a0}VAT",
    total_gross: "Total incl.\u{a0}VAT",
    total: "Total",
    paid: "Already paid",
    to_pay: "Amount due",
    settled: "Paid in full",
    credited: "Amount in your favour",
    vat_rate: "VAT rate",
    vat_basis: "Taxable amount",
    vat_tax: "VAT",
    patient_share: "Patient’s share",
    insurer_share: "Complementary insurer’s share",
    payment: "Payment",
    pay_until: "To be paid by",
    reference: "Please quote",
    care: "Exempt from VAT, art. 261-4-1° of the French tax code (CGI)",
    franchise: "VAT not applicable, art. 293 B of the French tax code (CGI)",
    late_penalty: "Interest for late payment, due without reminder: the rate of the European Central Bank for its most \
                   recent refinancing operation plus 10 percentage points.",
    indemnity: "Fixed compensation for recovery costs in case of late payment: €40.",
    no_early_discount: "No discount for early payment.",
    agreed: "Agreed",
    agreed_hint: "Quote received before the services are performed",
    agreed_date: "Date",
    agreed_signature: "Name and signature",
    page: "page",
    colon: ":",
};
