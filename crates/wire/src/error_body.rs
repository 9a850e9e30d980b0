//! The body of a refusal: S3's error document, with nothing reflected.

use repono_core::id::TransId;
use repono_core::refusal::Refusal;

/// The media type of the document.
pub const CONTENT_TYPE: &str = "application/xml";

/// The longest document: a refusal must not be worth provoking.
pub const BYTES_MAX: usize = 1024;

/// Appends the error document of a refusal.
///
/// *Shape*: at most [`BYTES_MAX`] bytes for every refusal in
/// [`crate::refusals::ALL`]; code and message are compile-time text, so nothing
/// that a caller sent can stand in it.
pub fn xml(refusal: &Refusal, trans_id: &TransId, out: &mut Vec<u8>) {
    out.extend_from_slice(b"<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>");
    escape(refusal.code, out);
    out.extend_from_slice(b"</Code><Message>");
    escape(refusal.message, out);
    out.extend_from_slice(b"</Message><RequestId>");
    escape(trans_id.as_str(), out);
    out.extend_from_slice(b"</RequestId></Error>");
}

fn escape(text: &str, out: &mut Vec<u8>) {
    for byte in text.bytes() {
        match byte {
            b'&' => out.extend_from_slice(b"&amp;"),
            b'<' => out.extend_from_slice(b"&lt;"),
            b'>' => out.extend_from_slice(b"&gt;"),
            other => out.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::{SeedableRng, rngs::StdRng};
    use repono_core::id::TransId;
    use repono_core::refusal::Refusal;
    use repono_core::time::Timestamp;

    use super::{BYTES_MAX, xml};
    use crate::refusals::{ALL, NO_SUCH_KEY};

    fn document(refusal: &Refusal) -> String {
        let id = TransId::new(Timestamp::from_unix_seconds(1), &mut StdRng::seed_from_u64(1));
        let mut out = Vec::new();
        xml(refusal, &id, &mut out);
        String::from_utf8(out).expect("UTF-8").replace(id.as_str(), "tx")
    }

    #[test]
    fn has_the_documented_form() {
        assert_eq!(
            document(&NO_SUCH_KEY),
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>NoSuchKey</Code>\
             <Message>The object does not exist.</Message><RequestId>tx</RequestId></Error>"
        );
        assert!(document(&Refusal::new(400, "A", "<&>")).contains("<Message>&lt;&amp;&gt;</Message>"));
    }

    #[test]
    fn every_document_is_small() {
        for refusal in ALL {
            assert!(document(refusal).len() <= BYTES_MAX - TransId::LEN, "{refusal:?}");
        }
    }
}
