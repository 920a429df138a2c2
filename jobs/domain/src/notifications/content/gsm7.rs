//! How a text travels by SMS: in the GSM-7 alphabet (3GPP TS 23.038 §6.2.1) or in UCS-2, and in how many parts.
//! It never changes a text unless asked to by [`fold`].

/// The alphabet of an SMS, which sets its price: one letter outside GSM-7 more than halves what a part holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    /// Seven bits a letter: 160 in a lone part, 153 in each of several.
    Gsm7,
    /// Two bytes a letter: 70 in a lone part, 67 in each of several.
    Ucs2,
}

/// The size of a text as an SMS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// The alphabet that the text needs.
    pub coding: Coding,
    /// Septets in GSM-7, 16-bit units in UCS-2.
    pub units: usize,
    /// Parts that are sent, and paid for.
    pub segments: usize,
}

const BASIC: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡\
                     ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";
const EXTENDED: &str = "\u{c}^{}\\[~]|€";

fn septets(letter: char) -> Option<usize> {
    if BASIC.contains(letter) {
        Some(1)
    } else if EXTENDED.contains(letter) {
        Some(2)
    } else {
        None
    }
}

/// Measures a text as an SMS.
///
/// ```
/// use permanence_domain::notifications::content::gsm7::{Coding, Size, measure};
/// assert_eq!(measure("Rendez-vous à 14h"), Size { coding: Coding::Gsm7, units: 17, segments: 1 });
/// assert_eq!(measure("Rendez-vous d'août").coding, Coding::Ucs2);
/// ```
#[must_use]
pub fn measure(text: &str) -> Size {
    if let Some(widths) = text.chars().map(septets).collect::<Option<Vec<_>>>() {
        size(Coding::Gsm7, &widths, 160, 153)
    } else {
        let widths: Vec<_> = text.chars().map(char::len_utf16).collect();
        size(Coding::Ucs2, &widths, 70, 67)
    }
}

fn size(coding: Coding, widths: &[usize], lone: usize, several: usize) -> Size {
    let units = widths.iter().sum();
    if units <= lone {
        return Size { coding, units, segments: 1 };
    }
    // A letter of two units is never cut between two parts: the first part is left one unit short.
    let (mut segments, mut filled) = (1, 0);
    for width in widths {
        if filled + width > several {
            segments += 1;
            filled = 0;
        }
        filled += width;
    }
    Size { coding, units, segments }
}

/// Returns the letters of a text that GSM-7 lacks, each once: they force UCS-2 upon the whole.
///
/// ```
/// assert_eq!(permanence_domain::notifications::content::gsm7::forcing("Forêt, fête, 10 € ça"), ['ê', 'ç']);
/// ```
#[must_use]
pub fn forcing(text: &str) -> Vec<char> {
    let mut found = Vec::new();
    for letter in text.chars().filter(|letter| septets(*letter).is_none()) {
        if !found.contains(&letter) {
            found.push(letter);
        }
    }
    found
}

/// Replaces the Latin letters and signs that GSM-7 lacks by the closest that it has, and leaves all others.
///
/// ```
/// assert_eq!(permanence_domain::notifications::content::gsm7::fold("L’été au Château"), "L'été au Chateau");
/// ```
#[must_use]
pub fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for letter in text.chars() {
        match closest(letter) {
            Some(closest) => folded.push_str(closest),
            None => folded.push(letter),
        }
    }
    folded
}

fn closest(letter: char) -> Option<&'static str> {
    Some(match letter {
        'á' | 'â' | 'ã' | 'ª' => "a",
        'ç' => "c",
        'ê' | 'ë' => "e",
        'í' | 'î' | 'ï' => "i",
        // The sign as in « n° 12 ».
        'ó' | 'ô' | 'õ' | '°' | 'º' => "o",
        'ú' | 'û' => "u",
        'ý' | 'ÿ' => "y",
        'œ' => "oe",
        'À' | 'Á' | 'Â' | 'Ã' => "A",
        'È' | 'Ê' | 'Ë' => "E",
        'Ì' | 'Í' | 'Î' | 'Ï' => "I",
        'Ò' | 'Ó' | 'Ô' | 'Õ' => "O",
        'Ù' | 'Ú' | 'Û' => "U",
        'Ý' | 'Ÿ' => "Y",
        'Œ' => "OE",
        '‘' | '’' | '‚' | '`' | '´' | '′' => "'",
        '“' | '”' | '„' | '«' | '»' | '″' => "\"",
        '‹' => "<",
        '›' => ">",
        '\u{2010}'..='\u{2015}' | '−' | '•' | '·' => "-",
        '…' => "...",
        '×' => "x",
        '²' => "2",
        '³' => "3",
        '\t' | '\u{a0}' | '\u{2000}'..='\u{200a}' | '\u{202f}' => " ",
        // Soft hyphens, marks of width zero, and the accents of letters that come in two pieces.
        '\u{ad}' | '\u{200b}'..='\u{200d}' | '\u{feff}' | '\u{300}'..='\u{36f}' => "",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_basic_alphabet_has_its_127_letters_besides_the_escape() {
        assert_eq!(BASIC.chars().count(), 127);
        assert!(BASIC.chars().all(|letter| BASIC.matches(letter).count() == 1));
    }

    #[test]
    fn gsm7_parts_hold_160_then_153() {
        for (letters, segments) in [(0, 1), (160, 1), (161, 2), (306, 2), (307, 3)] {
            let size = measure(&"é".repeat(letters));
            assert_eq!(size, Size { coding: Coding::Gsm7, units: letters, segments }, "{letters}");
        }
    }

    #[test]
    fn ucs2_parts_hold_70_then_67() {
        for (letters, segments) in [(70, 1), (71, 2), (134, 2), (135, 3)] {
            let size = measure(&"ê".repeat(letters));
            assert_eq!(size, Size { coding: Coding::Ucs2, units: letters, segments }, "{letters}");
        }
    }

    #[test]
    fn the_euro_sign_counts_two_and_is_never_cut() {
        assert_eq!(measure("€"), Size { coding: Coding::Gsm7, units: 2, segments: 1 });
        assert_eq!(measure(&"€".repeat(80)).segments, 1);
        // 153 is odd: each part holds 76 signs, and 153 of them (306 septets) need a third part.
        assert_eq!(measure(&"€".repeat(152)).segments, 2);
        assert_eq!(measure(&"€".repeat(153)), Size { coding: Coding::Gsm7, units: 306, segments: 3 });
    }

    #[test]
    fn an_emoji_counts_two_and_is_never_cut() {
        assert_eq!(measure("🙂"), Size { coding: Coding::Ucs2, units: 2, segments: 1 });
        assert_eq!(measure(&"🙂".repeat(66)).segments, 2);
        assert_eq!(measure(&"🙂".repeat(67)).segments, 3);
    }

    #[test]
    fn folded_latin_text_is_gsm7() {
        let folded = fold("Ça alors : l’œuvre de François « Noël » — août, forêt, île, Ÿ… ÀÈÊÎÔÛ");
        assert_eq!(folded, "Ça alors : l'oeuvre de Francois \" Noel \" - aout, foret, ile, Y... AEEIOU");
        assert_eq!(measure(&folded).coding, Coding::Gsm7);
        assert_eq!(fold("déjà 日本"), "déjà 日本");
        assert_eq!(fold("n° 12 − 3×4 m², e\u{301}te\u{301} 5 €"), "no 12 - 3x4 m2, ete 5 €");
        assert_eq!(forcing(&fold("n° 12 − 3×4 m², e\u{301}te\u{301} 5 €")), [char::MIN; 0]);
    }
}
