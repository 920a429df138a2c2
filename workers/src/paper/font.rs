//! The typefaces that pages are set in: Source Sans 3, whose digits all have one width. Read once for the process.

use std::sync::OnceLock;

use super::{Colour, PaperError};

/// One of the three cuts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Face {
    /// Upright.
    Regular,
    /// Slanted.
    Italic,
    /// Heavy.
    Bold,
}

/// The three cuts of the typeface.
#[derive(Debug)]
pub struct Fonts {
    regular: Font,
    italic: Font,
    bold: Font,
}

impl Fonts {
    /// The fonts of the process.
    pub fn shared() -> Result<&'static Self, PaperError> {
        static FONTS: OnceLock<Result<Fonts, String>> = OnceLock::new();
        FONTS.get_or_init(Self::read).as_ref().map_err(|error| PaperError::Font(error.clone()))
    }

    fn read() -> Result<Self, String> {
        Ok(Self {
            regular: Font::read(
                Face::Regular,
                include_bytes!("../../assets/fonts/SourceSans3-Regular.ttf"),
                "SourceSans3-Regular",
            )?,
            italic: Font::read(
                Face::Italic,
                include_bytes!("../../assets/fonts/SourceSans3-Italic.ttf"),
                "SourceSans3-Italic",
            )?,
            bold: Font::read(
                Face::Bold,
                include_bytes!("../../assets/fonts/SourceSans3-Bold.ttf"),
                "SourceSans3-Bold",
            )?,
        })
    }

    /// A cut in a size, points, and a colour.
    pub fn style(&'static self, face: Face, size: f32, colour: Colour) -> Style {
        Style { font: self.font(face), size, colour }
    }

    pub(super) fn font(&self, face: Face) -> &Font {
        match face {
            Face::Regular => &self.regular,
            Face::Italic => &self.italic,
            Face::Bold => &self.bold,
        }
    }
}

/// How a piece of text looks.
#[derive(Debug, Clone, Copy)]
pub struct Style {
    pub(super) font: &'static Font,
    /// Points.
    pub size: f32,
    /// Of the letters.
    pub colour: Colour,
}

impl Style {
    /// The same in another cut.
    #[must_use]
    pub fn with(self, fonts: &'static Fonts, face: Face) -> Self {
        Self { font: fonts.font(face), ..self }
    }

    /// How wide a text is, without kerning: digits stay in their columns.
    pub fn width(self, text: &str) -> f32 {
        text.chars().map(|character| self.advance(character)).sum()
    }

    pub(super) fn advance(self, character: char) -> f32 {
        f32::from(self.font.glyph(character).advance) * self.size / f32::from(self.font.units_per_em)
    }
}

impl PartialEq for Style {
    fn eq(&self, other: &Self) -> bool {
        self.font.face == other.font.face && self.size == other.size && self.colour == other.colour
    }
}

/// A shape of a font: its number, 0 where the font has none, and how far the pen moves, font units.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Glyph {
    pub(super) id: u16,
    pub(super) advance: u16,
}

/// One cut, read.
pub(super) struct Font {
    pub(super) face: Face,
    pub(super) data: &'static [u8],
    pub(super) name: &'static str,
    pub(super) units_per_em: u16,
    pub(super) ascender: i16,
    pub(super) descender: i16,
    pub(super) bounds: [i16; 4],
    pub(super) weight: u16,
    pub(super) italic_angle: f32,
    /// By code point of the basic plane; the typeface has nothing beyond it.
    glyphs: Vec<Glyph>,
}

impl Font {
    fn read(face: Face, data: &'static [u8], name: &'static str) -> Result<Self, String> {
        let parsed = ttf_parser::Face::parse(data, 0).map_err(|error| format!("{name}: {error}"))?;
        let mut glyphs = vec![Glyph::default(); 1 << 16];
        for table in parsed.tables().cmap.into_iter().flat_map(|cmap| cmap.subtables) {
            if table.is_unicode() {
                table.codepoints(|code| {
                    let place = usize::try_from(code).ok().and_then(|code| glyphs.get_mut(code));
                    if let (Some(glyph), Some(id)) = (place, table.glyph_index(code)) {
                        let advance = parsed.glyph_hor_advance(id).unwrap_or_default();
                        *glyph = Glyph { id: id.0, advance };
                    }
                });
            }
        }
        let bounds = parsed.global_bounding_box();
        Ok(Self {
            face,
            data,
            name,
            units_per_em: parsed.units_per_em(),
            ascender: parsed.ascender(),
            descender: parsed.descender(),
            bounds: [bounds.x_min, bounds.y_min, bounds.x_max, bounds.y_max],
            weight: parsed.weight().to_number(),
            italic_angle: parsed.italic_angle(),
            glyphs,
        })
    }

    pub(super) fn glyph(&self, character: char) -> Glyph {
        let code = usize::try_from(u32::from(character)).unwrap_or(usize::MAX);
        self.glyphs.get(code).copied().unwrap_or_default()
    }

    pub(super) fn has(&self, character: char) -> bool {
        self.glyph(character).id != 0
    }
}

impl std::fmt::Debug for Font {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_tuple("Font").field(&self.name).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_set_in_columns() {
        let fonts = Fonts::shared().unwrap();
        for face in [Face::Regular, Face::Bold] {
            let font = fonts.font(face);
            let widths: Vec<u16> = ('0'..='9').map(|digit| font.glyph(digit).advance).collect();
            assert!(widths.iter().all(|width| *width == widths[0]), "{face:?}: {widths:?}");
        }
    }

    #[test]
    fn what_french_needs_is_there() {
        let fonts = Fonts::shared().unwrap();
        for face in [Face::Regular, Face::Italic, Face::Bold] {
            for character in "éèêëàâäîïôöùûüçœæÉÈÀÇŒÆ€«»’–—… \u{a0}\u{202f}□•×−".chars()
            {
                assert!(fonts.font(face).has(character), "{face:?} {character:?}");
            }
        }
    }
}
