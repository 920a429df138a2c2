//! What can be exported: one file a kind, with its columns and its query. Money of a kind is integer cents, a day or a time
//! as Postgres writes it, anything else as it is.

mod accounting_entries;
mod appointments;
mod inventory;
mod invoices;
mod patients;
mod payments;

use deserr::Deserr;
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use utoipa::ToSchema;

use super::ExportFormat;
use crate::error::{Error, Result};

/// What an export is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserr, Serialize, Deserialize, ToSchema)]
#[deserr(rename_all = lowercase)]
#[serde(rename_all = "lowercase")]
pub enum ExportKind {
    /// The patients, in the order of their registration.
    Patients,
    /// The appointments, in the order of their begin, cancelled ones too.
    Appointments,
    /// The invoices and credit notes that were issued, in the order of their issue.
    Invoices,
    /// What was paid and given back, by its day.
    Payments,
    /// The stock, by name and lot.
    Inventory,
    /// The entries of a period as the tax administration wants them (FEC).
    #[deserr(rename = "accounting_entries")]
    #[serde(rename = "accounting_entries")]
    AccountingEntries,
}

impl ExportKind {
    /// Every kind.
    pub const ALL: [Self; 6] = [
        Self::Patients,
        Self::Appointments,
        Self::Invoices,
        Self::Payments,
        Self::Inventory,
        Self::AccountingEntries,
    ];

    /// Its columns, filters and rows.
    pub fn kind(self) -> &'static Kind {
        match self {
            Self::Patients => &patients::KIND,
            Self::Appointments => &appointments::KIND,
            Self::Invoices => &invoices::KIND,
            Self::Payments => &payments::KIND,
            Self::Inventory => &inventory::KIND,
            Self::AccountingEntries => &accounting_entries::KIND,
        }
    }

    /// The kind as it was kept.
    pub(super) fn named(name: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|kind| kind.kind().name == name);
        found.ok_or_else(|| Error::internal("an export of a kind that this version does not know"))
    }
}

/// What a column holds, which decides how it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    /// What people wrote: never taken for a formula.
    Text,
    /// Words and identifiers of our own.
    Code,
    /// A word of our own, with what it is called in French.
    Word(&'static [(&'static str, &'static str)]),
    /// A whole number.
    Number,
    /// An amount in cents.
    Cents,
    /// A quantity in thousandths.
    Thousandths,
    /// Yes or no.
    Bool,
    /// A calendar day.
    Day,
    /// A civil time, the same whatever the clocks.
    Civil,
    /// An instant.
    Instant,
}

/// One column of a file.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// Its name for programs.
    pub name: &'static str,
    /// Its heading in French.
    pub title: &'static str,
    /// What it holds.
    pub holds: Holds,
}

/// What there is to know of a kind.
#[derive(Debug)]
pub struct Kind {
    /// Its name, and its file's.
    pub name: &'static str,
    /// Its sheet's name in French.
    pub title: &'static str,
    /// What it can be written as.
    pub formats: &'static [ExportFormat],
    /// The filters that it takes.
    pub filters: &'static [&'static str],
    /// Its columns, in the order of the query's.
    pub columns: &'static [Column],
    /// The statement that reads the rows.
    pub copy: &'static str,
    count: fn(&mut PgConnection) -> BoxFuture<'_, sqlx::Result<i64>>,
}

impl Kind {
    /// Whether it is accounting entries, which the law says how to write.
    pub fn is_ledger(&self) -> bool {
        self.formats.contains(&ExportFormat::Txt)
    }

    /// How many rows there are within the filters of this transaction.
    pub(super) async fn count(&self, conn: &mut PgConnection) -> Result<i64> {
        Ok((self.count)(conn).await?)
    }
}

/// A kind from its parts. Its query is checked like any other, and sent as COPY, which takes less of a core than rows
/// that are decoded and written again.
macro_rules! kind {
    (
        name: $name:literal, title: $title:literal, formats: [$($format:ident),+], filters: $filters:expr,
        columns: [$($column:literal $heading:literal $holds:expr => $value:literal),+ $(,)?],
        from: $from:literal, order: $order:literal $(,)?
    ) => {
        pub(super) static KIND: $crate::exports::Kind = $crate::exports::Kind {
            name: $name,
            title: $title,
            formats: &[$($crate::exports::ExportFormat::$format),+],
            filters: &$filters,
            columns: &[$($crate::exports::Column { name: $column, title: $heading, holds: $holds }),+],
            copy: concat!(
                "COPY (SELECT ", $crate::exports::kinds::listed!($($value),+), " ", $from, " ORDER BY ", $order,
                ") TO STDOUT WITH (FORMAT csv)"
            ),
            count,
        };

        fn count(conn: &mut sqlx::PgConnection) -> futures::future::BoxFuture<'_, sqlx::Result<i64>> {
            Box::pin(async move {
                sqlx::query_scalar!("SELECT count(*) AS \"count!\" " + $from).fetch_one(conn).await
            })
        }

        // Never called: it has the compiler check the query, as it does every other.
        const _: fn() = || {
            drop(sqlx::query!(
                "SELECT " $(+ $value + " AS " + $column + ", ")+ + "true AS whole " + $from + " ORDER BY " + $order
            ));
        };
    };
}
use kind;

/// Literals with commas in between.
macro_rules! listed {
    ($first:literal $(, $rest:literal)*) => { concat!($first $(, ", ", $rest)*) };
}
use listed;
