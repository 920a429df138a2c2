//! Amounts and quantities as whole numbers. Never a binary fraction.

use std::{
    iter::Sum,
    ops::{Add, AddAssign, Neg, Sub, SubAssign},
};

use deserr::{Deserr, IntoValue, Value, ValuePointerRef};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    error::{Invalid, Problem},
    field::at,
};

/// An amount of money, euro cents.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Serialize,
    Deserialize,
    sqlx::Type,
    ToSchema,
)]
#[serde(transparent)]
#[sqlx(transparent)]
#[schema(value_type = i64, example = 6000)]
pub struct Cents(pub i64);

impl Cents {
    /// Nothing.
    pub const ZERO: Self = Self(0);
}

impl Add for Cents {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl AddAssign for Cents {
    fn add_assign(&mut self, other: Self) {
        self.0 += other.0;
    }
}

impl Sub for Cents {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }
}

impl SubAssign for Cents {
    fn sub_assign(&mut self, other: Self) {
        self.0 -= other.0;
    }
}

impl Neg for Cents {
    type Output = Self;

    fn neg(self) -> Self {
        Self(-self.0)
    }
}

impl Sum for Cents {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        Self(amounts.map(|amount| amount.0).sum())
    }
}

/// How much of something, thousandths of its unit: `1500` is 1.5 hours.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, sqlx::Type, ToSchema,
)]
#[serde(transparent)]
#[sqlx(transparent)]
#[schema(value_type = i64, example = 1000)]
pub struct Quantity(pub i64);

/// Largest quantity: a million of a unit.
const MOST: i64 = 1_000_000_000;

impl Default for Quantity {
    /// One.
    fn default() -> Self {
        Self(1000)
    }
}

impl Deserr<Invalid> for Quantity {
    fn deserialize_from_value<V: IntoValue>(
        value: Value<V>,
        location: ValuePointerRef<'_>,
    ) -> Result<Self, Invalid> {
        let number = <i64 as Deserr<Invalid>>::deserialize_from_value(value, location)?;
        if (1..=MOST).contains(&number) {
            return Ok(Self(number));
        }
        let expected = format!("thousandths of the unit, from 1 to {MOST}");
        Err(at(location, Problem::new("", "not_a_quantity", expected).read(number)))
    }
}

/// An amount of a request, euro cents from `MIN` to `MAX`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Money<const MIN: i64, const MAX: i64>(Cents);

impl<const MIN: i64, const MAX: i64> Money<MIN, MAX> {
    /// The amount.
    pub fn get(self) -> Cents {
        self.0
    }
}

impl<const MIN: i64, const MAX: i64> TryFrom<i64> for Money<MIN, MAX> {
    type Error = Problem;

    fn try_from(number: i64) -> Result<Self, Problem> {
        if (MIN..=MAX).contains(&number) {
            return Ok(Self(Cents(number)));
        }
        let expected = format!("whole euro cents, from {MIN} to {MAX}");
        Err(Problem::new("", "not_an_amount", expected).read(number))
    }
}

impl<const MIN: i64, const MAX: i64> Deserr<Invalid> for Money<MIN, MAX> {
    fn deserialize_from_value<V: IntoValue>(
        value: Value<V>,
        location: ValuePointerRef<'_>,
    ) -> Result<Self, Invalid> {
        let number = <i64 as Deserr<Invalid>>::deserialize_from_value(value, location)?;
        Self::try_from(number).map_err(|problem| at(location, problem))
    }
}

/// Price of one, before VAT: up to a million euros.
pub type Price = Money<0, 100_000_000>;
/// A part of what is invoiced: up to a billion euros.
pub type Part = Money<0, 100_000_000_000>;
/// What is paid or given back: more than nothing.
pub type Paid = Money<1, 100_000_000_000>;
