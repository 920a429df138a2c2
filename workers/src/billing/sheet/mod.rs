//! The page of a document: letterhead and address for a window envelope, what is invoiced, totals, payment, the mentions
//! of the law. What the law wants is drawn here, whatever the words of a practice's template leave out.

mod head;
mod items;
mod payment;
mod template;
mod totals;

use std::sync::Arc;

use permanence_domain::billing::{Document, DocumentKind, VatCategory};

use super::format;
use super::words::{self, Words};
use crate::paper::{
    Align, Area, Block, Colour, Face, Flow, Fonts, Frame, Line, Mark, Page, PaperError, Picture, Span, Style,
    mm, one_line, wrap, wrap_at_most,
};

const INK: Colour = Colour(27, 31, 35);
const MUTED: Colour = Colour(92, 103, 112);
const ACCENT: Colour = Colour(18, 88, 99);
const HAIRLINE: Colour = Colour(212, 219, 223);
const TINT: Colour = Colour(236, 243, 244);

/// Left and right margin, millimetres.
const MARGIN: f32 = 20.0;

/// A document that is being drawn.
pub(super) struct Sheet<'a> {
    document: &'a Document,
    words: &'static Words,
    fonts: &'static Fonts,
    logo: Option<Arc<Picture>>,
}

impl<'a> Sheet<'a> {
    pub(super) fn new(document: &'a Document, logo: Option<Arc<Picture>>) -> Result<Self, PaperError> {
        let words = words::of(document.language);
        Ok(Self { document, words, fonts: Fonts::shared()?, logo })
    }

    /// Draws it.
    pub(super) fn pages(&self) -> Vec<Page> {
        let frame = Frame {
            left: mm(MARGIN),
            width: mm(210.0 - 2.0 * MARGIN),
            top: mm(15.0),
            top_after: mm(26.0),
            bottom: mm(297.0 - 21.0),
        };
        let mut flow = Flow::new(frame, self.running_head());
        self.head(&mut flow);
        self.body(&mut flow);
        self.mentions(&mut flow);
        if self.document.kind == DocumentKind::Quote {
            self.agreement(&mut flow);
        }
        let footer = self.footer_line(frame.width);
        flow.finish(|page, count| self.footer(frame, &footer, page, count))
    }

    fn style(&self, face: Face, size: f32, colour: Colour) -> Style {
        self.fonts.style(face, size, colour)
    }

    fn lines(&self, text: &str, face: Face, size: f32, colour: Colour, width: f32) -> Vec<Line> {
        wrap(&[Span::new(text, self.style(face, size, colour))], width)
    }

    /// Kind and number, as they stand on later pages and in the footer.
    fn title(&self) -> String {
        format!("{} {}", self.words.kind(self.document.kind), one_line(&self.document.number))
    }

    fn seller_name(&self) -> String {
        let seller = &self.document.seller;
        one_line(seller.trading_name.as_deref().unwrap_or(&seller.legal_name))
    }

    fn running_head(&self) -> Block {
        let mut block = Block::default();
        let width = mm(210.0 - 2.0 * MARGIN);
        let name = self.short(&self.seller_name(), Face::Regular, 8.5, MUTED, width * 0.6);
        let title = self.short(&self.title(), Face::Bold, 8.5, MUTED, width * 0.38);
        block.lines(&name, mm(MARGIN), mm(14.0), width, Align::Left);
        block.lines(&title, mm(MARGIN), mm(14.0), width, Align::Right);
        block
    }

    /// A text on one line, cut with an ellipsis where there is no room: for what stands in full elsewhere.
    fn short(&self, text: &str, face: Face, size: f32, colour: Colour, width: f32) -> Vec<Line> {
        wrap_at_most(&[Span::new(one_line(text), self.style(face, size, colour))], width, 1)
    }

    /// Who the seller is in law, on each page.
    fn footer_line(&self, width: f32) -> Vec<Line> {
        let seller = &self.document.seller;
        let mut parts = vec![one_line(&seller.legal_name)];
        parts.extend(seller.legal_form.as_deref().map(one_line));
        parts.push(format!("SIRET {}", format::in_groups(&seller.siret, &[3, 3, 3, 5])));
        if let Some(number) = &seller.vat_id {
            parts.push(format!("{} {}", self.words.seller_vat_id, one_line(number)));
        }
        self.short(&parts.join(" · "), Face::Regular, 7.5, MUTED, width - mm(45.0))
    }

    fn footer(&self, frame: Frame, seller: &[Line], page: usize, count: usize) -> Vec<Mark> {
        let mut block = Block::default();
        let y = mm(297.0 - 16.0);
        block.fill(Area { x: frame.left, y, width: frame.width, height: 0.5 }, HAIRLINE);
        block.lines(seller, frame.left, y + 5.0, frame.width, Align::Left);
        let pages = format!("{} {page}/{count}", self.words.page);
        let pages = self.lines(&pages, Face::Regular, 7.5, MUTED, frame.width);
        block.lines(&pages, frame.left, y + 5.0, frame.width, Align::Right);
        block.into_marks()
    }

    /// Whether anything bears VAT: without, nothing is "before tax" and no column says so.
    fn bears_vat(&self) -> bool {
        self.document.vat.iter().any(|total| total.vat.category == VatCategory::Standard)
    }

    fn euros(&self, amount: permanence_domain::billing::Cents) -> String {
        format::euros(amount, self.document.language)
    }

    fn date(&self, day: chrono::NaiveDate) -> String {
        format::date(day, self.document.language)
    }
}
