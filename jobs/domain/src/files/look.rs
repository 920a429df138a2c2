//! What a file is by what it holds. Looks at both of its ends and decodes nothing: this runs beside the keys.

use std::io::{Read, Seek, SeekFrom};

use crate::error::{Error, Result};

/// Bytes at the end in which the mark of an end is looked for, as readers of PDF do (ISO 32000-1, annex H).
const TAIL: u64 = 1024;
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";
/// The chunk that ends a PNG: empty, with its checksum (ISO/IEC 15948).
const PNG_END: &[u8] = b"\0\0\0\0IEND\xaeB`\x82";

/// `image/jpeg`, `image/png` or `application/pdf`, whatever it is called; anything else, and what was cut short, is refused.
pub fn media_type(mut file: impl Read + Seek) -> Result<&'static str> {
    let (mut head, mut tail) = ([0; 8], Vec::new());
    let size = file.seek(SeekFrom::End(0)).map_err(Error::internal)?;
    if size >= head.len() as u64 {
        file.rewind().and_then(|()| file.read_exact(&mut head)).map_err(Error::internal)?;
        let from = SeekFrom::Start(size.saturating_sub(TAIL));
        file.seek(from).and_then(|_| file.read_to_end(&mut tail)).map_err(Error::internal)?;
    }
    let ends = |mark: &[u8]| tail.windows(mark.len()).any(|window| window == mark);
    let known = match &head[..] {
        PNG => tail.ends_with(PNG_END).then_some("image/png"),
        // Some cameras write a little after the end.
        [0xff, 0xd8, 0xff, ..] => ends(&[0xff, 0xd9]).then_some("image/jpeg"),
        [b'%', b'P', b'D', b'F', b'-', ..] => ends(b"%%EOF").then_some("application/pdf"),
        _ => None,
    };
    known.ok_or_else(|| Error::invalid("body", "not_a_file", "a JPEG, a PNG or a PDF, whole"))
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use image::{DynamicImage, ImageFormat};

    use super::*;

    fn picture(format: ImageFormat) -> Vec<u8> {
        let mut bytes = Vec::new();
        DynamicImage::new_rgb8(3, 2).write_to(&mut Cursor::new(&mut bytes), format).unwrap();
        bytes
    }

    #[test]
    fn a_file_is_known_by_what_it_holds_and_only_whole() {
        let pdf = [&b"%PDF-1.7\n"[..], &[b'x'; 3_000], b"\nstartxref\n9\n%%EOF\n"].concat();
        for (bytes, expected) in [
            (picture(ImageFormat::Png), "image/png"),
            (picture(ImageFormat::Jpeg), "image/jpeg"),
            (pdf, "application/pdf"),
        ] {
            assert_eq!(media_type(Cursor::new(&bytes)).unwrap(), expected);
            assert!(media_type(Cursor::new(&bytes[..bytes.len() / 2])).is_err(), "{expected} cut short");
        }
    }

    #[test]
    fn anything_else_is_refused_whatever_it_claims() {
        for wrong in [&b""[..], b"%PDF-", b"GIF89a..", b"<html>%PDF-1.7 %%EOF", b"MZ\x90\0\x03\0\0\0%%EOF"] {
            assert!(media_type(Cursor::new(wrong)).is_err(), "{wrong:?}");
        }
    }
}
