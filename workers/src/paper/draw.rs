//! Turns pages into the objects of a PDF with printpdf's operations, with of each font only the letters that occur.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use printpdf::{
    Color, ExternalStream, ExternalXObject, FontId, FontMetrics, Mm, Op, PaintMode, ParsedFont, PdfDocument,
    PdfFont, PdfFontHandle, PdfPage, PdfSaveOptions, Pt, Px, Rect, Rgb, TextItem, TextMatrix, XObject,
    XObjectId, XObjectTransform,
};
use subsetter::GlyphRemapper;

use super::PaperError;
use super::font::{Face, Font, Fonts, Style};
use super::geometry::{Area, Colour, PAGE_HEIGHT, PAGE_WIDTH};
use super::image::Picture;
use super::page::{Mark, Page};

/// The pages as objects: without metadata, which the archive brings.
pub(super) fn objects(pages: &[Page], title: &str) -> Result<lopdf::Document, PaperError> {
    let mut document = PdfDocument::new(title);
    for (face, letters) in letters(pages) {
        let font = PdfFont::new(subset(Fonts::shared()?.font(face), &letters)?);
        document.resources.fonts.map.insert(font_id(face), font);
    }
    let mut pictures = Pictures::default();
    document.pages = pages.iter().map(|page| operations(page, &mut pictures)).collect();
    for (place, picture) in pictures.0.iter().enumerate() {
        document.resources.xobjects.map.insert(picture_id(place), external(picture));
    }
    let options = PdfSaveOptions { image_optimization: None, ..PdfSaveOptions::default() };
    Ok(printpdf::to_lopdf_doc(&document, &options, &mut Vec::new()))
}

fn letters(pages: &[Page]) -> BTreeMap<Face, BTreeSet<char>> {
    let mut letters: BTreeMap<Face, BTreeSet<char>> = BTreeMap::new();
    for mark in pages.iter().flat_map(|page| &page.marks) {
        if let Mark::Text { text, style, .. } = mark {
            letters.entry(style.font.face).or_default().extend(text.chars());
        }
    }
    letters
}

/// The font with these letters alone, numbered anew in the order of the alphabet.
fn subset(font: &Font, letters: &BTreeSet<char>) -> Result<ParsedFont, PaperError> {
    let mut numbers = GlyphRemapper::new();
    let mut codes = BTreeMap::new();
    let mut widths = BTreeMap::new();
    for letter in letters {
        let glyph = font.glyph(*letter);
        let number = numbers.remap(glyph.id);
        codes.insert(u32::from(*letter), number);
        widths.insert(number, glyph.advance);
    }
    let program = subsetter::subset(font.data, 0, &numbers)
        .map_err(|error| PaperError::Font(format!("{}: {error}", font.name)))?;
    let metrics = FontMetrics { ascent: font.ascender, descent: font.descender };
    // The tag says that it is a part (ISO 32000-1, 9.6.4); each file holds one part of each font.
    let name = format!("PRMNCE+{}", font.name);
    let mut parsed =
        ParsedFont::with_glyph_data(program, 0, Some(name), codes, widths, font.units_per_em, metrics);
    let described = &mut parsed.pdf_font_metrics;
    [described.x_min, described.y_min, described.x_max, described.y_max] = font.bounds;
    described.us_weight_class = font.weight;
    if font.italic_angle != 0.0 {
        (described.caret_slope_rise, described.caret_slope_run) = slope(font.italic_angle);
    }
    Ok(parsed)
}

/// An angle as printpdf wants it: so much up for so much to the right.
#[expect(clippy::cast_possible_truncation, reason = "below a thousand for any angle of letters")]
fn slope(angle: f32) -> (i16, i16) {
    let run = (-angle).to_radians().tan() * 1000.0;
    (1000, run.round() as i16)
}

fn font_id(face: Face) -> FontId {
    let name = match face {
        Face::Regular => "R",
        Face::Italic => "I",
        Face::Bold => "B",
    };
    FontId(name.to_owned())
}

/// The pictures that occur, each once.
#[derive(Default)]
struct Pictures(Vec<Arc<Picture>>);

impl Pictures {
    fn place(&mut self, picture: &Arc<Picture>) -> usize {
        self.0.iter().position(|known| Arc::ptr_eq(known, picture)).unwrap_or_else(|| {
            self.0.push(Arc::clone(picture));
            self.0.len() - 1
        })
    }
}

fn picture_id(place: usize) -> XObjectId {
    XObjectId(format!("P{place}"))
}

fn external(picture: &Picture) -> XObject {
    use printpdf::DictItem::{Int, Name};
    let name = |text: &str| Name(text.as_bytes().to_vec());
    let dict = [
        ("Type", name("XObject")),
        ("Subtype", name("Image")),
        ("Width", Int(i64::from(picture.width))),
        ("Height", Int(i64::from(picture.height))),
        ("BitsPerComponent", Int(8)),
        ("ColorSpace", name("DeviceRGB")),
        ("Filter", name("FlateDecode")),
    ];
    let dict = dict.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    let stream = ExternalStream { dict, content: picture.data.clone(), compress: false };
    XObject::External(ExternalXObject { stream, width: None::<Px>, height: None, dpi: None })
}

fn operations(page: &Page, pictures: &mut Pictures) -> PdfPage {
    let mut pen =
        Pen { operations: Vec::with_capacity(page.marks.len() * 3), writing: false, style: None, fill: None };
    for mark in &page.marks {
        match mark {
            Mark::Text { x, y, text, style, .. } => pen.write(*x, *y, text, *style),
            Mark::Fill(area, colour) => pen.paint(*area, *colour),
            Mark::Picture(area, picture) => pen.place(*area, picture_id(pictures.place(picture))),
        }
    }
    pen.lift();
    let mut made = PdfPage::new(Mm(0.0), Mm(0.0), pen.operations);
    let sheet = Rect::from_xywh(Pt(0.0), Pt(0.0), Pt(PAGE_WIDTH), Pt(PAGE_HEIGHT));
    (made.media_box, made.trim_box, made.crop_box) = (sheet.clone(), sheet.clone(), sheet);
    made
}

/// What has been drawn and with what, so that nothing is said twice.
struct Pen {
    operations: Vec<Op>,
    writing: bool,
    style: Option<(Face, f32)>,
    fill: Option<Colour>,
}

impl Pen {
    fn write(&mut self, x: f32, y: f32, text: &str, style: Style) {
        if !self.writing {
            self.operations.push(Op::StartTextSection);
            self.writing = true;
        }
        let wanted = (style.font.face, style.size);
        if self.style != Some(wanted) {
            let font = PdfFontHandle::External(font_id(style.font.face));
            self.operations.push(Op::SetFont { font, size: Pt(style.size) });
            self.style = Some(wanted);
        }
        self.colour(style.colour);
        let matrix = TextMatrix::Translate(Pt(hundredths(x)), Pt(hundredths(PAGE_HEIGHT - y)));
        self.operations.push(Op::SetTextMatrix { matrix });
        self.operations.push(Op::ShowText { items: vec![TextItem::Text(text.to_owned())] });
    }

    fn paint(&mut self, area: Area, colour: Colour) {
        self.lift();
        self.colour(colour);
        let mut rectangle = rectangle(area);
        rectangle.mode = Some(PaintMode::Fill);
        self.operations.push(Op::DrawRectangle { rectangle });
    }

    fn place(&mut self, area: Area, id: XObjectId) {
        self.lift();
        let at = rectangle(area);
        let transform = XObjectTransform {
            translate_x: Some(at.x),
            translate_y: Some(at.y),
            scale_x: Some(at.width.0),
            scale_y: Some(at.height.0),
            no_auto_scale: true,
            ..XObjectTransform::default()
        };
        self.operations.push(Op::UseXobject { id, transform });
    }

    fn colour(&mut self, colour: Colour) {
        if self.fill != Some(colour) {
            let part = |channel: u8| (f32::from(channel) / 255.0 * 1000.0).round() / 1000.0;
            let rgb = Rgb::new(part(colour.0), part(colour.1), part(colour.2), None);
            self.operations.push(Op::SetFillColor { col: Color::Rgb(rgb) });
            self.fill = Some(colour);
        }
    }

    fn lift(&mut self) {
        if self.writing {
            self.operations.push(Op::EndTextSection);
            self.writing = false;
        }
    }
}

/// As PDF counts: from the lower edge upwards.
fn rectangle(area: Area) -> Rect {
    let y = PAGE_HEIGHT - area.y - area.height;
    Rect::from_xywh(
        Pt(hundredths(area.x)),
        Pt(hundredths(y)),
        Pt(hundredths(area.width)),
        Pt(hundredths(area.height)),
    )
}

/// No device shows more, and the digits cost bytes.
fn hundredths(points: f32) -> f32 {
    (points * 100.0).round() / 100.0
}
