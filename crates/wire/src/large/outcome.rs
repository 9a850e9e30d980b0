//! What became of many objects, as one document: text, or JSON for those who ask
//! for it.

use repono_core::request::RequestHead;
use serde_json::json;

/// How the document is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DocumentForm {
    /// `Name: value` lines (Swift's default).
    Text,
    /// JSON.
    Json,
}

impl DocumentForm {
    /// JSON when `Accept` names it, else text.
    #[must_use]
    pub fn from_head(head: &RequestHead) -> Self {
        let named = |value: &[u8]| value.windows(16).any(|w| w.eq_ignore_ascii_case(b"application/json"));
        if head.fields_named("accept").any(named) { Self::Json } else { Self::Text }
    }

    /// The media type.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; charset=utf-8",
            Self::Json => "application/json; charset=utf-8",
        }
    }
}

/// What is told, in this order: names with their numbers or texts, and then each
/// object that was left out, with the reason.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Such as `Number Deleted`.
    pub counts: Vec<(&'static str, usize)>,
    /// Such as `Response Status`.
    pub texts: Vec<(&'static str, String)>,
    /// Which one, and why: the status that it alone would have had, or a sentence.
    pub errors: Vec<(String, String)>,
}

impl Outcome {
    /// The document.
    #[must_use]
    pub fn render(&self, form: DocumentForm) -> Vec<u8> {
        match form {
            DocumentForm::Text => self.text().into_bytes(),
            DocumentForm::Json => self.json().to_string().into_bytes(),
        }
    }

    fn text(&self) -> String {
        let counts = self.counts.iter().map(|(name, count)| format!("{name}: {count}\n"));
        let texts = self.texts.iter().map(|(name, text)| format!("{name}: {text}\n"));
        let errors = self.errors.iter().map(|(which, why)| format!("{which}, {why}\n"));
        counts.chain(texts).chain(["Errors:\n".to_owned()]).chain(errors).collect()
    }

    fn json(&self) -> serde_json::Value {
        let counts = self.counts.iter().map(|(name, count)| ((*name).to_owned(), json!(count)));
        let texts = self.texts.iter().map(|(name, text)| ((*name).to_owned(), json!(text)));
        let errors = ("Errors".to_owned(), json!(self.errors));
        serde_json::Value::Object(counts.chain(texts).chain([errors]).collect())
    }
}

#[cfg(test)]
mod tests {
    use repono_core::request::{Method, RequestHead, Version};

    use super::{DocumentForm, Outcome};

    #[test]
    fn text_and_json() {
        let outcome = Outcome {
            counts: vec![("Number Deleted", 2)],
            texts: vec![("Response Status", "400 Bad Request".into())],
            errors: vec![("/c/o%0A".into(), "403 Forbidden".into())],
        };
        let text = String::from_utf8(outcome.render(DocumentForm::Text)).expect("text");
        assert_eq!(
            text,
            "Number Deleted: 2\nResponse Status: 400 Bad Request\nErrors:\n/c/o%0A, 403 Forbidden\n"
        );
        let json: serde_json::Value =
            serde_json::from_slice(&outcome.render(DocumentForm::Json)).expect("JSON");
        assert_eq!(json["Number Deleted"], 2);
        assert_eq!(json["Errors"][0], serde_json::json!(["/c/o%0A", "403 Forbidden"]));
    }

    #[test]
    fn json_is_for_those_who_ask() {
        let mut head = RequestHead::new(Method::Put, Version::Http11, b"/").expect("small");
        assert_eq!(DocumentForm::from_head(&head), DocumentForm::Text);
        head.push(b"Accept", b"text/plain;q=0.5, Application/JSON").expect("small");
        assert_eq!(DocumentForm::from_head(&head), DocumentForm::Json);
    }
}
