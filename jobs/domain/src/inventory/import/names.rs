//! What the columns of a supplier's file hold, and the names that they usually have in French and English.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::ImportMode;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Column {
    /// The reference, by which items are found.
    Reference,
    /// What the item is.
    Name,
    /// How much was delivered or counted.
    Quantity,
    /// What it is counted in.
    Unit,
    /// Of one unit before tax.
    Price,
    /// Whom it is bought from.
    Supplier,
    /// Where it lies.
    Location,
    /// Below it there is too little.
    Threshold,
    /// The number of the lot.
    Lot,
    /// The last day on which the lot may be used.
    Expiry,
}

/// Every column, in the order in which a line is checked, with the usual names, folded.
pub(super) const NAMES: [(Column, &[&str]); 10] = [
    (
        Column::Reference,
        &[
            "reference",
            "ref",
            "code",
            "sku",
            "code article",
            "code produit",
            "reference article",
            "reference produit",
            "reference fournisseur",
            "ref article",
            "ref produit",
            "ref fournisseur",
            "item code",
            "product code",
            "item number",
            "part number",
        ],
    ),
    (
        Column::Name,
        &[
            "designation",
            "libelle",
            "nom",
            "produit",
            "article",
            "intitule",
            "name",
            "description",
            "product",
            "item",
        ],
    ),
    (
        Column::Quantity,
        &[
            "quantite",
            "qte",
            "quantites",
            "quantite livree",
            "quantite recue",
            "qte livree",
            "qte recue",
            "nombre",
            "stock",
            "en stock",
            "quantity",
            "qty",
            "on hand",
        ],
    ),
    (Column::Unit, &["unite", "unite de mesure", "conditionnement", "unit", "uom"]),
    (
        Column::Price,
        &[
            "prix",
            "prix unitaire",
            "prix ht",
            "prix unitaire ht",
            "pu",
            "pu ht",
            "puht",
            "tarif",
            "price",
            "unit price",
        ],
    ),
    (Column::Supplier, &["fournisseur", "marque", "supplier", "vendor"]),
    (Column::Location, &["emplacement", "lieu", "rangement", "location", "place"]),
    (
        Column::Threshold,
        &[
            "seuil",
            "seuil alerte",
            "seuil d alerte",
            "stock minimum",
            "stock mini",
            "minimum",
            "threshold",
            "reorder level",
            "minimum stock",
        ],
    ),
    (
        Column::Lot,
        &[
            "lot",
            "numero de lot",
            "numero lot",
            "n lot",
            "n de lot",
            "no lot",
            "batch",
            "lot number",
            "batch number",
        ],
    ),
    (
        Column::Expiry,
        &[
            "peremption",
            "date de peremption",
            "date peremption",
            "expiration",
            "date d expiration",
            "date expiration",
            "dlc",
            "dluo",
            "ddm",
            "expiry",
            "expiry date",
            "expiration date",
            "expires",
            "expires on",
            "best before",
            "use by",
        ],
    ),
];

impl Column {
    /// The word for it, as in the mapping and the report.
    pub fn name(self) -> &'static str {
        match self {
            Self::Reference => "reference",
            Self::Name => "name",
            Self::Quantity => "quantity",
            Self::Unit => "unit",
            Self::Price => "price",
            Self::Supplier => "supplier",
            Self::Location => "location",
            Self::Threshold => "threshold",
            Self::Lot => "lot",
            Self::Expiry => "expiry",
        }
    }

    pub(super) fn needed(self, mode: ImportMode) -> bool {
        matches!(self, Self::Reference | Self::Name)
            || (self == Self::Quantity && mode != ImportMode::Describe)
    }
}

/// A header without case, accents and punctuation: « N° de lot » is `n de lot`.
pub(super) fn fold(header: &str) -> String {
    let mut folded = String::with_capacity(header.len());
    for letter in header.chars().flat_map(char::to_lowercase) {
        match letter {
            'à' | 'â' | 'ä' => folded.push('a'),
            'é' | 'è' | 'ê' | 'ë' => folded.push('e'),
            'î' | 'ï' => folded.push('i'),
            'ô' | 'ö' => folded.push('o'),
            'ù' | 'û' | 'ü' => folded.push('u'),
            'ç' => folded.push('c'),
            'œ' => folded.push_str("oe"),
            // A combining accent, or a sign that stands within a word: n°, P.U.
            '\u{300}'..='\u{36f}' | '.' | '°' | 'º' => {}
            letter if letter.is_alphanumeric() => folded.push(letter),
            _ => folded.push(' '),
        }
    }
    folded.split_whitespace().collect::<Vec<_>>().join(" ")
}
