//! Writes XML: elements that are closed in the order in which they were opened, text that XML 1.0 can hold.

use std::io;

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event};

/// An XML document that is being written.
pub(crate) struct Xml {
    writer: Writer<Vec<u8>>,
}

impl Xml {
    /// An empty document with its declaration.
    pub(crate) fn document() -> io::Result<Self> {
        let mut xml = Self::fragment();
        xml.writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
        Ok(xml)
    }

    /// A part of a document.
    pub(crate) fn fragment() -> Self {
        Self { writer: Writer::new(Vec::new()) }
    }

    /// An element that holds what `content` writes.
    pub(crate) fn element(
        &mut self,
        name: &str,
        attributes: &[(&str, &str)],
        content: impl FnOnce(&mut Self) -> io::Result<()>,
    ) -> io::Result<()> {
        let start = BytesStart::new(name).with_attributes(attributes.iter().copied());
        self.writer.write_event(Event::Start(start))?;
        content(self)?;
        self.writer.write_event(Event::End(BytesEnd::new(name)))
    }

    /// An element that holds text.
    pub(crate) fn text(&mut self, name: &str, text: &str) -> io::Result<()> {
        self.text_with(name, &[], text)
    }

    /// An element that holds text, with attributes.
    pub(crate) fn text_with(
        &mut self,
        name: &str,
        attributes: &[(&str, &str)],
        text: &str,
    ) -> io::Result<()> {
        let text: String = text.chars().filter(|character| is_xml(*character)).collect();
        self.element(name, attributes, |xml| xml.writer.write_event(Event::Text(BytesText::new(&text))))
    }

    /// A processing instruction, as it stands between `<?` and `?>`.
    pub(crate) fn instruction(&mut self, content: &str) -> io::Result<()> {
        self.writer.write_event(Event::PI(quick_xml::events::BytesPI::new(content)))
    }

    /// What was written.
    pub(crate) fn finish(self) -> Vec<u8> {
        self.writer.into_inner()
    }
}

/// What a document of XML 1.0 may hold at all (`Char`), escaped or not.
fn is_xml(character: char) -> bool {
    matches!(character, '\t' | '\n' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_and_leaves_out_what_xml_cannot_hold() {
        let mut xml = Xml::fragment();
        xml.element("a", &[("b", "\"<&")], |xml| xml.text("c", "<d>&\u{0}\u{1b}\u{ffff}é]]>")).unwrap();
        let text = String::from_utf8(xml.finish()).unwrap();
        assert_eq!(text, r#"<a b="&quot;&lt;&amp;"><c>&lt;d&gt;&amp;é]]&gt;</c></a>"#);
    }
}
