//! Reads Markdown into parts that a page can show: headings, paragraphs, lists, tables, emphasis. Raw HTML is dropped;
//! of links and pictures the words stay, no address is ever followed or written.

use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag, TagEnd};

use super::font::{Face, Fonts, Style};
use super::wrap::Span;

/// A part of a text.
#[derive(Debug)]
pub enum Part {
    /// A heading and its level, 1 the highest.
    Heading(u8, Vec<Span>),
    /// A paragraph.
    Paragraph(Vec<Span>),
    /// An entry of a list: its depth from 1, what stands before it, and its text.
    Entry(u8, String, Vec<Span>),
    /// A table: its rows, the first of which is the head.
    Table(Vec<Vec<Vec<Span>>>),
    /// A line across.
    Rule,
}

impl Part {
    /// The words of a paragraph, without their looks.
    pub fn plain(&self) -> Option<String> {
        match self {
            Self::Paragraph(spans) => Some(spans.iter().map(|span| span.text.as_str()).collect()),
            _ => None,
        }
    }
}

/// Reads Markdown; `style` is that of its running text.
pub fn read(text: &str, fonts: &'static Fonts, style: Style) -> Vec<Part> {
    let mut reader = Reader::new(fonts, style);
    for event in Parser::new_ext(text, Options::ENABLE_TABLES) {
        reader.event(event);
    }
    reader.end_paragraph();
    reader.parts
}

struct Reader {
    fonts: &'static Fonts,
    style: Style,
    parts: Vec<Part>,
    spans: Vec<Span>,
    strong: usize,
    emphasis: usize,
    /// The numbers of the lists that are open, innermost last; none where a list has points.
    lists: Vec<Option<u64>>,
    /// What stands before the entry that is being read.
    bullet: Option<String>,
    rows: Vec<Vec<Vec<Span>>>,
}

impl Reader {
    fn new(fonts: &'static Fonts, style: Style) -> Self {
        Self {
            fonts,
            style,
            parts: Vec::new(),
            spans: Vec::new(),
            strong: 0,
            emphasis: 0,
            lists: Vec::new(),
            bullet: None,
            rows: Vec::new(),
        }
    }

    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.start(&tag),
            Event::End(tag) => self.end(tag),
            Event::Text(text) | Event::Code(text) | Event::InlineMath(text) | Event::DisplayMath(text) => {
                self.write(&text);
            }
            Event::SoftBreak => self.write(" "),
            Event::HardBreak => self.write("\n"),
            Event::Rule => self.parts.push(Part::Rule),
            Event::Html(_)
            | Event::InlineHtml(_)
            | Event::FootnoteReference(_)
            | Event::TaskListMarker(_) => {}
        }
    }

    fn start(&mut self, tag: &Tag<'_>) {
        match tag {
            Tag::Strong => self.strong += 1,
            Tag::Emphasis => self.emphasis += 1,
            Tag::List(first) => {
                self.end_paragraph();
                self.lists.push(*first);
            }
            Tag::Item => self.bullet = Some(self.next_bullet()),
            Tag::TableHead | Tag::TableRow => self.rows.push(Vec::new()),
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Strong => self.strong = self.strong.saturating_sub(1),
            TagEnd::Emphasis => self.emphasis = self.emphasis.saturating_sub(1),
            TagEnd::Heading(level) => {
                let spans = std::mem::take(&mut self.spans);
                self.parts.push(Part::Heading(number(level), spans));
            }
            TagEnd::Paragraph | TagEnd::CodeBlock => self.end_paragraph(),
            TagEnd::Item => {
                self.end_paragraph();
                self.bullet = None;
            }
            TagEnd::List(_) => {
                self.lists.pop();
            }
            TagEnd::TableCell => {
                let spans = std::mem::take(&mut self.spans);
                if let Some(row) = self.rows.last_mut() {
                    row.push(spans);
                }
            }
            TagEnd::Table => self.parts.push(Part::Table(std::mem::take(&mut self.rows))),
            _ => {}
        }
    }

    fn write(&mut self, text: &str) {
        let style = match (self.strong, self.emphasis) {
            (0, 0) => self.style,
            (0, _) => self.style.with(self.fonts, Face::Italic),
            _ => self.style.with(self.fonts, Face::Bold),
        };
        match self.spans.last_mut() {
            Some(last) if last.style == style => last.text.push_str(text),
            _ => self.spans.push(Span::new(text, style)),
        }
    }

    fn end_paragraph(&mut self) {
        let spans = std::mem::take(&mut self.spans);
        if spans.is_empty() {
            return;
        }
        if self.lists.is_empty() {
            self.parts.push(Part::Paragraph(spans));
        } else {
            let depth = u8::try_from(self.lists.len()).unwrap_or(u8::MAX);
            self.parts.push(Part::Entry(depth, self.bullet.take().unwrap_or_default(), spans));
        }
    }

    fn next_bullet(&mut self) -> String {
        match self.lists.last_mut() {
            Some(Some(number)) => {
                let bullet = format!("{number}.");
                *number += 1;
                bullet
            }
            _ => "•".to_owned(),
        }
    }
}

fn number(level: HeadingLevel) -> u8 {
    match level {
        HeadingLevel::H1 => 1,
        HeadingLevel::H2 => 2,
        _ => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::paper::Colour;

    fn shown(text: &str) -> String {
        let fonts = Fonts::shared().unwrap();
        let style = fonts.style(Face::Regular, 10.0, Colour(0, 0, 0));
        let words = |spans: &[Span]| spans.iter().map(|span| span.text.clone()).collect::<Vec<_>>().join("+");
        let parts = read(text, fonts, style).into_iter().map(|part| match part {
            Part::Heading(level, spans) => format!("h{level} {}", words(&spans)),
            Part::Paragraph(spans) => format!("p {}", words(&spans)),
            Part::Entry(depth, bullet, spans) => format!("{depth}{bullet} {}", words(&spans)),
            Part::Table(rows) => format!("table {}x{}", rows.len(), rows[0].len()),
            Part::Rule => "rule".to_owned(),
        });
        parts.collect::<Vec<_>>().join("|")
    }

    #[test]
    fn reads_what_a_practice_writes() {
        assert_eq!(shown("# Note\nBonjour **Léa**,\nmerci."), "h1 Note|p Bonjour +Léa+, merci.");
        assert_eq!(shown("- un\n- deux\n  1. trois\n\n---\n"), "1• un|1• deux|21. trois|rule");
        assert_eq!(shown("|a|b|\n|-|-|\n|1|2|"), "table 2x2");
        assert_eq!(shown("un\n\n[[items]]\n\ndeux"), "p un|p [[items]]|p deux");
    }

    #[test]
    fn drops_html_and_addresses() {
        assert_eq!(shown("a <b onclick=x>c</b> [d](javascript:e) ![f](http://g)"), "p a c d f");
        assert_eq!(shown("<script>alert(1)</script>\n\nb"), "p b");
        assert_eq!(shown("](javascript:"), "p ](javascript:");
    }
}
