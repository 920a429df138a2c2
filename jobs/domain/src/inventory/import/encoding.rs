//! In which encoding a file is written: UTF-8 where it reads as that, or nearly; else what the detector of browsers says,
//! which in French texts is Windows-1252. The whole file is looked at: an accent may come late.

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, UTF_8};

/// Looks at a file, chunk by chunk.
pub(super) struct Sniffer {
    detector: EncodingDetector,
    /// The begin of a letter that the next chunk ends.
    carry: Vec<u8>,
    begin: Vec<u8>,
    letters: u64,
    broken: u64,
}

/// Bytes in which a byte order mark would be.
const MARK: usize = 3;

impl Sniffer {
    pub(super) fn new() -> Self {
        let detector = EncodingDetector::new(Iso2022JpDetection::Deny);
        Self { detector, carry: Vec::new(), begin: Vec::new(), letters: 0, broken: 0 }
    }

    pub(super) fn feed(&mut self, chunk: &[u8]) {
        if self.begin.len() < MARK {
            self.begin.extend(chunk.iter().take(MARK - self.begin.len()));
        }
        self.detector.feed(chunk, false);
        self.carry.extend_from_slice(chunk);
        // The last letter may go on in the next chunk: it has four bytes at the most.
        let open =
            self.carry.iter().rev().take(3).position(|byte| *byte >= 0xc0).map_or(0, |place| place + 1);
        let whole = self.carry.len() - open;
        let rest = self.carry.split_off(whole);
        self.count();
        self.carry = rest;
    }

    fn count(&mut self) {
        for part in self.carry.utf8_chunks() {
            self.letters += part.valid().chars().filter(|letter| !letter.is_ascii()).count() as u64;
            self.broken += u64::from(!part.invalid().is_empty());
        }
    }

    /// The encoding. Where letters of UTF-8 outnumber what is broken, the file is UTF-8 with faults: read as anything else,
    /// « é » would pass for « Ã© ».
    pub(super) fn finish(mut self) -> &'static Encoding {
        self.count();
        if let Some((marked, _)) = Encoding::for_bom(&self.begin) {
            return marked;
        }
        if self.broken == 0 || self.letters > self.broken {
            return UTF_8;
        }
        self.detector.feed(&[], true);
        self.detector.guess(Some(b"fr"), Utf8Detection::Deny)
    }
}

/// The text of a file that is held whole, without its byte order mark.
pub(crate) fn file_text(file: &[u8]) -> std::borrow::Cow<'_, str> {
    let mut sniffer = Sniffer::new();
    sniffer.feed(file);
    sniffer.finish().decode(file).0
}

#[cfg(test)]
mod tests {
    use encoding_rs::{UTF_16LE, WINDOWS_1252};

    use super::*;

    fn encoding(file: &[u8], chunk: usize) -> &'static Encoding {
        let mut sniffer = Sniffer::new();
        file.chunks(chunk).for_each(|chunk| sniffer.feed(chunk));
        sniffer.finish()
    }

    #[test]
    fn the_usual_encodings_are_told_apart_wherever_chunks_end() {
        let text = "Référence;Désignation\nA1;Sérum physiologique à 0,9 % — 12 €\n";
        let (legacy, _, _) = WINDOWS_1252.encode(text);
        let marked = ["\u{feff}".as_bytes(), text.as_bytes()].concat();
        let late = [&b"plain;ascii\n".repeat(20_000)[..], &legacy].concat();
        for chunk in [1, 2, 3, 7, 8192] {
            assert_eq!(encoding(text.as_bytes(), chunk), UTF_8);
            assert_eq!(encoding(&marked, chunk), UTF_8);
            assert_eq!(encoding(&legacy, chunk), WINDOWS_1252);
            assert_eq!(encoding(b"plain;ascii", chunk), UTF_8);
        }
        assert_eq!(encoding(&late, 8192), WINDOWS_1252);
        assert_eq!(encoding(b"\xff\xfeR\0e\0f\0", 4), UTF_16LE);
    }

    #[test]
    fn utf_8_that_is_broken_here_and_there_stays_utf_8() {
        let broken = [&"Référence;Désignation\n".repeat(3).into_bytes()[..], b"caf\xe9;1\n"].concat();
        assert_eq!(encoding(&broken, 5), UTF_8);
    }
}
