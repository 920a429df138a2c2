//! How to pay, what the law wants said, and where a quote is signed.

use permanence_domain::billing::{Cents, DocumentKind};

use super::{ACCENT, HAIRLINE, INK, MUTED, Sheet};
use crate::billing::format;
use crate::paper::{Align, Area, Block, Face, Flow, Line, Span, one_line, wrap};

impl Sheet<'_> {
    pub(super) fn payment(&self, flow: &mut Flow) {
        let document = self.document;
        let text = self.payment_lines(flow.frame.width);
        if text.is_empty() {
            return;
        }
        let mut lines = self.lines(self.words.payment, Face::Bold, 10.5, ACCENT, flow.frame.width);
        lines.extend(text);
        let short = lines.iter().map(|line| line.height).sum::<f32>() < flow.page_height() / 3.0;
        if short {
            let mut block = Block::default();
            block.lines(&lines, 0.0, 0.0, flow.frame.width, Align::Left);
            flow.block(block);
        } else {
            flow.lines(&lines, 0.0);
        }
        flow.gap(if document.kind == DocumentKind::Quote { 8.0 } else { 12.0 });
    }

    fn payment_lines(&self, width: f32) -> Vec<Line> {
        let (document, words, terms) = (self.document, self.words, &self.document.terms);
        let mut lines = Vec::new();
        let fact = |name: &str, value: &str| {
            let spans = [
                Span::new(format!("{name}{} ", words.colon), self.style(Face::Regular, 9.5, MUTED)),
                Span::new(value, self.style(Face::Regular, 9.5, INK)),
            ];
            wrap(&spans, width)
        };
        lines.extend(self.lines(&terms.words, Face::Regular, 9.5, INK, width));
        let owed = document.kind == DocumentKind::Invoice && document.totals.due > Cents::ZERO;
        if !owed {
            return lines;
        }
        let until = format!("{} {}.", words.pay_until, self.date(document.due_on));
        lines.extend(self.lines(&until, Face::Regular, 9.5, INK, width));
        if let Some(iban) = &terms.iban {
            lines.extend(fact("IBAN", &format::in_groups(&one_line(iban), &[4])));
            if let Some(bic) = &terms.bic {
                lines.extend(fact("BIC", &one_line(bic)));
            }
            lines.extend(fact(words.reference, &one_line(&document.number)));
        }
        lines
    }

    /// What the law wants said, never part of a template.
    pub(super) fn mentions(&self, flow: &mut Flow) {
        let (document, words) = (self.document, self.words);
        let mut mentions = Vec::new();
        for total in &document.vat {
            let mention = words.exemption(total.vat.category).map(|text| format!("{text}."));
            if let Some(mention) = mention.filter(|mention| !mentions.contains(mention)) {
                mentions.push(mention);
            }
        }
        // C. com. L441-9 and L441-10: between businesses.
        if document.buyer.siren.is_some() && document.kind == DocumentKind::Invoice {
            let penalty = document.terms.late_penalty.as_deref().unwrap_or(words.late_penalty);
            mentions.push(one_line(penalty));
            mentions.push(words.indemnity.to_owned());
            mentions.push(words.no_early_discount.to_owned());
        }
        let lines: Vec<Line> = mentions
            .iter()
            .flat_map(|mention| self.lines(mention, Face::Regular, 8.5, MUTED, flow.frame.width))
            .collect();
        flow.lines(&lines, 0.0);
    }

    /// Where the buyer of a quote signs.
    pub(super) fn agreement(&self, flow: &mut Flow) {
        let words = self.words;
        let (width, height) = (232.0, 104.0);
        let mut block = Block::default();
        let x = flow.frame.width - width;
        let mut edge = |x, y, width, height| block.fill(Area { x, y, width, height }, HAIRLINE);
        edge(x, 0.0, width, 0.8);
        edge(x, height - 0.8, width, 0.8);
        edge(x, 0.0, 0.8, height);
        edge(x + width - 0.8, 0.0, 0.8, height);
        let inner = width - 24.0;
        let mut write = |text: &str, face, size, colour, y| {
            let lines = self.lines(text, face, size, colour, inner);
            block.lines(&lines, x + 12.0, y, inner, Align::Left)
        };
        let y = write(words.agreed, Face::Bold, 10.5, ACCENT, 9.0);
        let y = write(words.agreed_hint, Face::Regular, 8.5, MUTED, y);
        let y = write(&format!("{}{}", words.agreed_date, words.colon), Face::Regular, 9.0, INK, y + 7.0);
        write(&format!("{}{}", words.agreed_signature, words.colon), Face::Regular, 9.0, INK, y + 3.0);
        flow.gap(18.0);
        flow.block(block);
    }
}
