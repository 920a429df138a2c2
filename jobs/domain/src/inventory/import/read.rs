//! Reads a file as a stream, record by record, in memory that does not grow with it. Any source of bytes will do.

use std::io;

use csv_core::{ReadRecordResult, Reader};
use encoding_rs::{CoderResult, Decoder, Encoding};
use tokio::io::{AsyncRead, AsyncReadExt};

use super::{
    ImportMode,
    columns::{Columns, Mapping},
    encoding::Sniffer,
    line::{Line, read_line},
    report::{Fault, Report},
};

/// Bytes of a file that are looked at together.
const CHUNK: usize = 64 * 1024;
/// Longest record, bytes of UTF-8: a quote that lacks its end would make the rest of the file one cell.
const MOST_BYTES: usize = 64 * 1024;
/// Most cells of a record.
const MOST_CELLS: usize = 256;
/// What may part cells, the usual one first.
const DELIMITERS: [u8; 4] = [b';', b',', b'\t', b'|'];

/// How a file is to be read.
#[derive(Debug)]
pub struct Reading {
    encoding: &'static Encoding,
    delimiter: u8,
    mode: ImportMode,
    mapping: Mapping,
}

/// Looks through a whole file for its encoding, and at its first line for what parts its cells.
pub async fn sniff(
    mut source: impl AsyncRead + Unpin,
    mode: ImportMode,
    mapping: Mapping,
) -> io::Result<Reading> {
    let mut sniffer = Sniffer::new();
    let mut begin = Vec::new();
    let mut chunk = vec![0; CHUNK];
    loop {
        let length = source.read(&mut chunk).await?;
        if length == 0 {
            break;
        }
        sniffer.feed(&chunk[..length]);
        begin.extend_from_slice(&chunk[..length.min(CHUNK.saturating_sub(begin.len()))]);
    }
    let encoding = sniffer.finish();
    let (text, _, _) = encoding.decode(&begin);
    let delimiter = delimiter(&text, &mapping);
    Ok(Reading { encoding, delimiter, mode, mapping })
}

/// The delimiter by which the first line has most known columns, or else most columns.
fn delimiter(text: &str, mapping: &Mapping) -> u8 {
    let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let score = |delimiter: &u8| {
        let cells: Vec<&str> =
            first.split(char::from(*delimiter)).map(|cell| cell.trim().trim_matches('"')).collect();
        (Columns::of(&cells, mapping).known(), cells.len())
    };
    // Of equals the first is taken: `max_by_key` would take the last.
    DELIMITERS.into_iter().rev().max_by_key(score).unwrap_or(b';')
}

/// The lines of a file, some at a time, and what is told of it.
pub struct LineReader<R> {
    records: Records<R>,
    mode: ImportMode,
    mapping: Mapping,
    /// What each column holds; none before the first line was read.
    columns: Option<Columns>,
    ended: bool,
    report: Report,
}

impl<R: AsyncRead + Unpin> LineReader<R> {
    /// Nothing is read yet.
    pub fn new(reading: &Reading, source: R) -> Self {
        let report = Report {
            encoding: reading.encoding.name().to_owned(),
            delimiter: char::from(reading.delimiter).to_string(),
            ..Report::default()
        };
        let records = Records::new(source, reading);
        let mapping = reading.mapping.clone();
        Self { records, mode: reading.mode, mapping, columns: None, ended: false, report }
    }

    /// The next sound lines, at most so many; none at the end.
    pub async fn next(&mut self, most: usize) -> io::Result<Vec<Line>> {
        let mut lines = Vec::with_capacity(most);
        while lines.len() < most && !self.ended {
            match self.records.next().await? {
                Next::Record => lines.extend(self.read()),
                Next::TooLong => {
                    self.report.faults.push(too_long(self.records.line));
                    self.ended = true;
                }
                Next::End => self.end(),
            }
        }
        Ok(lines)
    }

    /// What was found.
    pub fn into_report(self) -> Report {
        self.report
    }

    fn read(&mut self) -> Option<Line> {
        let cells = self.records.cells();
        let line = self.records.line;
        let Some(columns) = &self.columns else {
            let columns = Columns::of(&cells, &self.mapping);
            self.ended = !is_sound(&columns, self.mode, line, &mut self.report);
            self.columns = Some(columns);
            return None;
        };
        if cells.iter().all(|cell| cell.trim().is_empty()) {
            return None;
        }
        self.report.lines += 1;
        read_line(columns, self.mode, line, &cells, &mut self.report.faults)
    }

    fn end(&mut self) {
        self.ended = true;
        if self.columns.is_none() {
            is_sound(&Columns::of(&[], &self.mapping), self.mode, 1, &mut self.report);
        } else if self.report.lines == 0 {
            let expected = "at least one line below the headers";
            self.report.faults.push(Fault::of_line(self.records.line, "empty", expected));
        }
    }
}

/// Whether lines can be read by these columns; notes what is wrong with them.
fn is_sound(columns: &Columns, mode: ImportMode, line: u64, report: &mut Report) -> bool {
    if columns.headers.first().is_some_and(|header| header.starts_with("PK\u{3}\u{4}")) {
        let expected = "a text with separators (CSV): save the workbook as CSV";
        report.faults.push(Fault::of_line(line, "not_csv", expected));
        return false;
    }
    report.columns = columns.found();
    for fault in columns.faults(mode, line) {
        report.faults.push(fault);
    }
    report.is_sound()
}

fn too_long(line: u64) -> Fault {
    let expected = "a shorter line: a quote may lack its end, and what follows could not be read".to_owned();
    Fault::of_line(line, "line_too_long", expected)
}

/// What was found next.
enum Next {
    Record,
    TooLong,
    End,
}

/// The records of a file, one at a time.
struct Records<R> {
    source: R,
    decoder: Decoder,
    csv: Reader,
    chunk: Vec<u8>,
    /// Decoded, and how much of it was read.
    text: String,
    at: usize,
    ended: bool,
    /// The present record: its cells one after another, and where each ends.
    record: Vec<u8>,
    ends: Vec<usize>,
    cells: usize,
    /// The line on which the present record begins, and that on which the next byte is.
    line: u64,
    next_line: u64,
}

impl<R: AsyncRead + Unpin> Records<R> {
    fn new(source: R, reading: &Reading) -> Self {
        Self {
            source,
            decoder: reading.encoding.new_decoder(),
            csv: csv_core::ReaderBuilder::new().delimiter(reading.delimiter).build(),
            chunk: vec![0; CHUNK],
            text: String::with_capacity(4 * CHUNK),
            at: 0,
            ended: false,
            record: vec![0; MOST_BYTES],
            ends: vec![0; MOST_CELLS],
            cells: 0,
            line: 1,
            next_line: 1,
        }
    }

    /// Decodes the next chunk; nothing more comes after the end.
    async fn fill(&mut self) -> io::Result<()> {
        self.text.clear();
        self.at = 0;
        while self.text.is_empty() && !self.ended {
            let length = self.source.read(&mut self.chunk).await?;
            self.ended = length == 0;
            let (result, read, _) =
                self.decoder.decode_to_string(&self.chunk[..length], &mut self.text, self.ended);
            // A chunk is a quarter of the text's room, and a byte becomes three at the most.
            debug_assert!(result == CoderResult::InputEmpty && read == length);
        }
        Ok(())
    }

    /// Passes over line ends, so that a record's line is the one where it begins.
    async fn begin(&mut self) -> io::Result<()> {
        loop {
            let rest = &self.text.as_bytes()[self.at..];
            let blank = rest.iter().take_while(|byte| matches!(byte, b'\n' | b'\r')).count();
            self.next_line += newlines(&rest[..blank]);
            let more = blank == rest.len() && !self.ended;
            self.at += blank;
            if !more {
                self.line = self.next_line;
                return Ok(());
            }
            self.fill().await?;
        }
    }

    async fn next(&mut self) -> io::Result<Next> {
        self.begin().await?;
        let (mut length, mut cells) = (0, 0);
        loop {
            // Nothing left to read is how the parser is told of the end.
            let rest = &self.text.as_bytes()[self.at..];
            if rest.is_empty() && !self.ended {
                self.fill().await?;
                continue;
            }
            let (result, read, written, ended) =
                self.csv.read_record(rest, &mut self.record[length..], &mut self.ends[cells..]);
            self.next_line += newlines(&rest[..read]);
            self.at += read;
            length += written;
            cells += ended;
            match result {
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull | ReadRecordResult::OutputEndsFull => return Ok(Next::TooLong),
                ReadRecordResult::Record => {
                    self.cells = cells;
                    return Ok(Next::Record);
                }
                ReadRecordResult::End => return Ok(Next::End),
            }
        }
    }

    /// The cells of the present record. The text was decoded, and cells end between letters: each is sound UTF-8.
    fn cells(&self) -> Vec<&str> {
        let mut begin = 0;
        let cells = self.ends[..self.cells].iter().map(|end| {
            let cell = std::str::from_utf8(&self.record[begin..*end]).unwrap_or("\u{fffd}");
            begin = *end;
            cell
        });
        cells.collect()
    }
}

fn newlines(bytes: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', bytes).count() as u64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    async fn of(file: &[u8], mode: ImportMode) -> (Vec<Line>, Report) {
        let reading = sniff(file, mode, Mapping::default()).await.unwrap();
        let (mut lines, mut reader) = (Vec::new(), LineReader::new(&reading, file));
        loop {
            let next = reader.next(2).await.unwrap();
            if next.is_empty() {
                break;
            }
            lines.extend(next);
        }
        let report = reader.into_report();
        (lines, report)
    }

    fn told(report: &Report) -> Vec<(u64, Option<u32>, &str)> {
        report.faults.kept.iter().map(|fault| (fault.line, fault.column, fault.code.as_str())).collect()
    }

    #[tokio::test]
    async fn a_suppliers_file_is_read() {
        let file = "\u{feff}Référence;Désignation;Quantité;Prix;Lot;Péremption\r\n\
                    GN-M;\"Gants \"\"nitrile\"\"; M\";1\u{202f}200,5;6,50 €;;\r\n\r\n;;;;;\r\nLI;Lidocaïne;3;;L1;31/12/2027";
        let (lines, report) = of(file.as_bytes(), ImportMode::Receive).await;
        assert_eq!((&*report.encoding, &*report.delimiter, report.lines), ("UTF-8", ";", 2));
        assert_eq!(told(&report), []);
        assert_eq!((lines[0].number, &*lines[0].name), (2, "Gants \"nitrile\"; M"));
        assert_eq!((lines[0].quantity, lines[0].price_cents), (Some(1_200_500), Some(650)));
        assert_eq!(
            (lines[1].number, lines[1].expires_on),
            (5, chrono::NaiveDate::from_ymd_opt(2027, 12, 31))
        );
    }

    #[tokio::test]
    async fn each_delimiter_is_found() {
        for (delimiter, sign) in [(";", ";"), (",", ","), ("\t", "\t"), ("|", "|")] {
            let file = format!("SKU{delimiter}Item name, or so{delimiter}Name\nA{delimiter}x{delimiter}B\n");
            let file = if sign == "," { file.replace(", or so", "") } else { file };
            let (lines, report) = of(file.as_bytes(), ImportMode::Describe).await;
            assert_eq!((&*report.delimiter, lines.len()), (sign, 1), "{file}");
        }
    }

    #[tokio::test]
    async fn every_fault_is_told_with_its_place() {
        let file = "Référence;Désignation;Quantité;Péremption\n\
                    A;Gants;1;\n\
                    ;=1+1;-3;31/02/2027\n\
                    B;Bandes\n\
                    C;Bandes;1;;x\n\
                    D;\"Deux\nlignes\";1;\n\
                    E;Sérum;;31/12/2027\n";
        let (_, report) = of(file.as_bytes(), ImportMode::Count).await;
        let expected = [
            (3, Some(1), "missing"),
            (3, Some(2), "formula"),
            (3, Some(3), "not_a_number"),
            (3, Some(4), "not_a_date"),
            (4, None, "wrong_length"),
            (5, None, "wrong_length"),
            (6, Some(2), "not_a_text"),
            (8, Some(3), "missing"),
            (8, Some(4), "lot_needed"),
        ];
        assert_eq!(told(&report), expected);
        assert_eq!(report.faults.kept[2].header.as_deref(), Some("Quantité"));
    }

    #[tokio::test]
    async fn what_is_no_such_file_is_told() {
        let zip = of(b"PK\x03\x04\x14\0\x06\0;;", ImportMode::Count).await.1;
        assert_eq!(told(&zip), [(1, None, "not_csv")]);
        let nothing = of(b"", ImportMode::Describe).await.1;
        assert_eq!(told(&nothing), [(1, None, "missing_column"), (1, None, "missing_column")]);
        let headers = of(b"Ref;Nom\n", ImportMode::Describe).await.1;
        assert_eq!(told(&headers), [(2, None, "empty")]);
        let open = format!("Ref;Nom\nA;Gants\nB;\"Bandes\n{}", "C;Gants\n".repeat(20_000));
        let (lines, report) = of(open.as_bytes(), ImportMode::Describe).await;
        assert_eq!((lines.len(), told(&report)), (1, vec![(3, None, "line_too_long")]));
    }

    #[tokio::test]
    async fn faults_are_bounded_and_all_are_counted() {
        let file = format!("Ref;Nom\n{}", ";\n;x\n".repeat(1_500));
        let (_, report) = of(file.as_bytes(), ImportMode::Describe).await;
        assert_eq!((report.faults.kept.len(), report.faults.count), (1_000, 1_500));
    }

    #[test]
    fn no_file_is_too_strange() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        proptest!(|(bytes in prop::collection::vec(any::<u8>(), 0..400), text in "(Ref;Nom\n)?[;,\"\n\ré=A-C1]{0,200}")| {
            runtime.block_on(of(&bytes, ImportMode::Describe));
            let (lines, report) = runtime.block_on(of(text.as_bytes(), ImportMode::Describe));
            prop_assert!(!report.is_sound() || i64::try_from(lines.len()) == Ok(report.lines));
        });
    }
}
