//! A value of a record in JSON, as text: whoever set up a log decided whether a number
//! stands in quotes.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// A text, a number, or nothing.
#[derive(Debug, Default)]
pub(crate) struct Scalar<'a>(Cow<'a, str>);

impl Scalar<'_> {
    /// What is said; `-` and the empty text say nothing.
    pub(crate) fn said(&self) -> Option<&str> {
        Some(&*self.0).filter(|text| !matches!(*text, "" | "-"))
    }

    /// The same as another type.
    pub(crate) fn parsed<T: std::str::FromStr>(&self) -> Option<T> {
        self.said()?.parse().ok()
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Scalar<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(OfAny).map(Self)
    }
}

struct OfAny;

impl<'de> Visitor<'de> for OfAny {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        Ok(Cow::Owned(number.to_string()))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Cow::Owned(number.to_string()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Self::Value, E> {
        Ok(Cow::Owned(number.to_string()))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Cow::default())
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Cow::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Cow::default())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Self::Value, A::Error> {
        while object.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Cow::default())
    }
}

#[cfg(test)]
mod tests {
    use super::Scalar;

    #[test]
    fn a_value_is_read_whatever_its_type() {
        let said = |json| serde_json::from_str::<Scalar<'_>>(json).unwrap().said().map(str::to_owned);
        for (json, expected) in
            [("\"a\\\"b\"", "a\"b"), ("7", "7"), ("-7", "-7"), ("0.125", "0.125"), ("\"-1\"", "-1")]
        {
            assert_eq!(said(json).as_deref(), Some(expected), "{json}");
        }
        for none in ["null", "\"-\"", "\"\"", "true", "[1, {\"a\": []}]", "{\"a\": 1}"] {
            assert_eq!(said(none), None, "{none}");
        }
    }
}
