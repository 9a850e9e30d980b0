//! JSON as it was written: objects keep every member, so that a repeated one is
//! seen and refused. (`serde_json::Value` keeps the last; which one counts must
//! not depend on the reader.)

use std::collections::BTreeSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::error::Fault;

/// One JSON value.
#[derive(Debug)]
pub(crate) enum Json {
    Null,
    /// A number or a truth value, as text: policies write both with or without
    /// quotes.
    Scalar(String),
    Text(String),
    List(Vec<Json>),
    Object(Object),
}

/// The members of one object, in the order written.
#[derive(Debug)]
pub(crate) struct Object(Vec<(String, Json)>);

impl Json {
    /// Parses a whole document. The parser limits nesting to 128 levels.
    pub(crate) fn parse(text: &str) -> Result<Self, Fault> {
        serde_json::from_str(text).map_err(Fault::Json)
    }

    pub(crate) fn object(self, element: &str, expected: &'static str) -> Result<Object, Fault> {
        match self {
            Self::Object(object) => Ok(object),
            Self::Null | Self::Scalar(_) | Self::Text(_) | Self::List(_) => {
                Err(Fault::shape(element, expected))
            }
        }
    }

    pub(crate) fn text(self, element: &str) -> Result<String, Fault> {
        match self {
            Self::Text(text) => Ok(text),
            Self::Null | Self::Scalar(_) | Self::List(_) | Self::Object(_) => {
                Err(Fault::shape(element, "a string"))
            }
        }
    }

    /// A string, or a list of at least one string.
    pub(crate) fn texts(self, element: &str) -> Result<Vec<String>, Fault> {
        self.some(element, |json| json.text(element))
    }

    /// A string, number or truth value, or a list of at least one, as text.
    pub(crate) fn scalars(self, element: &str) -> Result<Vec<String>, Fault> {
        self.some(element, |json| match json {
            Self::Text(text) | Self::Scalar(text) => Ok(text),
            Self::Null | Self::List(_) | Self::Object(_) => {
                Err(Fault::shape(element, "a string, a number, true or false, or a list of these"))
            }
        })
    }

    fn some<T>(self, element: &str, one: impl Fn(Self) -> Result<T, Fault>) -> Result<Vec<T>, Fault> {
        match self {
            Self::List(list) if list.is_empty() => Err(Fault::shape(element, "a list of at least one")),
            Self::List(list) => list.into_iter().map(one).collect(),
            json @ (Self::Null | Self::Scalar(_) | Self::Text(_) | Self::Object(_)) => Ok(vec![one(json)?]),
        }
    }
}

impl Object {
    /// *Errors*: [`Fault::Duplicate`], [`Fault::UnknownElement`].
    pub(crate) fn only(&self, allowed: &'static [&'static str]) -> Result<(), Fault> {
        self.distinct()?;
        match self.0.iter().find(|(name, _)| !allowed.contains(&name.as_str())) {
            Some((name, _)) => Err(Fault::UnknownElement { name: name.clone(), allowed }),
            None => Ok(()),
        }
    }

    /// *Errors*: [`Fault::Duplicate`].
    pub(crate) fn distinct(&self) -> Result<(), Fault> {
        let mut seen = BTreeSet::new();
        match self.0.iter().find(|(name, _)| !seen.insert(name.as_str())) {
            Some((name, _)) => Err(Fault::Duplicate { name: name.clone() }),
            None => Ok(()),
        }
    }

    /// Takes out one member.
    pub(crate) fn take(&mut self, name: &str) -> Option<Json> {
        let at = self.0.iter().position(|(n, _)| n == name)?;
        Some(self.0.swap_remove(at).1)
    }

    pub(crate) fn require(&mut self, name: &'static str) -> Result<Json, Fault> {
        self.take(name).ok_or(Fault::Missing { element: name })
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn into_members(self) -> Vec<(String, Json)> {
        self.0
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyJson)
    }
}

struct AnyJson;

impl<'de> Visitor<'de> for AnyJson {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Scalar(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(Json::Scalar(value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Scalar(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Json, E> {
        Ok(Json::Scalar(value.to_string()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Json, E> {
        Ok(Json::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Json, E> {
        Ok(Json::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Json, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = access.next_element()? {
            list.push(item);
        }
        Ok(Json::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Json, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = access.next_entry()? {
            members.push(member);
        }
        Ok(Json::Object(Object(members)))
    }
}
