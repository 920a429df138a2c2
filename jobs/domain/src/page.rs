//! Pages of lists: which one is asked for, and how it is answered.

use deserr::{Deserr, IntoValue, Value, ValuePointerRef};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::{
    error::{Error, Invalid, Problem},
    field::from_text,
};

/// Which page of a list. A query with more parameters repeats these two: the reader of queries flattens nothing.
#[derive(Debug, Clone, Copy, Default, Deserr, IntoParams)]
#[into_params(parameter_in = Query)]
#[deserr(error = Invalid, deny_unknown_fields)]
pub struct PageQuery {
    /// Number of the page, from 1.
    #[deserr(default)]
    #[param(value_type = Option<u32>, minimum = 1, example = 1)]
    pub page: Count<1, 100_000>,
    /// Rows on a page, 1 to 100.
    #[deserr(default)]
    #[param(value_type = Option<u32>, minimum = 1, maximum = 100, example = 50)]
    pub limit: Count<50, 100>,
}

impl PageQuery {
    /// Rows on the page.
    pub fn limit(self) -> i64 {
        i64::from(self.limit.0)
    }

    /// Rows before the page.
    pub fn offset(self) -> i64 {
        (i64::from(self.page.0) - 1) * self.limit()
    }
}

/// A whole number from `MIN` to `MAX`, written in a query string; `DEFAULT` where it is absent.
#[derive(Debug, Clone, Copy)]
pub struct Count<const DEFAULT: u32, const MAX: u32, const MIN: u32 = 1>(u32);

impl<const DEFAULT: u32, const MAX: u32, const MIN: u32> Count<DEFAULT, MAX, MIN> {
    /// The number.
    pub fn get(self) -> i64 {
        i64::from(self.0)
    }
}

impl<const DEFAULT: u32, const MAX: u32, const MIN: u32> Default for Count<DEFAULT, MAX, MIN> {
    fn default() -> Self {
        Self(DEFAULT)
    }
}

impl<const DEFAULT: u32, const MAX: u32, const MIN: u32> Deserr<Invalid> for Count<DEFAULT, MAX, MIN> {
    fn deserialize_from_value<V: IntoValue>(
        value: Value<V>,
        location: ValuePointerRef<'_>,
    ) -> Result<Self, Invalid> {
        from_text(value, location, |text| {
            text.parse().ok().filter(|count| (MIN..=MAX).contains(count)).map(Self).ok_or_else(|| {
                Problem::new("", "not_a_count", format!("a whole number from {MIN} to {MAX}")).read(text)
            })
        })
    }
}

/// One page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct Page<T> {
    /// The rows of this page.
    pub items: Vec<T>,
    /// Its number, from 1.
    pub page: u32,
    /// Rows on a full page.
    pub limit: u32,
    /// Rows in all.
    pub total: i64,
}

impl<T> Page<T> {
    /// The page that was asked for.
    pub fn new(items: Vec<T>, query: PageQuery, total: i64) -> Self {
        Self { items, page: query.page.0, limit: query.limit.0, total }
    }

    /// The same page of something made of its rows.
    pub fn map<U>(self, make: impl FnMut(T) -> U) -> Page<U> {
        let items = self.items.into_iter().map(make).collect();
        Page { items, page: self.page, limit: self.limit, total: self.total }
    }
}

/// One page of a list that grows for ever: by its number, or from a row on, which costs the same however deep it is.
#[derive(Debug, Serialize, ToSchema)]
pub struct Listing<T> {
    /// The rows of this page.
    pub items: Vec<T>,
    /// Rows on a full page.
    pub limit: u32,
    /// Its number, from 1; absent where the page was asked for by `before`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page: Option<u32>,
    /// Rows in all; absent where the page was asked for by `before`, for then none are counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<i64>,
    /// Give it as `before` for the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<Uuid>,
}

impl<T> Listing<T> {
    /// The page that was asked for: by its number where the rows were counted.
    pub fn new(items: Vec<T>, query: PageQuery, total: Option<i64>, id: impl Fn(&T) -> Uuid) -> Self {
        let full = i64::try_from(items.len()).is_ok_and(|count| count == query.limit());
        let next = items.last().filter(|_| full).map(id);
        Self { items, limit: query.limit.0, page: total.map(|_| query.page.0), total, next }
    }
}

/// A page has a number or a row that it follows, not both.
pub fn one_way<I>(before: Option<I>, page: PageQuery) -> Result<Option<I>, Error> {
    if before.is_some() && page.offset() > 0 {
        return Err(Error::invalid("page", "not_with_before", "a number or `before`, not both"));
    }
    Ok(before)
}

/// A yes or no, written `true` or `false` in a query string; `false` where it is absent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Flag(pub bool);

impl Deserr<Invalid> for Flag {
    fn deserialize_from_value<V: IntoValue>(
        value: Value<V>,
        location: ValuePointerRef<'_>,
    ) -> Result<Self, Invalid> {
        from_text(value, location, |text| {
            text.parse().map(Self).map_err(|_| Problem::new("", "unknown_value", "true or false").read(text))
        })
    }
}
