//! Breaks text into lines that fit a column. Breaks at blanks and after hyphens; a word wider than the column is broken
//! where it must be, so that nothing ever stands outside.

use super::font::Style;
use super::text::{drawn, printable};

/// Leading as a multiple of the size.
const LEADING: f32 = 1.32;
/// Where capitals have their middle above the baseline, as a part of the size.
const CAPITALS: f32 = 0.33;

/// A stretch of text in one style.
#[derive(Debug, Clone)]
pub struct Span {
    /// The text; line ends break lines.
    pub text: String,
    /// How it looks.
    pub style: Style,
}

impl Span {
    /// A stretch of text.
    pub fn new(text: impl Into<String>, style: Style) -> Self {
        Self { text: text.into(), style }
    }
}

/// A stretch of a line, as it is drawn.
#[derive(Debug, Clone)]
pub(super) struct Piece {
    pub(super) x: f32,
    pub(super) width: f32,
    pub(super) text: String,
    pub(super) style: Style,
}

/// A line that fits.
#[derive(Debug, Clone, Default)]
pub struct Line {
    pub(super) pieces: Vec<Piece>,
    /// Of its letters, without the blanks at its end.
    pub width: f32,
    /// From the line above to the line below.
    pub height: f32,
}

impl Line {
    /// The baseline, from the top of the line: capitals stand in the middle.
    pub(super) fn baseline(&self) -> f32 {
        self.height / 2.0 + self.height / LEADING * CAPITALS
    }

    /// Ends the line with an ellipsis, in place of letters where there is no room.
    fn leave_off(&mut self, width: f32) {
        let Some(last) = self.pieces.last_mut() else { return };
        let (style, before) = (last.style, self.width - last.width);
        let ellipsis = style.advance('…');
        while last.text.ends_with(' ') || before + last.width + ellipsis > width {
            let Some(letter) = last.text.pop() else { break };
            last.width -= style.advance(letter);
        }
        last.text.push('…');
        last.width += ellipsis;
        self.width = before + last.width;
    }

    fn push(&mut self, text: &str, width: f32, style: Style) {
        match self.pieces.last_mut() {
            Some(last) if last.style == style => {
                last.text.push_str(text);
                last.width += width;
            }
            _ => self.pieces.push(Piece { x: self.width, width, text: text.to_owned(), style }),
        }
        self.width += width;
        self.height = self.height.max(style.size * LEADING);
    }
}

/// Breaks spans into lines at most `width` wide. Text without a letter gives no line; an empty line within text stays.
pub fn wrap(spans: &[Span], width: f32) -> Vec<Line> {
    let mut breaker =
        Breaker { width, lines: Vec::new(), line: Line::default(), word: Vec::new(), blank: None };
    for span in spans {
        breaker.span(&printable(&span.text), span.style);
    }
    breaker.end()
}

/// The same, but no more than so many lines: an ellipsis says that there was more.
pub fn wrap_at_most(spans: &[Span], width: f32, most: usize) -> Vec<Line> {
    let mut lines = wrap(spans, width);
    if lines.len() > most {
        lines.truncate(most);
        if let Some(last) = lines.last_mut() {
            last.leave_off(width);
        }
    }
    lines
}

struct Breaker {
    width: f32,
    lines: Vec<Line>,
    line: Line,
    /// The word that is being read: more than one style can be in it.
    word: Vec<(String, f32, Style)>,
    /// The blank before it.
    blank: Option<Style>,
}

impl Breaker {
    fn span(&mut self, text: &str, style: Style) {
        for character in text.chars() {
            match character {
                '\n' => {
                    self.take_word();
                    self.blank = None;
                    self.break_line(style);
                }
                ' ' => {
                    self.take_word();
                    self.blank = Some(style);
                }
                _ => {
                    // Not after the sign of a number.
                    let hyphen = character == '-' && !self.word.is_empty();
                    self.letter(drawn(character, style.font), style);
                    if hyphen {
                        self.take_word();
                    }
                }
            }
        }
    }

    fn letter(&mut self, character: char, style: Style) {
        let advance = style.advance(character);
        match self.word.last_mut() {
            Some((text, width, last)) if *last == style => {
                text.push(character);
                *width += advance;
            }
            _ => self.word.push((character.to_string(), advance, style)),
        }
    }

    /// Puts the word that was read on the line, on the next one, or on as many as it needs.
    fn take_word(&mut self) {
        if self.word.is_empty() {
            return;
        }
        let word = std::mem::take(&mut self.word);
        let needed: f32 = word.iter().map(|(_, width, _)| width).sum();
        let blank = self.blank.take().filter(|_| !self.line.pieces.is_empty());
        let blank_width = blank.map_or(0.0, |style| style.advance(' '));
        if self.line.width + blank_width + needed <= self.width {
            if let Some(style) = blank {
                self.line.push(" ", blank_width, style);
            }
        } else if !self.line.pieces.is_empty() {
            self.finish_line();
        }
        for (text, width, style) in word {
            if self.line.width + width <= self.width {
                self.line.push(&text, width, style);
            } else {
                self.cut(&text, style);
            }
        }
    }

    fn cut(&mut self, text: &str, style: Style) {
        let mut letter = [0; 4];
        for character in text.chars() {
            let advance = style.advance(character);
            if self.line.width + advance > self.width && !self.line.pieces.is_empty() {
                self.finish_line();
            }
            self.line.push(character.encode_utf8(&mut letter), advance, style);
        }
    }

    fn break_line(&mut self, style: Style) {
        self.line.height = self.line.height.max(style.size * LEADING);
        self.finish_line();
    }

    fn finish_line(&mut self) {
        self.lines.push(std::mem::take(&mut self.line));
    }

    fn end(mut self) -> Vec<Line> {
        self.take_word();
        if !self.line.pieces.is_empty() {
            self.finish_line();
        }
        let written = self.lines.iter().rposition(|line| !line.pieces.is_empty());
        self.lines.truncate(written.map_or(0, |last| last + 1));
        let first = self.lines.iter().position(|line| !line.pieces.is_empty()).unwrap_or_default();
        self.lines.drain(..first);
        self.lines
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::paper::{Colour, Face, Fonts};

    fn style() -> Style {
        Fonts::shared().unwrap().style(Face::Regular, 10.0, Colour(0, 0, 0))
    }

    fn texts(lines: &[Line]) -> Vec<String> {
        let text = |line: &Line| line.pieces.iter().map(|piece| piece.text.as_str()).collect();
        lines.iter().map(text).collect()
    }

    #[test]
    fn breaks_at_blanks_and_where_it_must() {
        let lines = wrap(&[Span::new("Bilan kinésithérapique initial", style())], 90.0);
        assert_eq!(texts(&lines), ["Bilan", "kinésithérapique", "initial"]);
        let lines = wrap(&[Span::new("un\n\ndeux\n", style())], 90.0);
        assert_eq!(texts(&lines), ["un", "", "deux"]);
        assert!(wrap(&[Span::new(" \n ", style())], 90.0).is_empty());
        assert!(wrap(&[Span::new("W".repeat(500), style())], 90.0).len() > 40);
    }

    #[test]
    fn what_is_cut_says_so() {
        let cut = |text: &str, most| texts(&wrap_at_most(&[Span::new(text, style())], 60.0, most));
        assert_eq!(cut("Bilan initial complet", 1), ["Bilan initial…"]);
        assert_eq!(cut("Bilan initial complet", 2), ["Bilan initial", "complet"]);
        assert_eq!(cut(&"W".repeat(9), 1), ["WWWWWW…"]);
    }

    #[test]
    fn a_word_may_change_its_style() {
        let bold = style().with(Fonts::shared().unwrap(), Face::Bold);
        let lines = wrap(&[Span::new("un mot", style()), Span::new("gras", bold)], 200.0);
        assert_eq!(lines.len(), 1);
        assert_eq!(lines[0].pieces.len(), 2);
        assert_eq!(texts(&lines), ["un motgras"]);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn every_line_fits_and_every_letter_is_there(text in "\\PC{0,300}", width in 40.0f32..400.0) {
            let style = style();
            let lines = wrap(&[Span::new(text.clone(), style)], width);
            for line in &lines {
                prop_assert!(line.width <= width + 0.01, "{} > {width}", line.width);
            }
            let letters = |text: &str| text.chars().filter(|c| *c != ' ' && *c != '\n').collect::<String>();
            let draw = |character| drawn(character, style.font);
            let expected: String = letters(&printable(&text)).chars().map(draw).collect();
            prop_assert_eq!(letters(&texts(&lines).concat()), letters(&expected));
        }
    }
}
