//! A manifest as a client sends it: a JSON list of segments, each checked by
//! itself, so that one answer names every fault.

use std::fmt;

use data_encoding::BASE64;
use repono_core::etag::ETag;
use repono_core::name::{ContainerName, ObjectKey};
use repono_core::range::{RangeSet, RangeSpec};
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::SEGMENTS_MAX;

/// A manifest in which every entry has the right form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentManifest {
    /// At least one of them names an object.
    pub entries: Vec<SentEntry>,
}

/// One entry of a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SentEntry {
    /// An object.
    Object(SentSegment),
    /// Bytes within the manifest itself.
    Inline(Vec<u8>),
}

/// An object that a manifest names, and what its sender believes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentSegment {
    /// Its container, in the account of the manifest.
    pub container: ContainerName,
    /// Its name.
    pub key: ObjectKey,
    /// Its tag.
    pub etag: Option<ETag>,
    /// Its size in bytes.
    pub bytes: Option<u64>,
    /// The part that is meant.
    pub range: Option<RangeSpec>,
}

/// Why a manifest was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Faulty {
    /// More entries than [`SEGMENTS_MAX`].
    TooMany,
    /// As a whole.
    Whole(&'static str),
    /// The entries with these numbers.
    Entries(Vec<(usize, &'static str)>),
}

const NO_JSON: &str = "Manifest must be valid JSON.";
const NO_LIST: &str = "Manifest must be a list.";
const NO_OBJECT: &str = "Inline data segments require at least one object-backed segment.";
const ENTRY_FORM: &str =
    "must be an object with path, etag, size_bytes and range, or with data, of their types";
const ENTRY_KIND: &str = "must have either path or data";
const PATH: &str = "path must be of the form /container/object";
const TAG: &str = "etag must be an MD5 in hex";
const TOO_SMALL: &str = "too small; each segment must be at least 1 byte";
const RANGE: &str = "range must be one range of bytes";
const DATA: &str = "data must be valid base64";

impl SentManifest {
    /// Reads a manifest.
    ///
    /// *Errors*: [`Faulty`].
    ///
    /// *Cost*: memory of about the length of the text.
    pub fn parse(text: &[u8]) -> Result<Self, Faulty> {
        let raw = match serde_json::from_slice::<Entries<'_>>(text) {
            Ok(Entries::List(raw)) => raw,
            Ok(Entries::TooMany) => return Err(Faulty::TooMany),
            Err(error) if error.is_data() => return Err(Faulty::Whole(NO_LIST)),
            Err(_syntax) => return Err(Faulty::Whole(NO_JSON)),
        };
        let (mut entries, mut faults) = (Vec::with_capacity(raw.len()), Vec::new());
        for (number, raw) in raw.iter().enumerate() {
            match entry(raw) {
                Ok(entry) => entries.push(entry),
                Err(fault) => faults.push((number, fault)),
            }
        }
        if !faults.is_empty() {
            return Err(Faulty::Entries(faults));
        }
        if !entries.iter().any(|entry| matches!(entry, SentEntry::Object(_))) {
            return Err(Faulty::Whole(NO_OBJECT));
        }
        Ok(Self { entries })
    }
}

/// The texts of the entries: what a hostile manifest makes of them in memory is
/// bounded by their number, not by their content.
enum Entries<'a> {
    List(Vec<&'a RawValue>),
    TooMany,
}

impl<'de: 'a, 'a> Deserialize<'de> for Entries<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(EntriesVisitor)
    }
}

struct EntriesVisitor;

impl<'de> Visitor<'de> for EntriesVisitor {
    type Value = Entries<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = list.next_element()? {
            entries.push(entry);
            if entries.len() > SEGMENTS_MAX {
                while list.next_element::<IgnoredAny>()?.is_some() {}
                return Ok(Entries::TooMany);
            }
        }
        Ok(Entries::List(entries))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    path: Option<String>,
    etag: Option<String>,
    size_bytes: Option<Bytes>,
    range: Option<String>,
    data: Option<String>,
}

/// Swift takes digits in quotes too.
#[derive(Deserialize)]
#[serde(untagged)]
enum Bytes {
    Number(u64),
    Digits(String),
}

fn entry(raw: &RawValue) -> Result<SentEntry, &'static str> {
    let entry: Entry = serde_json::from_str(raw.get()).map_err(|_| ENTRY_FORM)?;
    match entry {
        Entry { path: Some(path), data: None, etag, size_bytes, range } => {
            segment(&path, etag.as_deref(), size_bytes, range.as_deref()).map(SentEntry::Object)
        }
        Entry { path: None, data: Some(data), etag: None, size_bytes: None, range: None } => {
            let bytes = BASE64.decode(data.as_bytes()).map_err(|_| DATA)?;
            if bytes.is_empty() { Err(TOO_SMALL) } else { Ok(SentEntry::Inline(bytes)) }
        }
        Entry { .. } => Err(ENTRY_KIND),
    }
}

fn segment(
    path: &str,
    etag: Option<&str>,
    size: Option<Bytes>,
    range: Option<&str>,
) -> Result<SentSegment, &'static str> {
    let (container, key) = path.trim_start_matches('/').split_once('/').ok_or(PATH)?;
    let bytes = size.map(|size| match size {
        Bytes::Number(bytes) => Ok(bytes),
        Bytes::Digits(digits) => digits.parse().map_err(|_| ENTRY_FORM),
    });
    let bytes = bytes.transpose()?;
    if bytes == Some(0) {
        return Err(TOO_SMALL);
    }
    Ok(SentSegment {
        container: container.parse().map_err(|_| PATH)?,
        key: key.parse().map_err(|_| PATH)?,
        etag: etag.map(|tag| ETag::parse(tag.as_bytes()).ok_or(TAG)).transpose()?,
        bytes,
        range: range.map(one_range).transpose()?,
    })
}

fn one_range(text: &str) -> Result<RangeSpec, &'static str> {
    let set = RangeSet::parse(format!("bytes={text}").as_bytes()).ok_or(RANGE)?;
    match set.specs() {
        [spec] => Ok(*spec),
        _several => Err(RANGE),
    }
}

#[cfg(test)]
mod tests {
    use repono_core::range::RangeSpec;

    use super::{
        DATA, ENTRY_FORM, ENTRY_KIND, Faulty, NO_JSON, NO_LIST, NO_OBJECT, PATH, RANGE, SEGMENTS_MAX,
        SentEntry, SentManifest, TAG, TOO_SMALL,
    };

    #[test]
    fn reads_every_kind_of_entry() {
        let text = r#"[{"path":"/seg/a/1","etag":"40fb56bde55a37911d253debfa002005","size_bytes":"7"},
                       {"path":"seg/b","etag":null,"size_bytes":3,"range":"-2"},{"data":"aGk="}]"#;
        let entries = SentManifest::parse(text.as_bytes()).expect("good").entries;
        let [SentEntry::Object(first), SentEntry::Object(second), SentEntry::Inline(data)] = &entries[..]
        else {
            panic!("{entries:?}");
        };
        assert_eq!((first.container.as_str(), first.key.as_str(), first.bytes), ("seg", "a/1", Some(7)));
        assert!(first.etag.is_some() && first.range.is_none());
        assert_eq!((second.etag, second.range), (None, Some(RangeSpec::Suffix(2))));
        assert_eq!(data, b"hi");
    }

    #[test]
    fn a_manifest_is_refused_as_a_whole() {
        let many = format!("[{}]", vec!["1"; SEGMENTS_MAX + 1].join(","));
        let table = [
            ("", Faulty::Whole(NO_JSON)),
            ("[", Faulty::Whole(NO_JSON)),
            ("[] x", Faulty::Whole(NO_JSON)),
            ("{}", Faulty::Whole(NO_LIST)),
            ("7", Faulty::Whole(NO_LIST)),
            ("[]", Faulty::Whole(NO_OBJECT)),
            (r#"[{"data":"aGk="}]"#, Faulty::Whole(NO_OBJECT)),
            (&many, Faulty::TooMany),
        ];
        for (text, fault) in table {
            assert_eq!(SentManifest::parse(text.as_bytes()), Err(fault), "{text:.40}");
        }
    }

    #[test]
    fn every_faulty_entry_is_named() {
        let table = [
            ("1", ENTRY_FORM),
            (r#"{"path":"/c/o","extra":1}"#, ENTRY_FORM),
            (r#"{"path":7}"#, ENTRY_FORM),
            (r#"{"path":"/c/o","size_bytes":-1}"#, ENTRY_FORM),
            (r#"{"path":"/c/o","size_bytes":"x"}"#, ENTRY_FORM),
            ("{}", ENTRY_KIND),
            (r#"{"path":"/c/o","data":"aGk="}"#, ENTRY_KIND),
            (r#"{"data":"aGk=","etag":"x"}"#, ENTRY_KIND),
            (r#"{"path":"o"}"#, PATH),
            (r#"{"path":"/c/"}"#, PATH),
            (r#"{"path":"/c/../o"}"#, PATH),
            (r#"{"path":"/c/o","etag":"x"}"#, TAG),
            (r#"{"path":"/c/o","size_bytes":0}"#, TOO_SMALL),
            (r#"{"path":"/c/o","range":"1-2,4-5"}"#, RANGE),
            (r#"{"path":"/c/o","range":"2-1"}"#, RANGE),
            (r#"{"data":"?"}"#, DATA),
            (r#"{"data":""}"#, TOO_SMALL),
        ];
        for (entry, fault) in table {
            let text = format!(r#"[{{"path":"/c/good"}},{entry}]"#);
            assert_eq!(
                SentManifest::parse(text.as_bytes()),
                Err(Faulty::Entries(vec![(1, fault)])),
                "{entry}"
            );
        }
        let all = format!("[{}]", table.map(|(entry, _)| entry).join(","));
        let faults = table.iter().enumerate().map(|(number, (_, fault))| (number, *fault)).collect();
        assert_eq!(SentManifest::parse(all.as_bytes()), Err(Faulty::Entries(faults)));
    }
}
