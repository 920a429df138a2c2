//! A picture for a page: laid on white, made small enough for print, compressed once.

use image::{DynamicImage, Rgb, RgbImage, imageops::FilterType};
use permanence_domain::picture;

use super::PaperError;
use super::deflate::deflate;

/// Longest edge of what is embedded, pixels: more than paper shows of a logo.
const EMBEDDED: u32 = 640;

/// A picture, ready to be embedded.
#[derive(Debug)]
pub struct Picture {
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// Deflated RGB, eight bits a channel.
    pub(super) data: Vec<u8>,
}

impl Picture {
    /// Makes a PNG or a JPEG ready.
    pub fn read(bytes: &[u8]) -> Result<Self, PaperError> {
        let picture =
            picture::Picture::read(bytes).map_err(|error| PaperError::Picture(error.to_string()))?.pixels;
        let picture = if picture.width().max(picture.height()) > EMBEDDED {
            picture.resize(EMBEDDED, EMBEDDED, FilterType::Triangle)
        } else {
            picture
        };
        let pixels = on_white(&picture);
        let (width, height) = pixels.dimensions();
        let data = deflate(&mut pixels.into_raw()).map_err(|error| PaperError::Picture(error.to_string()))?;
        Ok(Self { width, height, data })
    }

    /// The largest size with its proportions that fits, points.
    #[expect(clippy::cast_precision_loss, reason = "pixels, at most a few hundred")]
    pub fn fit(&self, width: f32, height: f32) -> (f32, f32) {
        let (own_width, own_height) = (self.width as f32, self.height as f32);
        let scale = (width / own_width).min(height / own_height);
        (own_width * scale, own_height * scale)
    }
}

/// Transparency has no place on paper, and mixing it is left to no viewer.
fn on_white(picture: &DynamicImage) -> RgbImage {
    let picture = picture.to_rgba8();
    RgbImage::from_fn(picture.width(), picture.height(), |x, y| {
        let [red, green, blue, alpha] = picture.get_pixel(x, y).0;
        let mixed = |channel: u8| {
            let sum = u16::from(channel) * u16::from(alpha) + 255 * (255 - u16::from(alpha));
            u8::try_from(sum / 255).unwrap_or(u8::MAX)
        };
        Rgb([mixed(red), mixed(green), mixed(blue)])
    })
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use image::{ImageFormat, RgbaImage};

    use super::*;

    fn png(width: u32, height: u32, alpha: u8) -> Vec<u8> {
        let picture = RgbaImage::from_pixel(width, height, image::Rgba([10, 20, 30, alpha]));
        let mut bytes = Vec::new();
        picture.write_to(&mut Cursor::new(&mut bytes), ImageFormat::Png).unwrap();
        bytes
    }

    #[test]
    fn is_made_small_and_keeps_its_proportions() {
        let picture = Picture::read(&png(2_000, 500, 255)).unwrap();
        assert_eq!((picture.width, picture.height), (640, 160));
        assert_eq!(picture.fit(100.0, 100.0), (100.0, 25.0));
    }

    #[test]
    fn what_is_transparent_is_white() {
        let picture = DynamicImage::ImageRgba8(RgbaImage::from_pixel(1, 1, image::Rgba([10, 20, 30, 0])));
        assert_eq!(on_white(&picture).get_pixel(0, 0).0, [255, 255, 255]);
    }

    #[test]
    fn what_is_no_picture_is_refused() {
        assert!(matches!(Picture::read(b"GIF89a"), Err(PaperError::Picture(_))));
    }
}
