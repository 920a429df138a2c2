//! A dump as it comes: one object of JSON with an array a table, read record by record, so that memory does not grow with it.
//! Knows no rule of what is in a record.

use std::{fmt, io::Read};

use serde::{
    Deserializer,
    de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::Value;

use super::Table;

/// Something of a dump.
#[derive(Debug)]
pub enum Found {
    /// A table begins.
    Table(Table),
    /// A record of it, by its index.
    Record(Table, i64, Value),
    /// A key that names no table, though there are records in it.
    Unknown(String),
    /// It is no such dump: what is wrong, and where.
    Malformed(String),
}

/// Reads a dump; whoever takes what is found may refuse more. What is malformed is found last.
pub fn read_dump(source: impl Read, take: &mut dyn FnMut(Found) -> Result<(), Stopped>) {
    let mut reader = serde_json::Deserializer::from_reader(std::io::BufReader::new(source));
    let read = reader.deserialize_map(Whole { take });
    let ended = read.and_then(|()| reader.end());
    if let Err(error) = ended
        && !error.is_io()
        // The place is added to the word.
        && !error.to_string().starts_with(STOPPED)
    {
        // The words tell kinds and places, and values of texts at the most: those stay with us.
        let place = format!("line {}, column {}", error.line(), error.column());
        let _ = take(Found::Malformed(place));
    }
}

/// Whoever takes wants no more.
#[derive(Debug)]
pub struct Stopped;

const STOPPED: &str = "stopped";

struct Whole<'a> {
    take: &'a mut dyn FnMut(Found) -> Result<(), Stopped>,
}

impl<'de> Visitor<'de> for Whole<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with an array for each table")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            if let Some(table) = Table::named(&key) {
                (self.take)(Found::Table(table)).map_err(|Stopped| A::Error::custom(STOPPED))?;
                map.next_value_seed(Records { table, take: self.take })?;
            } else if map.next_value_seed(Plain)? {
                (self.take)(Found::Unknown(key)).map_err(|Stopped| A::Error::custom(STOPPED))?;
            }
        }
        Ok(())
    }
}

struct Records<'a> {
    table: Table,
    take: &'a mut dyn FnMut(Found) -> Result<(), Stopped>,
}

impl<'de> DeserializeSeed<'de> for Records<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Records<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of records")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let stopped = |Stopped| A::Error::custom(STOPPED);
        let mut place = 0;
        while let Some(record) = seq.next_element::<Value>()? {
            (self.take)(Found::Record(self.table, place, record)).map_err(stopped)?;
            place += 1;
        }
        Ok(())
    }
}

/// Passes over a value; tells whether there were records in it.
struct Plain;

impl<'de> DeserializeSeed<'de> for Plain {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Plain {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_unit<E>(self) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_bool<E>(self, _: bool) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_i64<E>(self, _: i64) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_u64<E>(self, _: u64) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_f64<E>(self, _: f64) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_str<E>(self, _: &str) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<bool, A::Error> {
        let mut any = false;
        while seq.next_element::<IgnoredAny>()?.is_some() {
            any = true;
        }
        Ok(any)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<bool, A::Error> {
        let mut any = false;
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {
            any = true;
        }
        Ok(any)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<String> {
        let mut all = Vec::new();
        read_dump(text.as_bytes(), &mut |found| {
            all.push(match found {
                Found::Table(table) => table.as_str().to_owned(),
                Found::Record(table, place, record) => format!("{} {place} {record}", table.as_str()),
                Found::Unknown(key) => format!("unknown {key}"),
                Found::Malformed(place) => format!("malformed at {place}"),
            });
            Ok(())
        });
        all
    }

    #[test]
    fn a_dump_is_read_record_by_record() {
        let dump = r#"{"version": "1.4", "patients": [{"id": 1}, 2], "medicalRecords": [{"secret": true}],
                       "notes": [1], "empty": {}, "availability": null}"#;
        assert_eq!(
            found(dump),
            [
                "patients",
                r#"patients 0 {"id":1}"#,
                "patients 1 2",
                "medical_records",
                r#"medical_records 0 {"secret":true}"#,
                "unknown notes",
                "availability",
            ]
        );
    }

    #[test]
    fn what_is_no_dump_is_told_with_its_place() {
        assert_eq!(found("[]"), ["malformed at line 1, column 1"]);
        assert_eq!(found("{\"patients\": 3}"), ["patients", "malformed at line 1, column 15"]);
        assert_eq!(
            found("{\"patients\": [{}"),
            ["patients", "patients 0 {}", "malformed at line 1, column 16"]
        );
        assert_eq!(found("{} x"), ["malformed at line 1, column 4"]);
    }

    #[test]
    fn whoever_takes_may_stop() {
        let mut taken = 0;
        read_dump(&br#"{"patients": [1, 2, 3]}"#[..], &mut |_| {
            taken += 1;
            if taken == 2 { Err(Stopped) } else { Ok(()) }
        });
        assert_eq!(taken, 2);
    }
}
