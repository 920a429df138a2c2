//! What a part of a person's data is: where it comes from, what each of its fields is called and holds. An area adds one by a
//! file beside the others and a line in the list.

use futures::future::BoxFuture;
use serde_json::Value;

use crate::error::Result;

/// What a patient reads, in French and in English.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Words {
    /// In French.
    pub fr: &'static str,
    /// In English.
    pub en: &'static str,
}

/// What a field holds, which decides how a person reads it.
#[derive(Debug, Clone, Copy)]
pub enum Holds {
    /// What somebody wrote, or a word or number as it is.
    Text,
    /// A day, ISO 8601.
    Day,
    /// An instant, ISO 8601.
    Moment,
    /// Yes or no.
    Flag,
    /// Euro cents.
    Cents,
    /// A word of ours, with what it is called.
    Word(&'static [(&'static str, Words)]),
    /// A postal address.
    Address,
    /// Where a file is in the archive.
    File,
    /// Things of the same kind, each with these fields.
    List(&'static [Field]),
    /// What only a program needs: in the data, not on the page.
    Code,
}

/// A field of a row.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// Its name in the data.
    pub name: &'static str,
    /// What it is called on the page.
    pub label: Words,
    /// What it holds.
    pub holds: Holds,
}

/// What a section is.
#[derive(Debug)]
pub struct Shape {
    /// Its name in the data.
    pub name: &'static str,
    /// Its title on the page.
    pub title: Words,
    /// The tables that it tells all of, as far as the person goes.
    pub tables: &'static [&'static str],
    /// Its fields, in the order in which they are read.
    pub fields: &'static [Field],
}

/// How a section reads its rows, out of `R`.
pub(super) type Reader<R> = for<'a> fn(&'a mut R) -> BoxFuture<'a, Result<Vec<Value>>>;

/// A part of a person's data, read out of `R`.
pub struct Section<R: 'static> {
    /// What it is.
    pub shape: Shape,
    /// Its rows, in the order in which they are told.
    pub(super) read: Reader<R>,
}

/// Both languages of a word.
pub(super) const fn words(fr: &'static str, en: &'static str) -> Words {
    Words { fr, en }
}

/// A field.
pub(super) const fn field(name: &'static str, fr: &'static str, en: &'static str, holds: Holds) -> Field {
    Field { name, label: Words { fr, en }, holds }
}

/// A field that only programs read.
pub(super) const fn code(name: &'static str) -> Field {
    field(name, "", "", Holds::Code)
}
