//! Compresses what a PDF carries.

use std::io::{Result, Write};

use flate2::{Compression, write::ZlibEncoder};

/// Measured: the levels above cost twice the time for a hundredth of the size.
const LEVEL: u32 = 6;

/// Compresses, and never to something that ends with a carriage return: before the line feed that closes a stream nobody
/// could tell whether it belongs to it (ISO 19005-3, 6.1.7.1). A blank line at the end of `content` then avoids it; pages,
/// XML, fonts and pictures all bear one.
pub(super) fn deflate(content: &mut Vec<u8>) -> Result<Vec<u8>> {
    let compressed = compress(content)?;
    if compressed.last() != Some(&b'\r') {
        return Ok(compressed);
    }
    // The last byte is the low one of the sum of all bytes (RFC 1950): this changes it.
    content.push(b'\n');
    compress(content)
}

fn compress(content: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = ZlibEncoder::new(Vec::with_capacity(content.len() / 2), Compression::new(LEVEL));
    encoder.write_all(content)?;
    encoder.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_ends_with_a_carriage_return() {
        let mut changed = 0;
        for last in 0..=u8::MAX {
            let mut content = vec![b'a', last];
            let compressed = deflate(&mut content).unwrap();
            assert_ne!(compressed.last(), Some(&b'\r'));
            changed += content.len() - 2;
        }
        assert_eq!(changed, 1);
    }
}
