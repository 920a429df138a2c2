//! Makes pages a PDF/A-3b (ISO 19005-3): colours that mean the same everywhere, metadata, an attached file, an
//! identifier that follows from the content.

use std::sync::OnceLock;

use chrono::NaiveDate;
use lopdf::{Document, Object, ObjectId, Stream, StringFormat, dictionary};
use sha2::{Digest, Sha256};

use super::deflate::deflate;
use super::page::Page;
use super::{PaperError, draw, xmp};

/// What made the file, as its properties say.
pub(super) const PRODUCER: &str = "Permanence";
/// sRGB IEC61966-2.1.
const SRGB: &[u8] = include_bytes!("../../assets/icc/sRGB.icc");

/// What a PDF says of itself, and what it carries.
#[derive(Debug)]
pub struct Archive {
    /// Shown as its title.
    pub title: String,
    /// Who wrote it.
    pub author: String,
    /// The language of its words: a tag of BCP 47.
    pub language: &'static str,
    /// The day on which it was written; a day and no time, so that the same paper is the same file.
    pub day: NaiveDate,
    /// A file within the file.
    pub attachment: Option<Attachment>,
}

/// A file within the file, an alternative form of what the pages say.
#[derive(Debug)]
pub struct Attachment {
    /// Its name.
    pub name: &'static str,
    /// What it is, in words.
    pub description: &'static str,
    /// Its media type.
    pub media_type: &'static str,
    /// Its content.
    pub content: Vec<u8>,
    /// What the PDF's metadata says of it.
    pub extension: Extension,
}

/// Properties of a namespace that PDF/A does not know and wants described.
#[derive(Debug)]
pub struct Extension {
    /// What the namespace is called.
    pub title: &'static str,
    /// The namespace.
    pub namespace: &'static str,
    /// Its usual prefix.
    pub prefix: &'static str,
    /// Name, value and description of each property.
    pub properties: &'static [(&'static str, &'static str, &'static str)],
}

impl Archive {
    /// Writes the pages as PDF/A-3b.
    pub fn write(&self, pages: &[Page]) -> Result<Vec<u8>, PaperError> {
        let mut document = draw::objects(pages, &self.title)?;
        "1.7".clone_into(&mut document.version);
        self.describe(&mut document)?;
        self.attach(&mut document)?;
        compress(&mut document)?;
        identify(&mut document);
        let mut bytes = Vec::with_capacity(48 << 10);
        document.save_to(&mut bytes).map_err(|error| PaperError::Pdf(error.to_string()))?;
        Ok(bytes)
    }

    fn describe(&self, document: &mut Document) -> Result<(), PaperError> {
        let intent = colours(document)?;
        let packet = xmp::packet(self).map_err(|error| PaperError::Xml(error.to_string()))?;
        let properties = dictionary! { "Type" => "Metadata", "Subtype" => "XML" };
        // Readers that are no PDF readers look for the packet: it stays as it is.
        let metadata = document.add_object(Stream::new(properties, packet).with_compression(false));
        let catalog = document.catalog_mut().map_err(|error| refused(&error))?;
        catalog.set("OutputIntents", vec![Object::Reference(intent)]);
        catalog.set("Metadata", metadata);
        catalog.set("Lang", text(self.language));
        catalog.set("ViewerPreferences", dictionary! { "DisplayDocTitle" => true });
        let day = self.day.format("D:%Y%m%d000000+00'00'").to_string();
        let information = document.add_object(dictionary! {
            "Title" => text(&self.title),
            "Author" => text(&self.author),
            "Producer" => text(PRODUCER),
            "CreationDate" => Object::string_literal(day.clone()),
            "ModDate" => Object::string_literal(day),
        });
        if let Ok(Object::Reference(replaced)) = document.trailer.get(b"Info") {
            let replaced = *replaced;
            document.objects.remove(&replaced);
        }
        document.trailer.set("Info", information);
        Ok(())
    }

    fn attach(&self, document: &mut Document) -> Result<(), PaperError> {
        let Some(attachment) = &self.attachment else { return Ok(()) };
        let day = self.day.format("D:%Y%m%d000000+00'00'").to_string();
        let mut content = attachment.content.clone();
        let compressed = deflate(&mut content).map_err(|error| PaperError::Pdf(error.to_string()))?;
        let properties = dictionary! {
            "Type" => "EmbeddedFile",
            "Subtype" => Object::Name(attachment.media_type.as_bytes().to_vec()),
            "Filter" => "FlateDecode",
            "Params" => dictionary! { "Size" => length(&content)?, "ModDate" => Object::string_literal(day) },
        };
        let file = document.add_object(Stream::new(properties, compressed));
        let specification = document.add_object(dictionary! {
            "Type" => "Filespec",
            "F" => Object::string_literal(attachment.name),
            "UF" => Object::string_literal(attachment.name),
            "Desc" => text(attachment.description),
            "AFRelationship" => "Alternative",
            "EF" => dictionary! { "F" => file, "UF" => file },
        });
        let named = vec![Object::string_literal(attachment.name), Object::Reference(specification)];
        let catalog = document.catalog_mut().map_err(|error| refused(&error))?;
        catalog.set("Names", dictionary! { "EmbeddedFiles" => dictionary! { "Names" => named } });
        catalog.set("AF", vec![Object::Reference(specification)]);
        Ok(())
    }
}

fn colours(document: &mut Document) -> Result<ObjectId, PaperError> {
    static PROFILE: OnceLock<Option<Vec<u8>>> = OnceLock::new();
    let profile = PROFILE.get_or_init(|| deflate(&mut SRGB.to_vec()).ok()).clone();
    let profile = profile.ok_or_else(|| PaperError::Pdf("the colour profile".to_owned()))?;
    let properties = dictionary! { "N" => 3, "Filter" => "FlateDecode" };
    let profile = document.add_object(Stream::new(properties, profile).with_compression(false));
    Ok(document.add_object(dictionary! {
        "Type" => "OutputIntent",
        "S" => "GTS_PDFA1",
        "OutputConditionIdentifier" => Object::string_literal("sRGB IEC61966-2.1"),
        "Info" => Object::string_literal("sRGB IEC61966-2.1"),
        "DestOutputProfile" => profile,
    }))
}

fn refused(error: &lopdf::Error) -> PaperError {
    PaperError::Pdf(error.to_string())
}

/// A string of any letters: UTF-16 with its mark (ISO 32000-1, 7.9.2.2), or plain where it is ASCII.
fn text(words: &str) -> Object {
    if words.is_ascii() {
        return Object::string_literal(words);
    }
    let units = std::iter::once(0xfeff).chain(words.encode_utf16());
    Object::String(units.flat_map(u16::to_be_bytes).collect(), StringFormat::Hexadecimal)
}

fn compress(document: &mut Document) -> Result<(), PaperError> {
    for object in document.objects.values_mut() {
        let Object::Stream(stream) = object else { continue };
        if stream.allows_compression && !stream.dict.has(b"Filter") {
            let compressed =
                deflate(&mut stream.content).map_err(|error| PaperError::Pdf(error.to_string()))?;
            if stream.dict.has(b"Length1") {
                stream.dict.set("Length1", length(&stream.content)?);
            }
            stream.dict.set("Filter", "FlateDecode");
            stream.set_content(compressed);
        }
    }
    Ok(())
}

fn length(content: &[u8]) -> Result<i64, PaperError> {
    i64::try_from(content.len()).map_err(|error| PaperError::Pdf(error.to_string()))
}

/// Names the file by what is in it (ISO 32000-1, 14.4).
fn identify(document: &mut Document) {
    let mut hash = Sha256::new();
    for object in document.objects.values() {
        if let Object::Stream(stream) = object {
            hash.update(&stream.content);
        }
    }
    let identifier = Object::String(hash.finalize()[..16].to_vec(), StringFormat::Hexadecimal);
    document.trailer.set("ID", vec![identifier.clone(), identifier]);
}
