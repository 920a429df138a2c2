//! Pictures that people hand in, read whole and within limits: what is kept as a picture is one. Draws nothing.

use std::io::Cursor;

use image::{
    DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits,
    codecs::jpeg::JpegEncoder,
    error::{DecodingError, ImageFormatHint},
};

use crate::files::media_type;

/// Longest edge of what heads papers, pixels.
pub const LARGEST: u32 = 4_000;
/// Bytes that reading may take: the largest picture with its working space.
const MEMORY: u64 = 128 << 20;

/// A picture, and what it was.
#[derive(Debug)]
pub struct Picture {
    /// `image/png` or `image/jpeg`, by what it holds, whatever it is called.
    pub media_type: &'static str,
    /// Its pixels, the right way up.
    pub pixels: DynamicImage,
}

/// How well a thumbnail is drawn, of 100.
const QUALITY: u8 = 80;

impl Picture {
    /// Reads a PNG or a JPEG of at most 4,000 pixels each way.
    pub fn read(bytes: &[u8]) -> Result<Self, ImageError> {
        Self::read_within(bytes, LARGEST)
    }

    /// Reads a picture that is handed in: as [`Picture::read_within`], and whole. A decoder draws what there is of one that was cut short.
    pub fn receive(bytes: &[u8], largest: u32) -> Result<Self, ImageError> {
        let picture = Self::read_within(bytes, largest)?;
        match media_type(Cursor::new(bytes)) {
            Ok(media_type) if media_type == picture.media_type => Ok(picture),
            _ => Err(ImageError::Decoding(DecodingError::from_format_hint(ImageFormatHint::Unknown))),
        }
    }

    /// Reads a PNG or a JPEG of at most so many pixels each way, and of no more than memory allows.
    pub fn read_within(bytes: &[u8], largest: u32) -> Result<Self, ImageError> {
        let media_type = match image::guess_format(bytes)? {
            ImageFormat::Png => "image/png",
            ImageFormat::Jpeg => "image/jpeg",
            other => return Err(ImageError::Unsupported(ImageFormatHint::Exact(other).into())),
        };
        let mut reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format()?;
        let mut limits = Limits::default();
        limits.max_image_width = Some(largest);
        limits.max_image_height = Some(largest);
        limits.max_alloc = Some(MEMORY);
        reader.limits(limits);
        let mut decoder = reader.into_decoder()?;
        let orientation = decoder.orientation()?;
        let mut pixels = DynamicImage::from_decoder(decoder)?;
        pixels.apply_orientation(orientation);
        Ok(Self { media_type, pixels })
    }

    /// A JPEG of at most so many pixels each way, of the pixels alone: nothing else that the file told comes with it.
    pub fn thumbnail(&self, largest: u32) -> Result<Vec<u8>, ImageError> {
        let small = if self.pixels.width().max(self.pixels.height()) > largest {
            self.pixels.thumbnail(largest, largest)
        } else {
            self.pixels.clone()
        };
        let mut bytes = Vec::new();
        small.to_rgb8().write_with_encoder(JpegEncoder::new_with_quality(&mut bytes, QUALITY))?;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(format: ImageFormat) -> Vec<u8> {
        let mut bytes = Vec::new();
        DynamicImage::new_rgb8(3, 2).write_to(&mut Cursor::new(&mut bytes), format).unwrap();
        bytes
    }

    #[test]
    fn a_picture_is_known_by_what_it_holds() {
        for (format, media_type) in [(ImageFormat::Png, "image/png"), (ImageFormat::Jpeg, "image/jpeg")] {
            let picture = Picture::read(&written(format)).unwrap();
            assert_eq!((picture.media_type, picture.pixels.width()), (media_type, 3));
        }
    }

    #[test]
    fn a_thumbnail_is_small_and_tells_nothing_but_its_pixels() {
        let mut wide = Vec::new();
        let mut encoder = image::codecs::png::PngEncoder::new(&mut wide);
        image::ImageEncoder::set_exif_metadata(&mut encoder, b"48.8566 N 2.3522 E".to_vec()).unwrap();
        DynamicImage::new_rgba8(1_000, 500).write_with_encoder(encoder).unwrap();
        assert!(wide.windows(4).any(|bytes| bytes == b"2.35"), "the original tells where it was taken");
        let thumbnail = Picture::read(&wide).unwrap().thumbnail(320).unwrap();
        assert!(!thumbnail.windows(4).any(|bytes| bytes == b"2.35" || bytes == b"Exif"));
        let read = Picture::read(&thumbnail).unwrap();
        assert_eq!((read.media_type, read.pixels.width(), read.pixels.height()), ("image/jpeg", 320, 160));
        let tiny = Picture::read(&written(ImageFormat::Png)).unwrap().thumbnail(320).unwrap();
        assert_eq!(Picture::read(&tiny).unwrap().pixels.width(), 3, "nothing is made larger");
    }

    #[test]
    fn what_is_none_is_cut_short_or_claims_to_be_huge_is_refused() {
        assert!(Picture::read(b"GIF89a").is_err() && Picture::read(b"%PDF-1.7").is_err());
        for format in [ImageFormat::Png, ImageFormat::Jpeg] {
            let whole = written(format);
            assert!(Picture::receive(&whole, 3).is_ok());
            for cut in 1..whole.len() {
                assert!(Picture::receive(&whole[..cut], 3).is_err(), "{format:?} cut to {cut}");
            }
        }
        let png = written(ImageFormat::Png);
        assert!(Picture::read(&png[..png.len() - 20]).is_err());
        let mut huge = png;
        huge[16..24].copy_from_slice(&[0x7f, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff]);
        assert!(Picture::read(&huge).is_err());
    }
}
