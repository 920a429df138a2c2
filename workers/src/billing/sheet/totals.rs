//! The totals, the VAT that they hold, and who pays which part: one block that stays together.

use permanence_domain::billing::{Allowance, Cents, DocumentKind, VatCategory};

use super::{ACCENT, HAIRLINE, INK, MUTED, Sheet, TINT};
use crate::paper::{Align, Area, Block, Face, Flow, Span, one_line, wrap_at_most};

/// Width of the box, points.
const BOX: f32 = 254.0;
/// Room for an amount within it, points.
const AMOUNT: f32 = 90.0;
const PADDING: f32 = 10.0;
/// Of the amount to pay, points.
const HEIGHT: f32 = 34.0;

impl Sheet<'_> {
    pub(super) fn totals(&self, flow: &mut Flow) {
        let x = flow.frame.width - BOX;
        let mut block = Block::default();
        if self.bears_vat() {
            block.block(self.vat_table(x - 24.0), 0.0, 0.0);
        }
        block.block(self.total_box(), x, 0.0);
        flow.block(block);
        flow.gap(14.0);
    }

    fn total_box(&self) -> Block {
        let (totals, words) = (&self.document.totals, self.words);
        let mut block = Block::default();
        let mut y = 0.0;
        if totals.allowances != Cents::ZERO {
            y = self.total(&mut block, y, words.subtotal, totals.lines);
            for allowance in &self.document.allowances {
                y = self.total(&mut block, y, &self.allowance(allowance), -allowance.amount);
            }
        }
        if self.bears_vat() {
            y = self.total(&mut block, y, words.total_net, totals.net);
            y = self.total(&mut block, y, words.vat, totals.vat);
        }
        let (quote, paid) = (self.document.kind == DocumentKind::Quote, totals.paid != Cents::ZERO);
        if !quote && (self.bears_vat() || paid) {
            let name = if self.bears_vat() { words.total_gross } else { words.total };
            y = self.total(&mut block, y, name, totals.gross);
        }
        if !quote && paid {
            y = self.total(&mut block, y, words.paid, -totals.paid);
        }
        y = self.amount_to_pay(&mut block, y + 3.0);
        self.shares(&mut block, y + 5.0);
        block
    }

    fn allowance(&self, allowance: &Allowance) -> String {
        let reason = one_line(&allowance.reason);
        let reason = if reason.is_empty() { self.words.discount.to_owned() } else { reason };
        match allowance.vat.category {
            _ if self.document.vat.len() < 2 => reason,
            VatCategory::Standard => {
                format!("{reason} ({}\u{a0}{})", self.words.vat, self.rate(allowance.vat))
            }
            VatCategory::Care | VatCategory::Franchise => {
                format!("{reason} ({})", self.words.exempt.to_lowercase())
            }
        }
    }

    fn total(&self, block: &mut Block, y: f32, name: &str, amount: Cents) -> f32 {
        let width = BOX - AMOUNT - 2.0 * PADDING;
        let name = Span::new(name, self.style(Face::Regular, 9.5, MUTED));
        // The box stays on one page: a reason of any length stands in full in the XML.
        let most = if self.document.allowances.len() > 6 { 1 } else { 3 };
        let name = wrap_at_most(&[name], width, most);
        let amount = self.lines(&self.euros(amount), Face::Regular, 9.5, INK, AMOUNT);
        block.lines(&amount, BOX - AMOUNT - PADDING, y, AMOUNT, Align::Right);
        block.lines(&name, PADDING, y, width, Align::Left) + 4.0
    }

    fn amount_to_pay(&self, block: &mut Block, y: f32) -> f32 {
        let (totals, words) = (&self.document.totals, self.words);
        let (name, amount) = match self.document.kind {
            DocumentKind::Invoice if totals.due == Cents::ZERO => (words.settled, totals.due),
            DocumentKind::Invoice => (words.to_pay, totals.due),
            DocumentKind::CreditNote => (words.credited, totals.due),
            DocumentKind::Quote if self.bears_vat() => (words.total_gross, totals.gross),
            DocumentKind::Quote => (words.total, totals.gross),
        };
        block.fill(Area { x: 0.0, y, width: BOX, height: HEIGHT }, TINT);
        block.fill(Area { x: 0.0, y, width: 3.0, height: HEIGHT }, ACCENT);
        let name = self.lines(name, Face::Bold, 10.5, ACCENT, 110.0);
        let amount = self.euros(amount);
        let room = BOX - 110.0 - 3.0 * PADDING;
        let fits = |size: &f32| self.style(Face::Bold, *size, ACCENT).width(&amount) < room;
        let size = [15.0, 12.0, 9.5].into_iter().find(fits).unwrap_or(7.0);
        let amount = self.lines(&amount, Face::Bold, size, ACCENT, room);
        let middle = |lines: &[crate::paper::Line]| {
            y + (HEIGHT - lines.iter().map(|line| line.height).sum::<f32>()) / 2.0
        };
        block.lines(&name, PADDING, middle(&name), 110.0, Align::Left);
        block.lines(&amount, BOX - PADDING - room, middle(&amount), room, Align::Right);
        y + HEIGHT
    }

    fn shares(&self, block: &mut Block, y: f32) {
        let Some(shares) = &self.document.shares else { return };
        let insurer = match shares.insurer_name.as_deref().map(one_line).filter(|name| !name.is_empty()) {
            Some(name) => format!("{} ({name})", self.words.insurer_share),
            None => self.words.insurer_share.to_owned(),
        };
        let y = self.total(block, y, self.words.patient_share, shares.patient);
        self.total(block, y, &insurer, shares.insurer);
    }

    /// Basis and tax of each rate (CGI ann. II 242 nonies A, I 10° and 11°).
    fn vat_table(&self, width: f32) -> Block {
        let words = self.words;
        let mut block = Block::default();
        let third = width / 3.0;
        let columns = [(0.0, Align::Left), (third, Align::Right), (2.0 * third, Align::Right)];
        let mut y = 0.0;
        let mut row = |y: f32, texts: [&str; 3], face, size, colour| {
            columns.iter().zip(texts).fold(y, |bottom, ((x, align), text)| {
                let lines = self.lines(text, face, size, colour, third);
                block.lines(&lines, *x, y, third, *align).max(bottom)
            })
        };
        y = row(y, [words.vat_rate, words.vat_basis, words.vat_tax], Face::Bold, 8.0, ACCENT) + 3.0;
        let mut rules = vec![y];
        for total in &self.document.vat {
            let (basis, tax) = (self.euros(total.basis), self.euros(total.tax));
            y = row(y + 3.0, [&self.rate(total.vat), &basis, &tax], Face::Regular, 9.0, INK) + 3.0;
            rules.push(y);
        }
        for y in rules {
            block.fill(Area { x: 0.0, y, width, height: 0.4 }, HAIRLINE);
        }
        block
    }
}
