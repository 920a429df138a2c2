//! Text as it can be drawn: composed, without what steers a terminal or turns the direction of reading around, and with a
//! box for each letter that the typeface lacks.

use unicode_normalization::{UnicodeNormalization, is_nfc_quick};

use super::font::Font;

/// Stands for a letter that the typeface lacks.
pub(super) const MISSING: char = '\u{25a1}';

/// Text of several lines: line ends stay, everything else that is not for reading goes.
pub fn printable(text: &str) -> String {
    let plain = text.bytes().all(|byte| byte == b'\n' || (b' '..0x7f).contains(&byte));
    if plain {
        return text.to_owned();
    }
    let text = text.replace("\r\n", "\n");
    let keep = |text: &mut dyn Iterator<Item = char>| text.filter_map(readable).collect::<String>();
    if is_nfc_quick(text.chars()) == unicode_normalization::IsNormalized::Yes {
        keep(&mut text.chars())
    } else {
        keep(&mut text.nfc())
    }
}

/// Text of one line: line ends and runs of blanks become one blank.
pub fn one_line(text: &str) -> String {
    let text = printable(text);
    let mut line = String::with_capacity(text.len());
    for word in text.split([' ', '\n']).filter(|word| !word.is_empty()) {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    line
}

/// What is drawn for a character that has passed [`printable`].
pub(super) fn drawn(character: char, font: &Font) -> char {
    match character {
        '\u{a0}' => ' ',
        _ if font.has(character) => character,
        _ => MISSING,
    }
}

fn readable(character: char) -> Option<char> {
    match character {
        '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}' => Some('\n'),
        '\t' | '\u{2000}'..='\u{200a}' | '\u{3000}' => Some(' '),
        // Soft hyphen, joiners, marks and overrides of direction, variation selectors, tags, private use.
        '\u{ad}'
        | '\u{61c}'
        | '\u{180e}'
        | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}'
        | '\u{fff0}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e0fff}' => None,
        _ if character.is_control() => None,
        _ => Some(character),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::paper::{Face, Fonts};

    #[test]
    fn composes_accents_and_drops_what_steers() {
        assert_eq!(printable("He\u{301}le\u{300}ne"), "Hélène");
        assert_eq!(printable("a\u{202e}b\u{0}c\u{1b}[31md"), "abc[31md");
        assert_eq!(printable("un\r\ndeux\u{2028}trois\tquatre"), "un\ndeux\ntrois quatre");
        assert_eq!(one_line("  un \n\n deux\t trois "), "un deux trois");
    }

    #[test]
    fn a_letter_that_the_typeface_lacks_is_a_box() {
        let font = Fonts::shared().unwrap().font(Face::Regular);
        assert_eq!("é€😀שλ".chars().map(|character| drawn(character, font)).collect::<String>(), "é€□□λ");
    }
}
