//! A report as a CSV file: lines of comment, an empty line, a table; UTF-8, with a line feed at the end of each line.

use std::fmt::Write;

use crate::{
    error::{Error, Result},
    exports::defused,
};

/// A file to be answered with.
#[derive(Debug, PartialEq, Eq)]
pub struct Sheet {
    /// Its name.
    pub file_name: String,
    /// What it holds.
    pub text: String,
}

/// The text of a report.
pub(super) struct Lines {
    text: String,
}

impl Lines {
    /// Begins with lines of comment and the names of the columns.
    pub(super) fn begin(comments: &[String], columns: &[&str]) -> Result<Self> {
        let mut lines = Self { text: String::new() };
        for comment in comments {
            writeln!(lines.text, "# {comment}").map_err(Error::internal)?;
        }
        lines.blank();
        lines.row(columns)?;
        Ok(lines)
    }

    /// Adds a line of the table. What people wrote is never calculated by whoever opens it.
    pub(super) fn row(&mut self, cells: &[&str]) -> Result<()> {
        let mut writer =
            csv::WriterBuilder::new().terminator(csv::Terminator::Any(b'\n')).from_writer(Vec::new());
        writer.write_record(cells.iter().map(|cell| defused(cell).into_owned())).map_err(Error::internal)?;
        let bytes = writer.into_inner().map_err(|error| Error::internal(error.to_string()))?;
        self.text.push_str(std::str::from_utf8(&bytes).map_err(Error::internal)?);
        Ok(())
    }

    /// Adds an empty line.
    pub(super) fn blank(&mut self) {
        self.text.push('\n');
    }

    pub(super) fn finish(self, file_name: String) -> Sheet {
        Sheet { file_name, text: self.text }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sheet_is_comments_an_empty_line_and_a_table_that_calculates_nothing() {
        let mut lines = Lines::begin(&["RAPPORT".to_owned()], &["Employé", "Durée (min)"]).unwrap();
        lines.row(&["=1+1", "50"]).unwrap();
        lines.row(&["Roy, Zoé", "-"]).unwrap();
        let sheet = lines.finish("a.csv".to_owned());
        assert_eq!(sheet.text, "# RAPPORT\n\nEmployé,Durée (min)\n'=1+1,50\n\"Roy, Zoé\",'-\n");
    }
}
