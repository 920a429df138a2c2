//! An appointment for the reader's calendar (RFC 5545), as an invitation or its withdrawal (iTIP, RFC 5546).
//! It says when and where, never why, and in UTC, which every calendar shows by its own clocks.

use std::fmt;

use chrono::{DateTime, Utc};
use icalendar::{Component as _, Event, EventLike as _, EventStatus, Property};

use super::{Language, one_line};
use crate::ids::AppointmentId;

/// What a calendar's program is asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// To note the appointment, or that it has moved.
    Request,
    /// To take it out again.
    Cancel,
}

impl Method {
    /// The word for it in iTIP and in a mail's headers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Request => "REQUEST",
            Self::Cancel => "CANCEL",
        }
    }
}

/// What is noted in a calendar.
#[derive(Clone)]
pub struct CalendarFacts {
    /// The appointment: the same entry however often it moves.
    pub appointment: AppointmentId,
    /// Counts its moves: an older message does not undo a newer one.
    pub sequence: i32,
    /// When this is written.
    pub written_at: DateTime<Utc>,
    /// Begin.
    pub starts_at: DateTime<Utc>,
    /// End.
    pub ends_at: DateTime<Utc>,
    /// The practice, as patients know it.
    pub practice_name: String,
    /// The address to come to.
    pub practice_address: Option<String>,
    /// The address that the mail comes from.
    pub organizer: String,
    /// The patient's address.
    pub attendee: String,
    /// The patient's language.
    pub language: Language,
}

/// Shows the appointment alone: that a person goes to a practice is a secret already.
impl fmt::Debug for CalendarFacts {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("CalendarFacts")
            .field("appointment", &self.appointment)
            .field("sequence", &self.sequence)
            .finish_non_exhaustive()
    }
}

/// An entry for a calendar, to go with a mail.
#[derive(Clone, PartialEq, Eq)]
pub struct Calendar {
    /// What is asked.
    pub method: Method,
    /// The entry, as `text/calendar` in UTF-8.
    pub ics: String,
}

impl Calendar {
    /// The name of the entry as a file.
    pub const FILE: &'static str = "invite.ics";
}

/// Shows the method alone.
impl fmt::Debug for Calendar {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Calendar").field("method", &self.method).finish_non_exhaustive()
    }
}

/// Writes the entry.
#[must_use]
pub fn calendar(method: Method, facts: &CalendarFacts) -> Calendar {
    let practice = one_line(&facts.practice_name);
    let summary = match facts.language {
        Language::Fr => format!("Rendez-vous — {practice}"),
        Language::En => format!("Appointment — {practice}"),
    };
    let status = match method {
        Method::Request => EventStatus::Confirmed,
        Method::Cancel => EventStatus::Cancelled,
    };
    let mut event = Event::new();
    event
        .uid(&format!("{}@permanence", facts.appointment))
        .sequence(u32::try_from(facts.sequence).unwrap_or_default())
        .timestamp(facts.written_at)
        .starts(facts.starts_at)
        .ends(facts.ends_at)
        .summary(&summary)
        .status(status)
        .append_property(
            Property::new("ORGANIZER", mailto(&facts.organizer)).add_parameter("CN", &name(&practice)).done(),
        )
        // Without an answer asked for: the mail has its own link.
        .append_multi_property(
            Property::new("ATTENDEE", mailto(&facts.attendee)).add_parameter("RSVP", "FALSE").done(),
        );
    if let Some(address) = &facts.practice_address {
        event.location(&one_line(address));
    }
    let mut calendar = icalendar::Calendar::empty();
    calendar
        .append_property(Property::new("VERSION", "2.0"))
        .append_property(Property::new("PRODID", "-//Permanence//Permanence//FR"))
        .append_property(Property::new("CALSCALE", "GREGORIAN"))
        .append_property(Property::new("METHOD", method.name()))
        .push(event);
    Calendar { method, ics: refold(&calendar.to_string()) }
}

/// Folds lines at 75 octets (RFC 5545 §3.1): icalendar 0.17 lets the last piece of a line have 76.
fn refold(ics: &str) -> String {
    let mut folded = String::with_capacity(ics.len());
    for line in ics.replace("\r\n ", "").split_terminator("\r\n") {
        let mut length = 0;
        for letter in line.chars() {
            if length + letter.len_utf8() > 75 {
                folded.push_str("\r\n ");
                length = 1;
            }
            folded.push(letter);
            length += letter.len_utf8();
        }
        folded.push_str("\r\n");
    }
    folded
}

fn mailto(address: &str) -> String {
    format!("mailto:{}", one_line(address))
}

/// A parameter's value holds no quotation mark and no control character, in any form (RFC 5545 §3.2).
fn name(text: &str) -> String {
    text.chars().map(|letter| if letter == '"' || letter.is_control() { '\'' } else { letter }).collect()
}

#[cfg(test)]
mod tests {
    use icalendar::{Calendar as Parsed, CalendarComponent, DatePerhapsTime};

    use super::*;

    fn facts() -> CalendarFacts {
        CalendarFacts {
            appointment: "01a1fd1a-f487-7a1e-bc82-a9271c090277".parse().unwrap(),
            sequence: 2,
            written_at: "2026-10-20T08:00:00Z".parse().unwrap(),
            starts_at: "2026-10-24T22:30:00Z".parse().unwrap(),
            ends_at: "2026-10-24T23:00:00Z".parse().unwrap(),
            practice_name: "Maison de santé \"des Deux Rivières\", Orléans; côté jardin".to_owned(),
            practice_address: Some(
                "Bâtiment C, 3e étage\n128 avenue Jean Jaurès prolongée, résidence Les Éléphants, 45000 Orléans"
                    .to_owned(),
            ),
            organizer: "no-reply@permanence.example".to_owned(),
            attendee: "helene.garcia@example.fr".to_owned(),
            language: Language::Fr,
        }
    }

    #[test]
    fn another_program_reads_what_was_written() {
        for (method, status) in
            [(Method::Request, EventStatus::Confirmed), (Method::Cancel, EventStatus::Cancelled)]
        {
            let written = calendar(method, &facts());
            let read: Parsed = written.ics.parse().unwrap();
            assert_eq!(read.property_value("METHOD"), Some(method.name()));
            assert_eq!(read.property_value("VERSION"), Some("2.0"));
            let [CalendarComponent::Event(event)] = read.components.as_slice() else {
                panic!("one event: {}", written.ics)
            };
            assert_eq!(event.get_uid(), Some("01a1fd1a-f487-7a1e-bc82-a9271c090277@permanence"));
            assert_eq!(event.get_sequence(), Some(2));
            assert_eq!(event.get_status(), Some(status));
            assert_eq!(event.get_timestamp(), Some(facts().written_at));
            assert_eq!(event.get_start(), Some(DatePerhapsTime::from(facts().starts_at)));
            assert_eq!(event.get_end(), Some(DatePerhapsTime::from(facts().ends_at)));
            let practice = facts().practice_name;
            assert_eq!(event.get_summary(), Some(format!("Rendez-vous — {practice}").as_str()));
            assert_eq!(event.get_location(), Some(one_line(&facts().practice_address.unwrap()).as_str()));
            assert_eq!(event.property_value("ORGANIZER"), Some("mailto:no-reply@permanence.example"));
            let attendee = &event.multi_properties()["ATTENDEE"][0];
            assert_eq!(attendee.value(), "mailto:helene.garcia@example.fr");
        }
    }

    #[test]
    fn lines_end_and_fold_as_the_standard_wants() {
        for letters in 0..90 {
            let long = CalendarFacts { practice_name: "é".repeat(letters), ..facts() };
            let ics = calendar(Method::Request, &long).ics;
            assert!(ics.ends_with("END:VCALENDAR\r\n"));
            assert_eq!(ics.matches('\n').count(), ics.matches("\r\n").count());
            for line in ics.split("\r\n") {
                assert!(line.len() <= 75, "{} octets: {line}", line.len());
            }
        }
        insta::assert_snapshot!(calendar(Method::Request, &facts()).ics.replace("\r\n", "\n"));
    }

    #[test]
    fn an_english_reader_gets_english_and_nobody_a_line_of_their_own() {
        let hostile = CalendarFacts {
            practice_name: "Martin\r\nATTACH:http://x".to_owned(),
            practice_address: None,
            attendee: "a@example.fr\r\nX-A:b".to_owned(),
            language: Language::En,
            ..facts()
        };
        let ics = calendar(Method::Request, &hostile).ics;
        assert!(ics.contains("SUMMARY:Appointment — Martin ATTACH"), "{ics}");
        assert!(!ics.contains("\nATTACH") && !ics.contains("\nX-A") && !ics.contains("LOCATION"), "{ics}");
        assert!(!format!("{hostile:?}").contains("Martin"));
    }
}
