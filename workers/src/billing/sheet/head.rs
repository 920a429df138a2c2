//! The upper part of the first page: who sells, who is to pay, what the paper is.

use permanence_domain::billing::{Address, DocumentKind};

use super::{ACCENT, HAIRLINE, INK, MUTED, Sheet};
use crate::billing::format;
use crate::paper::{
    Align, Area, Block, Column, Face, Flow, Line, Mark, Rules, Span, Table, mm, one_line, wrap,
};

/// Where the address stands in the window of a DL envelope, folded in three, window to the right (La Poste): from the
/// left edge and the upper edge of the page, millimetres.
const WINDOW: (f32, f32) = (110.0, 51.0);
/// Width of the address and of the letterhead, millimetres.
const ADDRESS_WIDTH: f32 = 80.0;
/// Below this the window shows nothing, millimetres.
const WINDOW_END: f32 = 84.0;
/// The first fold, millimetres: the paper's title stands below it.
const TITLE: f32 = 98.0;

impl Sheet<'_> {
    pub(super) fn head(&self, flow: &mut Flow) {
        let width = mm(ADDRESS_WIDTH);
        let logo = self.logo_block();
        let (seller, buyer) = (self.seller(width), self.buyer(width));
        let logo_height = if logo.height > 0.0 { logo.height + 8.0 } else { 0.0 };
        let top = flow.frame.top;
        let fits = top + logo_height + height(&seller) <= mm(TITLE)
            && mm(WINDOW.1) + height(&buyer) <= mm(WINDOW_END);
        flow.draw(logo, flow.frame.left, top);
        if fits {
            let mut block = Block::default();
            block.lines(&seller, flow.frame.left, top + logo_height, width, Align::Left);
            block.lines(&buyer, mm(WINDOW.0), mm(WINDOW.1), width, Align::Left);
            flow.draw(block, 0.0, 0.0);
            flow.go_to(mm(TITLE));
        } else {
            tall_head(flow, logo_height, seller, buyer);
        }
        self.title_block(flow);
        self.facts(flow);
        flow.gap(20.0);
    }

    fn logo_block(&self) -> Block {
        let mut block = Block::default();
        if let Some(logo) = &self.logo {
            let (width, height) = logo.fit(mm(60.0), mm(20.0));
            let area = Area { x: 0.0, y: 0.0, width, height };
            block.mark(Mark::Picture(area, logo.clone()), height);
        }
        block
    }

    fn seller(&self, width: f32) -> Vec<Line> {
        let seller = &self.document.seller;
        let mut lines = self.lines(&self.seller_name(), Face::Bold, 13.0, ACCENT, width);
        let mut add =
            |text: &str, colour| lines.extend(self.lines(&one_line(text), Face::Regular, 9.0, colour, width));
        if seller.trading_name.is_some() {
            add(&seller.legal_name, INK);
        }
        if let Some(practitioner) = &seller.practitioner {
            add(practitioner, INK);
        }
        for line in address(&seller.address, "FR") {
            add(&line, INK);
        }
        let phone = seller.phone.as_deref().map(phone);
        let reached = [phone.as_deref(), seller.email.as_deref()];
        let reached: Vec<&str> = reached.into_iter().flatten().collect();
        add(&reached.join(" · "), INK);
        add(&format!("SIRET {}", format::in_groups(&seller.siret, &[3, 3, 3, 5])), MUTED);
        if let Some(form) = &seller.legal_form {
            add(form, MUTED);
        }
        if let Some(number) = &seller.vat_id {
            add(&format!("{} {number}", self.words.seller_vat_id), MUTED);
        }
        lines
    }

    fn buyer(&self, width: f32) -> Vec<Line> {
        let buyer = &self.document.buyer;
        let mut lines = self.lines(&one_line(&buyer.name), Face::Bold, 11.0, INK, width);
        for line in
            buyer.address.iter().flat_map(|place| address(place, &self.document.seller.address.country))
        {
            lines.extend(self.lines(&line, Face::Regular, 11.0, INK, width));
        }
        lines
    }

    fn title_block(&self, flow: &mut Flow) {
        let kind = self.style(Face::Bold, 24.0, ACCENT);
        let number = self.style(Face::Regular, 24.0, MUTED);
        let spans = [
            Span::new(self.words.kind(self.document.kind), kind),
            Span::new(" ", kind),
            Span::new(one_line(&self.document.number), number),
        ];
        flow.lines(&wrap(&spans, flow.frame.width), 0.0);
        if let Some(credited) = &self.document.credits {
            let number = one_line(&credited.number);
            let (credits, of) = self.words.credits;
            let text = format!("{credits} {number} {of} {}", self.date(credited.issued_on));
            flow.lines(&self.lines(&text, Face::Regular, 10.5, INK, flow.frame.width), 0.0);
        }
        flow.gap(8.0);
    }

    /// Dates and references, four beside one another.
    fn facts(&self, flow: &mut Flow) {
        const BESIDE: usize = 4;
        let facts = self.fact_list();
        flow.gap(2.0);
        let width = Column::even(flow.frame.width, 4);
        let column = Column { width, align: Align::Left };
        let rows = facts.chunks(BESIDE).map(|facts| {
            let cell = |(label, value): &(&str, String)| {
                let mut lines = self.lines(label, Face::Regular, 8.0, MUTED, width);
                lines.extend(self.lines(value, Face::Bold, 9.5, INK, width));
                lines
            };
            facts.iter().map(cell).collect()
        });
        let mut rule = Block::default();
        rule.fill(Area { x: 0.0, y: 0.0, width: flow.frame.width, height: 0.5 }, HAIRLINE);
        flow.need(40.0);
        flow.block(rule);
        let rules = Rules { head: (0.0, HAIRLINE), row: (0.5, HAIRLINE), padding: 6.0 };
        Table { columns: vec![column; BESIDE], head: Vec::new(), rows: rows.collect(), rules }.draw(flow);
    }

    fn fact_list(&self) -> Vec<(&'static str, String)> {
        let (document, words) = (self.document, self.words);
        let (first, last) = document.supplied;
        let mut facts = vec![(words.issued, self.date(document.issued_on))];
        let supplied = if first == last {
            self.date(first)
        } else {
            format!("{} – {}", self.date(first), self.date(last))
        };
        facts.push((words.supplied, supplied));
        match document.kind {
            DocumentKind::Invoice => facts.push((words.due, self.date(document.due_on))),
            DocumentKind::Quote => facts.push((words.valid_until, self.date(document.due_on))),
            DocumentKind::CreditNote => {}
        }
        let buyer = &document.buyer;
        facts.extend(document.buyer_reference.as_deref().map(|text| (words.buyer_reference, one_line(text))));
        facts.extend(buyer.siren.as_deref().map(|siren| (words.buyer_siren, format::in_groups(siren, &[3]))));
        facts.extend(buyer.vat_id.as_deref().map(|number| (words.buyer_vat_id, one_line(number))));
        facts
    }
}

/// Names too long for their places stand side by side over as many pages as they need.
fn tall_head(flow: &mut Flow, logo_height: f32, seller: Vec<Line>, buyer: Vec<Line>) {
    flow.skip(logo_height.max(mm(WINDOW.1) - flow.frame.top - height(&seller).min(mm(20.0))));
    let left = Column { width: mm(ADDRESS_WIDTH), align: Align::Left };
    let rest = Column::rest(flow.frame.width, &[left]);
    let rules = Rules { head: (0.0, HAIRLINE), row: (0.0, HAIRLINE), padding: 0.0 };
    let columns = vec![left, Column { width: rest, align: Align::Left }];
    Table { columns, head: Vec::new(), rows: vec![vec![seller, buyer]], rules }.draw(flow);
    flow.gap(24.0);
}

fn height(lines: &[Line]) -> f32 {
    lines.iter().map(|line| line.height).sum()
}

/// An address as it stands on an envelope; the country where it is not that of the sender.
fn address(address: &Address, home: &str) -> Vec<String> {
    let mut lines = vec![one_line(&address.line)];
    lines.extend(address.complement.as_deref().map(one_line));
    lines.push(one_line(&format!("{} {}", address.postcode, address.city)));
    if address.country != home {
        lines.push(one_line(&address.country));
    }
    lines.retain(|line| !line.is_empty());
    lines
}

/// A number of France as it is read out, others as they are.
fn phone(number: &str) -> String {
    match number.strip_prefix("+33") {
        Some(national) if national.len() == 9 => format::in_groups(&format!("0{national}"), &[2]),
        _ => number.to_owned(),
    }
}
