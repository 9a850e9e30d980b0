//! Reading a configuration file, with errors that say what to change.

use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserializer;
use serde::de::{DeserializeOwned, Error as _, Visitor, value::Error};
use serde::forward_to_deserialize_any;

use crate::output::usage;

/// Reads and checks a configuration file.
pub(super) fn configuration<C: DeserializeOwned>(path: &Path) -> Result<C> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read the configuration {}", path.display()))?;
    let table: toml::Table =
        text.parse().map_err(|error| usage(format!("{} is not TOML: {error}", path.display())))?;
    let known = keys_of::<C>();
    if let Some(unknown) = table.keys().find(|key| !known.contains(&key.as_str())) {
        return Err(usage(format!("{}: {}", path.display(), unknown_key(unknown, known))));
    }
    toml::from_str(&text).map_err(|error| usage(format!("{} cannot be used: {error}", path.display())))
}

fn unknown_key(unknown: &str, known: &[&str]) -> String {
    let similarity = |key: &&&str| (strsim::jaro_winkler(unknown, key) * 1000.0) as u64;
    match known.iter().max_by_key(similarity) {
        Some(nearest) => format!("there is no key `{unknown}`; the nearest is `{nearest}`"),
        None => format!("there is no key `{unknown}`"),
    }
}

/// The keys that a configuration has, as its own `Deserialize` asks for them.
fn keys_of<C: DeserializeOwned>() -> &'static [&'static str] {
    let mut keys = Keys(&[]);
    // It always fails: all that it is for is the list of fields.
    let _ = C::deserialize(&mut keys);
    keys.0
}

struct Keys(&'static [&'static str]);

impl<'de> Deserializer<'de> for &mut Keys {
    type Error = Error;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        _visitor: V,
    ) -> Result<V::Value, Error> {
        self.0 = fields;
        Err(Error::custom("only the fields were wanted"))
    }

    fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, Error> {
        Err(Error::custom("a configuration is a struct"))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::configuration;

    #[test]
    fn an_unknown_key_names_the_nearest() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), "nmae = \"head-1\"\n").expect("written");
        let error = configuration::<repono_head::Config>(file.path()).expect_err("refused");
        assert!(error.to_string().ends_with("there is no key `nmae`; the nearest is `name`"), "{error}");
    }
}
