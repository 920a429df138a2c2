//! Which column of a file holds what: by the mapping that came with it, else by the usual names in French and English.

use deserr::{Deserr, IntoValue, Value, ValuePointerRef};
use serde::{Deserialize, Serialize};

use super::{
    ImportMode,
    names::{Column, NAMES, fold},
    report::{Fault, FoundColumn},
};
use crate::{
    error::{Invalid, Problem, field_at},
    field::Label,
};

/// Which header names a column, where the usual names do not serve.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Mapping(Vec<(Column, String)>);

/// The same, as it is written.
#[derive(Debug, Deserr)]
#[deserr(error = Invalid, deny_unknown_fields)]
struct Written {
    #[deserr(default)]
    reference: Option<Label>,
    #[deserr(default)]
    name: Option<Label>,
    #[deserr(default)]
    quantity: Option<Label>,
    #[deserr(default)]
    unit: Option<Label>,
    #[deserr(default)]
    price: Option<Label>,
    #[deserr(default)]
    supplier: Option<Label>,
    #[deserr(default)]
    location: Option<Label>,
    #[deserr(default)]
    threshold: Option<Label>,
    #[deserr(default)]
    lot: Option<Label>,
    #[deserr(default)]
    expiry: Option<Label>,
}

impl From<Written> for Mapping {
    fn from(written: Written) -> Self {
        let pairs = [
            (Column::Reference, written.reference),
            (Column::Name, written.name),
            (Column::Quantity, written.quantity),
            (Column::Unit, written.unit),
            (Column::Price, written.price),
            (Column::Supplier, written.supplier),
            (Column::Location, written.location),
            (Column::Threshold, written.threshold),
            (Column::Lot, written.lot),
            (Column::Expiry, written.expiry),
        ];
        let named =
            pairs.into_iter().filter_map(|(column, header)| Some((column, header?.as_str().to_owned())));
        Self(named.collect())
    }
}

/// Written as JSON in one parameter of a query: `{"reference": "Code fabricant"}`.
impl Deserr<Invalid> for Mapping {
    fn deserialize_from_value<V: IntoValue>(
        value: Value<V>,
        location: ValuePointerRef<'_>,
    ) -> Result<Self, Invalid> {
        let text = <String as Deserr<Invalid>>::deserialize_from_value(value, location)?;
        let field = field_at(location);
        let json: serde_json::Value = serde_json::from_str(&text).map_err(|_| {
            let expected = "an object of JSON such as {\"reference\": \"Code\"}";
            Invalid(vec![Problem::new(&field, "malformed", expected).read(&text)])
        })?;
        let written = deserr::deserialize::<Written, _, Invalid>(json).map_err(|Invalid(problems)| {
            let inside =
                |problem: Problem| Problem { field: format!("{field}.{}", problem.field), ..problem };
            Invalid(problems.into_iter().map(inside).collect())
        })?;
        Ok(written.into())
    }
}

/// The columns of a file: what each holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Columns {
    /// The headers, in the file's order.
    pub(super) headers: Vec<String>,
    held: Vec<Option<Column>>,
}

impl Columns {
    /// Reads the first line of a file.
    pub(super) fn of(headers: &[&str], mapping: &Mapping) -> Self {
        let folded: Vec<String> = headers.iter().map(|header| fold(header)).collect();
        let named = |header: &str| {
            let chosen = mapping.0.iter().find(|(_, name)| fold(name) == header).map(|(column, _)| *column);
            let taken = |column: &Column| mapping.0.iter().any(|(other, _)| other == column);
            let usual = || {
                NAMES
                    .iter()
                    .find(|(column, names)| names.contains(&header) && !taken(column))
                    .map(|(c, _)| *c)
            };
            chosen.or_else(usual)
        };
        Self {
            headers: headers.iter().map(|header| (*header).to_owned()).collect(),
            held: folded.iter().map(|header| named(header)).collect(),
        }
    }

    /// How many columns hold something known.
    pub(super) fn known(&self) -> usize {
        self.held.iter().flatten().count()
    }

    /// Where a column is, from 0.
    pub(super) fn place(&self, column: Column) -> Option<usize> {
        self.held.iter().position(|held| *held == Some(column))
    }

    /// What is wrong with the first line itself.
    pub(super) fn faults(&self, mode: ImportMode, line: u64) -> Vec<Fault> {
        let mut faults = Vec::new();
        for (column, names) in NAMES {
            let places: Vec<usize> =
                (0..self.held.len()).filter(|place| self.held[*place] == Some(column)).collect();
            if places.is_empty() && column.needed(mode) {
                let expected = format!("a column with the {}, named such as {}", column.name(), names[0]);
                faults.push(Fault::of_line(line, "missing_column", expected));
            }
            for place in places.iter().skip(1) {
                let expected = format!("one column with the {}; the mapping says which", column.name());
                let fault = Fault::of_line(line, "repeated_column", expected);
                faults.push(fault.at(*place, &self.headers[*place]).read(&self.headers[*place]));
            }
        }
        faults
    }

    /// The columns as the report tells them.
    pub(super) fn found(&self) -> Vec<FoundColumn> {
        let columns = self.headers.iter().zip(&self.held);
        columns.map(|(header, held)| FoundColumn { header: header.clone(), field: *held }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(headers: &[&str], mapping: &Mapping) -> Vec<Option<Column>> {
        Columns::of(headers, mapping).held
    }

    #[test]
    fn the_usual_names_are_known_in_french_and_english() {
        let french = [
            "Référence",
            "DÉSIGNATION",
            "Qté",
            "Unité",
            "P.U. HT",
            "Fournisseur",
            "Emplacement",
            "Seuil d’alerte",
            "N° de lot",
            "Date de péremption",
        ];
        let english = [
            "SKU",
            "Item",
            "Quantity",
            "Unit",
            "Unit price",
            "Supplier",
            "Location",
            "Threshold",
            "Batch number",
            "Expiry_Date",
        ];
        let all: Vec<_> = NAMES.iter().map(|(column, _)| Some(*column)).collect();
        assert_eq!(held(&french, &Mapping::default()), all);
        assert_eq!(held(&english, &Mapping::default()), all);
        assert_eq!(
            held(&["De\u{301}signation", "Couleur", ""], &Mapping::default()),
            [Some(Column::Name), None, None]
        );
    }

    #[test]
    fn the_mapping_comes_first() {
        let mapping = Mapping(vec![(Column::Reference, "Code fabricant".to_owned())]);
        let held = held(&["Référence", "CODE FABRICANT", "Nom"], &mapping);
        assert_eq!(held, [None, Some(Column::Reference), Some(Column::Name)]);
    }

    #[test]
    fn what_is_missing_or_twice_there_is_told() {
        let columns = Columns::of(&["Réf.", "Code", "Stock"], &Mapping::default());
        let codes: Vec<_> =
            columns.faults(ImportMode::Count, 1).iter().map(|f| (f.code.clone(), f.column)).collect();
        assert_eq!(codes, [("repeated_column".into(), Some(2)), ("missing_column".into(), None)]);
    }

    #[test]
    fn each_name_stands_for_one_column_and_is_folded() {
        let mut names: Vec<&str> = NAMES.iter().flat_map(|(_, names)| names.iter().copied()).collect();
        assert!(names.iter().all(|name| fold(name) == *name));
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
