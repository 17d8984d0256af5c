//! Mail as a document: the structure of a message with the octet range of every part, its header fields, and its text.
//! Never fails and never holds a body whole. RFC 5322, 2045-2047, 2231, 6532; rendered as RFC 9051 and RFC 3501 have it.
//!
//! Delivery pushes the octets through a [`Parser`], renders [`render_envelope`] and [`render_bodystructure`] once, and
//! stores a [`Structure`]; later readers resolve [`Section`]s with the stored structure and never parse again.

mod address;
mod bodystructure;
mod content_type;
mod date;
mod defect;
mod encoded_word;
mod envelope;
mod envelope_read;
mod header;
mod html;
mod imap_string;
mod lex;
mod message_id;
mod parameter;
mod parser;
mod search_text;
mod section;
mod structure;
mod subject;
mod text;
mod transfer;
mod tree;

pub use address::{Address, Mailbox, parse_addresses};
pub use bodystructure::render_bodystructure;
pub use content_type::{ContentType, Disposition};
pub use date::{DateTime, parse_date};
pub use defect::{Defect, DefectKind};
pub use encoded_word::{decode_header, decode_phrase};
pub use envelope::{render_envelope, render_envelope_of};
pub use envelope_read::{Envelope, EnvelopeAddress};
pub use header::{Fields, RawField, fields, first_field, select_fields, unfold};
pub use html::{HtmlText, html_to_text};
pub use imap_string::{push_nstring, push_string};
pub use message_id::{in_reply_to, message_id, message_ids, references};
pub use parameter::{Parameter, Parameters};
pub use parser::Parser;
pub use search_text::{SearchField, SearchTextReader, search_fields};
pub use section::{Section, SectionText};
pub use structure::{Structure, StructurePart};
pub use subject::{BaseSubject, base_subject, conversation_subject};
pub use text::{TextReader, decode_text, header_text, preview, preview_of};
pub use transfer::{TransferDecoder, TransferEncoding};
pub use tree::{Mail, Part, PartKind};

/// Reads a message that is in memory already. The streaming form is [`Parser`].
pub fn parse(message: &[u8]) -> Mail {
    let mut parser = Parser::new();
    parser.push(message);
    parser.finish()
}
